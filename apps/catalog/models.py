"""Items, their categories, and the outbox of their changes."""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Category(models.Model):
    """A node of the shop's category tree. An item in a category is also in all of its ancestors."""

    external_id = models.CharField(max_length=255, unique=True, help_text="The shop's own id.")
    name = models.CharField(max_length=255)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")

    class Meta:
        verbose_name_plural = "categories"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Item(models.Model):
    """One thing that can be recommended.

    It can be shown when it is `available`, not deleted, in stock (stock unset counts as in stock), published
    and not expired. A deleted item keeps its row, because events refer to it.
    """

    external_id = models.CharField(max_length=255, unique=True, help_text="The shop's own id.")
    title = models.CharField(max_length=500)
    titles = models.JSONField(default=dict, blank=True, help_text='Titles per language: {"de": "Tasse"}.')
    description = models.TextField(blank=True)
    categories = models.ManyToManyField(Category, blank=True, related_name="items")
    brand = models.CharField(max_length=255, blank=True, db_index=True)
    tags = models.JSONField(default=list, blank=True)
    price = models.DecimalField(
        max_digits=14, decimal_places=4, null=True, blank=True, validators=[MinValueValidator(0)]
    )
    currency = models.CharField(max_length=3, blank=True, help_text="ISO 4217. Empty: the shop's currency.")
    prices = models.JSONField(default=dict, blank=True, help_text='Prices in other currencies: {"EUR": "12.50"}.')
    stock = models.IntegerField(null=True, blank=True, help_text="Pieces in stock. Empty: not tracked.")
    available = models.BooleanField(default=True, help_text="Off: never recommended.")
    url = models.CharField(max_length=2000, blank=True)
    image_url = models.CharField(max_length=2000, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    parent = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="variants",
        help_text="The item this one is a variant of.",
    )
    attributes = models.JSONField(default=dict, blank=True, help_text="Anything else, as JSON.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(price__isnull=True) | Q(price__gte=0), name="item_price_not_negative"),
        ]

    def __str__(self) -> str:
        return self.title or self.external_id


class ItemChange(models.Model):
    """Outbox: an item was written. Gets its `revision` after commit, so revisions follow commit order."""

    item_id = models.BigIntegerField()
    revision = models.BigIntegerField(null=True, unique=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["id"], condition=Q(revision__isnull=True), name="item_change_pending"),
            models.Index(fields=["item_id"], name="item_change_item"),
        ]

    def __str__(self) -> str:
        return f"item {self.item_id} at revision {self.revision}"


class CatalogIdentity(models.Model):
    """One row, which says which catalog this is: another database, or this one emptied, has another."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    identity = models.CharField(max_length=32)

    class Meta:
        verbose_name_plural = "catalog identities"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="catalog_identity_is_one_row")]

    def __str__(self) -> str:
        return self.identity
