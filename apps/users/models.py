"""Users (people and anonymous visitors) and the keys that shops call us with."""

from django.db import models
from django.utils import timezone


class User(models.Model):
    """A person or an anonymous visitor, known by the shop's own external id. Not an account of this application."""

    external_id = models.CharField(max_length=255, unique=True, help_text="The shop's own id.")
    anonymous = models.BooleanField(default=False, help_text="A visitor who has not signed in.")
    personalised = models.BooleanField(
        default=True, help_text="Off: the user asked for recommendations that do not depend on them."
    )
    attributes = models.JSONField(default=dict, blank=True)
    taste_revision = models.BigIntegerField(
        default=0, editable=False, help_text="Grows with every event that moves this user's recommendations."
    )
    merged_into = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="The person whom this visitor turned out to be, whatever led there.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_seen_at = models.DateTimeField(null=True, blank=True, editable=False)
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.external_id


class Merge(models.Model):
    """A visitor turned out to be somebody: what has to be known to undo that."""

    visitor = models.OneToOneField(User, primary_key=True, on_delete=models.CASCADE, related_name="+")
    # Not always the visitor's `merged_into`: a visitor they were merged into may since have been merged further.
    into = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    moved = models.JSONField(default=dict, help_text="What was moved, by the name of who holds it.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return f"{self.visitor} is {self.into}"


class Follow(models.Model):
    """One user follows another: what the other wants may be recommended to them."""

    follower = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    followed = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["follower", "followed"], name="follow_once"),
            models.CheckConstraint(condition=~models.Q(follower=models.F("followed")), name="follow_somebody_else"),
        ]

    def __str__(self) -> str:
        return f"{self.follower} follows {self.followed}"


class ApiKey(models.Model):
    """A bearer key. Only its SHA-256 is stored; the key itself is shown once, on creation."""

    class Kind(models.TextChoices):
        SECRET = "secret", "secret (server)"
        PUBLIC = "public", "public (browser)"

    name = models.CharField(max_length=100, help_text="What the key is for.")
    kind = models.CharField(max_length=6, choices=Kind, default=Kind.SECRET)
    prefix = models.CharField(max_length=16, editable=False, help_text="The key's first characters.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=list, blank=True)
    allowed_origins = models.JSONField(
        default=list, blank=True, help_text='Public keys only: origins that may use it, or ["*"].'
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
