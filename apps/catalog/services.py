"""Writes of the catalog. Every write puts the items it touched into the change feed."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.api.values import FieldError
from apps.catalog.change_feed import announce, relay_changes
from apps.catalog.item_input import ItemInput, ItemRejected, parse_item
from apps.catalog.item_writing import Result, input_of, write_items
from apps.catalog.models import Category, Item

__all__ = [
    "FieldError",
    "ItemInput",
    "ItemRejected",
    "Result",
    "UnknownItem",
    "category_moved",
    "item_delete",
    "item_patch",
    "items_upsert",
    "parse_item",
    "relay_changes",
]


class UnknownItem(LookupError):
    """No item has this id, or it was deleted."""


def items_upsert(rows: Sequence[ItemInput]) -> list[Result]:
    """Create the items, or replace those whose id is known; one result a row, in order.

    Rows with the same id act one after the other. A parent may come anywhere in `rows`, or be known already;
    otherwise its variant is rejected. Categories are created by path. What changes nothing writes nothing.
    Each 1,000 rows are a transaction with a fixed number of queries, of about 0.1 s.
    """
    return write_items(rows)


def item_patch(external_id: str, changes: Mapping[str, Any]) -> Result:
    """Change the named fields of one item; null resets a field.

    Raises UnknownItem, and ItemRejected naming the fields that cannot be accepted.
    """
    with transaction.atomic():
        item = (
            Item.objects.select_for_update(of=("self",))
            .select_related("parent")
            .filter(external_id=external_id, deleted_at__isnull=True)
            .first()
        )
        if item is None:
            raise UnknownItem(external_id)
        categories = item.categories.values_list("external_id", flat=True)
        row = parse_item(input_of(item, list(categories)) | dict(changes))
        if row.item_id != external_id:
            raise ItemRejected([FieldError("item_id", "An item's id cannot be changed.")])
        [result] = write_items([row])
    if result.errors:
        raise ItemRejected(result.errors)
    return result


def item_delete(external_id: str) -> bool:
    """Delete an item: it is never shown again, its events stay. False when no item ever had this id."""
    with transaction.atomic():
        item = Item.objects.select_for_update().filter(external_id=external_id).first()
        if item is None:
            return False
        if item.deleted_at is None:
            item.deleted_at = timezone.now()
            item.save(update_fields=["deleted_at", "updated_at"])
            announce([item.pk])
    return True


def category_moved(category_id: int) -> None:
    """Announce every item in the category or below it, after its place or name changed. Call it in a transaction."""
    below = {category_id}
    fresh = below
    while fresh:
        fresh = set(Category.objects.filter(parent_id__in=fresh).values_list("id", flat=True)) - below
        below |= fresh
    announce(Item.objects.filter(categories__in=below).order_by("id").distinct().values_list("id", flat=True))
