"""Writes of the catalog. Every write puts the items it touched into the change feed."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.api.values import FieldError
from apps.catalog.category_paths import CategoryTree
from apps.catalog.change_feed import announce, catalog_identity, relay_changes
from apps.catalog.item_input import MAX_CATEGORY_DEPTH, ItemInput, ItemRejected, parse_item
from apps.catalog.item_writing import Result, check_parents, input_of, write_items
from apps.catalog.models import Category, Item

__all__ = [
    "FieldError",
    "ItemInput",
    "ItemRejected",
    "Result",
    "UnknownItem",
    "catalog_identity",
    "category_check",
    "category_delete",
    "category_save",
    "item_check",
    "item_delete",
    "item_patch",
    "items_set_available",
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


def item_check(row: ItemInput) -> None:
    """Raise ItemRejected when `items_upsert` would reject this row alone."""
    _, refused = check_parents([row])
    if refused:
        raise ItemRejected(list(refused.values()))


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
    """Delete an item: it is never shown again, its events stay. Its variants stand on their own from then on.

    False when no item ever had this id.
    """
    with transaction.atomic():
        item = Item.objects.select_for_update().filter(external_id=external_id).first()
        if item is None:
            return False
        if item.deleted_at is None:
            item.deleted_at = timezone.now()
            item.save(update_fields=["deleted_at", "updated_at"])
            orphans = list(Item.objects.filter(parent=item).values_list("pk", flat=True))
            Item.objects.filter(pk__in=orphans).update(parent=None)
            announce([item.pk, *orphans])
    return True


def items_set_available(ids: Sequence[int], *, available: bool) -> int:
    """Make items recommendable, or not; returns how many that changed. Two statements."""
    with transaction.atomic():
        chosen = (
            Item.objects.select_for_update().filter(pk__in=ids, deleted_at__isnull=True).exclude(available=available)
        )
        changed = list(chosen.order_by("external_id").values_list("pk", flat=True))
        Item.objects.filter(pk__in=changed).update(available=available, updated_at=timezone.now())
        announce(changed)
    return len(changed)


def category_save(*, external_id: str, name: str, parent_id: int | None, category_id: int | None = None) -> int:
    """Create a category, or change the one with this database id; returns that id.

    Every item in it or below is announced. Raises ValueError as `category_check` does.
    """
    with transaction.atomic():
        category_check(category_id=category_id, parent_id=parent_id)
        values = {"external_id": external_id, "name": name, "parent_id": parent_id}
        if category_id is None:
            return Category.objects.create(**values).pk
        Category.objects.filter(pk=category_id).update(**values)
        _announce_category(category_id)
    return category_id


def category_check(*, category_id: int | None, parent_id: int | None) -> None:
    """Raise ValueError when the parent is the category itself or lies below it, or the tree would get too deep."""
    tree = CategoryTree()
    above = tree.ancestry(parent_id) if parent_id is not None else []
    if category_id is not None and category_id in {node.id for node in above}:
        raise ValueError("A category cannot lie below itself.")
    if len(above) + (tree.height(category_id) if category_id is not None else 1) > MAX_CATEGORY_DEPTH:
        raise ValueError(f"The tree may have at most {MAX_CATEGORY_DEPTH} levels.")


def category_delete(category_id: int) -> None:
    """Delete a category; its items stay, without it. Raises django's ProtectedError while categories lie below it."""
    with transaction.atomic():
        _announce_category(category_id)
        Category.objects.filter(pk=category_id).delete()


def _announce_category(category_id: int) -> None:
    """Announce every item in the category or below it."""
    below = CategoryTree().subtree(category_id)
    items = Item.objects.filter(categories__in=below).order_by("id").distinct()
    announce(items.values_list("id", flat=True))
