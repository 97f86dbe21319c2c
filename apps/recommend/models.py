"""Placements, model versions and training runs."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Placement(models.Model):
    """A named spot in the shop. It points to a pipeline and to what answers when that falls short."""

    class PageType(models.TextChoices):
        HOME = "home", "Home page"
        ITEM = "item", "Item page"
        CATEGORY = "category", "Category page"
        CART = "cart", "Cart"
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
    active = models.BooleanField(default=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["key"]

    def __str__(self) -> str:
        return self.label or self.key


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
