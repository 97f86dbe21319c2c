"""Events: what users did, and what each type of event is worth."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from apps.interactions.event_types import TASTE_CODES_END


class EventType(models.Model):
    """A canonical event type. Rows are fixed; what each is worth is the merchandiser's to say."""

    id = models.SmallIntegerField(primary_key=True)
    name = models.CharField(max_length=32, unique=True, editable=False)
    taste = models.BooleanField(
        editable=False, help_text="Taste events move a user's recommendations; the others are only counted."
    )
    weight = models.FloatField(help_text="How strongly one event speaks for the item; negative: against it.")
    half_life_days = models.FloatField(
        validators=[MinValueValidator(0.01)], help_text="Days after which the event counts half as much."
    )
    description = models.CharField(max_length=200, editable=False)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name


class Event(models.Model):
    """One thing a user did, once. `event_id` is the caller's, or drawn when it sent none."""

    # Unique by a constraint: `unique=True` would add a second, pattern-matching index on PostgreSQL.
    event_id = models.CharField(max_length=160)
    # Without constraints in the database: PostgreSQL checks them row by row, which took longer than all the rest
    # of an insert. Rows of users, items and types stay when they are deleted, and PROTECT holds in Django.
    user = models.ForeignKey(
        "users.User", on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    visitor = models.ForeignKey(
        "users.User",
        null=True,
        blank=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
        help_text="The visitor who did it, where they have been merged into the user since or before.",
    )
    item = models.ForeignKey(
        "catalog.Item", null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    event_type = models.ForeignKey(
        EventType, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    occurred_at = models.DateTimeField(db_index=True)
    received_at = models.DateTimeField(default=timezone.now)
    session_id = models.CharField(max_length=255, blank=True)
    session_key = models.BigIntegerField(
        default=0, editable=False, help_text="64-bit hash of user and session, 0 for none: training groups by it."
    )
    value = models.DecimalField(
        max_digits=16, decimal_places=4, null=True, blank=True, help_text="Unit price, or the rating of a rate event."
    )
    currency = models.CharField(max_length=3, blank=True)
    quantity = models.PositiveIntegerField(default=1)
    properties = models.JSONField(null=True, blank=True, help_text="Search query, context, anything else sent.")

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["event_id"], name="event_stored_once")]
        # Two halves, so that a user's latest taste is found without passing over thousands of impressions,
        # while every event is still in exactly one index by user.
        indexes = [
            models.Index(
                fields=["user", "-occurred_at"],
                condition=Q(event_type__lt=TASTE_CODES_END),
                name="event_user_taste",
            ),
            models.Index(
                fields=["user", "-occurred_at"],
                condition=Q(event_type__gte=TASTE_CODES_END),
                name="event_user_other",
            ),
        ]

    def __str__(self) -> str:
        return self.event_id


class Attribution(models.Model):
    """The recommendation that led to an event, as its entry token says."""

    event = models.OneToOneField(Event, primary_key=True, on_delete=models.CASCADE, related_name="attribution")
    recomm_id = models.UUIDField(db_index=True)
    placement = models.CharField(max_length=50, blank=True)
    plan_digest = models.CharField(max_length=16, blank=True)
    variant = models.CharField(max_length=50, blank=True)
    model_version = models.CharField(max_length=100, blank=True)
    position = models.PositiveSmallIntegerField(null=True)
    source = models.CharField(max_length=50, blank=True)
    propensity = models.FloatField(null=True)
    policy_state = models.BigIntegerField(null=True)

    class Meta:
        verbose_name_plural = "attributions"

    def __str__(self) -> str:
        return f"{self.placement} #{self.position}"
