"""Placements, merchandisers' rules, model versions and training runs."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone


class Placement(models.Model):
    """A named spot in the shop. It points to a pipeline and to what answers when that falls short."""

    class PageType(models.TextChoices):
        HOME = "home", "Home page"
        ITEM = "item", "Item page"
        CATEGORY = "category", "Category page"
        CART = "cart", "Cart"
        PURCHASE = "purchase", "After purchase"
        SEARCH = "search", "Search results"
        EMAIL = "email", "E-mail"
        ANY = "any", "Any page"

    key = models.SlugField(max_length=30, unique=True, help_text="The name pages and the API ask for.")
    label = models.CharField(max_length=100, help_text="What shoppers read above the shelf.")
    page_type = models.CharField(max_length=10, choices=PageType, default=PageType.ANY)
    pipeline = models.CharField(max_length=50)
    fallback = models.JSONField(
        default=list, blank=True, help_text="Pipelines asked in turn when the first one falls short."
    )
    count = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(200)],
        help_text="How many items. Empty: the default of the shop.",
    )
    max_per_brand = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="At most so many items of one brand."
    )
    max_per_category = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="At most so many items of one category, the smallest an item is in.",
    )
    min_relevance = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="From 0 to 1: the least share of the best candidate's score an item must have.",
    )
    price_min = models.DecimalField(
        max_digits=14, decimal_places=4, null=True, blank=True, validators=[MinValueValidator(0)]
    )
    price_max = models.DecimalField(
        max_digits=14, decimal_places=4, null=True, blank=True, validators=[MinValueValidator(0)]
    )
    collapse_variants = models.BooleanField(
        default=False, help_text="Show one of each parent and its variants: the parent if it can be shown."
    )
    freshness_weight = models.FloatField(
        default=0.0,
        validators=[MinValueValidator(0), MaxValueValidator(10)],
        help_text="How much newness counts: 0 not at all; at 1 a brand new item's score is doubled.",
    )
    freshness_half_life_days = models.FloatField(
        default=14.0,
        validators=[MinValueValidator(0.01), MaxValueValidator(3650)],
        help_text="Days after which newness counts half.",
    )
    margin_weight = models.FloatField(
        default=0.0,
        validators=[MinValueValidator(0), MaxValueValidator(10)],
        help_text="How much the attribute “margin” (0 to 1) counts: at 1 a margin of 0.5 adds half to a score.",
    )
    rotation_hours = models.FloatField(
        default=0.0,
        validators=[MinValueValidator(0), MaxValueValidator(24 * 365)],
        help_text="Shuffle items that are nearly as good as each other every so many hours. 0: never.",
    )
    active = models.BooleanField(default=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["key"]
        constraints = [
            models.CheckConstraint(
                condition=Q(price_min__isnull=True) | Q(price_max__isnull=True) | Q(price_max__gte=F("price_min")),
                name="placement_price_range",
                violation_error_message="The highest price is below the lowest.",
            )
        ]

    def __str__(self) -> str:
        return self.label or self.key


class Rule(models.Model):
    """What a merchandiser wants shown, or not: for which items, where, when, for whom, and how strongly."""

    class Action(models.TextChoices):
        PIN = "pin", "Pin"
        BOOST = "boost", "Boost"
        BURY = "bury", "Bury"
        HIDE = "hide", "Hide"
        INCLUDE_ONLY = "include_only", "Include only"
        PROMOTE_SHARE = "promote_share", "Promote to a share of places"

    name = models.CharField(max_length=100, unique=True)
    action = models.CharField(max_length=20, choices=Action)
    active = models.BooleanField(default=True, help_text="Off: it is kept, and does nothing.")
    priority = models.SmallIntegerField(
        default=0, help_text="Where rules contradict each other, the higher one decides; of equals, the older one."
    )
    placements = models.ManyToManyField(
        Placement, blank=True, related_name="rules", help_text="Where it applies. None chosen: everywhere."
    )
    everywhere = models.BooleanField(
        default=True,
        editable=False,
        help_text="Off: only on its placements, so that it does not spread when they are deleted.",
    )
    items = models.JSONField(default=list, blank=True, help_text="Our ids of the items it names, in order.")
    filter = models.TextField(blank=True, max_length=2000)
    strength = models.FloatField(
        default=2.0,
        validators=[MinValueValidator(1.0), MaxValueValidator(1000.0)],
        help_text="A boosted item's score is multiplied by this, a buried one's divided by it.",
    )
    position = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(200)],
        help_text="The place of the first pinned item. The others follow it.",
    )
    share = models.FloatField(
        default=0.2,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text="From 0 to 1: the share of places that promoted items have at least.",
    )
    seed_filter = models.TextField(blank=True, max_length=2000)
    categories = models.JSONField(default=list, blank=True, help_text="Our ids of categories.")
    segments = models.JSONField(default=list, blank=True, help_text="Names of user segments.")
    context = models.JSONField(default=dict, blank=True, help_text="Names and texts a request's context must have.")
    starts_at = models.DateTimeField(null=True, blank=True, help_text="Empty: at once.")
    ends_at = models.DateTimeField(null=True, blank=True, help_text="The moment it stops. Empty: never.")
    note = models.TextField(blank=True, help_text="Why it is there, for colleagues.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-priority", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(starts_at__isnull=True) | Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at")),
                name="rule_ends_after_start",
                violation_error_message="It would end before it starts.",
            )
        ]

    def __str__(self) -> str:
        return self.name


class ModelVersion(models.Model):
    """What one training run produced: an immutable directory in the model store. At most one per model is active."""

    model = models.CharField(max_length=50, help_text="The model's name in models.toml.")
    version = models.CharField(max_length=100, unique=True)
    algorithm = models.CharField(max_length=50)
    manifest = models.JSONField(default=dict, help_text="Parameters, data window, counts, checksums, code version.")
    metrics = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)
    active = models.BooleanField(default=False, editable=False)
    damage = models.CharField(max_length=500, blank=True, editable=False, help_text="Why it was refused, if it was.")
    deleted_at = models.DateTimeField(null=True, editable=False, help_text="When its files were removed.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["model"], condition=Q(active=True), name="one_active_version_per_model")
        ]

    def __str__(self) -> str:
        return self.version


class Activation(models.Model):
    """One switch of a model from a version to another: what roll back goes by."""

    model = models.CharField(max_length=50)
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="activations")
    previous = models.ForeignKey(ModelVersion, null=True, on_delete=models.SET_NULL, related_name="+")
    reason = models.CharField(max_length=20, help_text="trained, activated or rolled back")
    by = models.CharField(max_length=150, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["model", "-id"], name="activation_latest")]

    def __str__(self) -> str:
        return f"{self.version} {self.reason}"


class TrainingRun(models.Model):
    """One training of one model: queued, claimed by a worker under a lease that it renews, and ended."""

    class Status(models.TextChoices):
        QUEUED = "queued", "queued"
        RUNNING = "running", "running"
        ACTIVATED = "activated", "trained and activated"
        KEPT = "kept", "trained, the active version is better and stays"
        REFUSED = "refused", "too little data"
        FAILED = "failed", "failed"

    model = models.CharField(max_length=50)
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    requested_by = models.CharField(max_length=150, blank=True)
    requested_at = models.DateTimeField(default=timezone.now)
    step = models.CharField(max_length=100, blank=True)
    progress = models.FloatField(default=0.0)
    worker = models.CharField(max_length=100, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    heartbeat_at = models.DateTimeField(null=True)
    lease_expires_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    message = models.TextField(blank=True)
    version = models.ForeignKey(ModelVersion, null=True, on_delete=models.SET_NULL, related_name="runs")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["model"], condition=Q(status__in=["queued", "running"]), name="one_open_run_per_model"
            )
        ]

    def __str__(self) -> str:
        return f"{self.model}: {self.get_status_display()}"
