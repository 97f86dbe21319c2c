"""Reads of the catalog. Ids without further name are database ids; external ids are the shop's own."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from django.db.models import F, Max, QuerySet

from apps.catalog.category_paths import CategoryNode, CategoryTree
from apps.catalog.change_feed import feed_has, feed_marks
from apps.catalog.item_columns import NEVER, ItemColumns, read_columns
from apps.catalog.models import Category, Item, ItemChange
from apps.catalog.prices import price_text

__all__ = [
    "NEVER",
    "CategoryNode",
    "CategoryTree",
    "ItemColumns",
    "ItemFacts",
    "categories_listed",
    "category_id_of",
    "category_tree",
    "changed_since",
    "changes_pending",
    "external_ids_of",
    "feed_has",
    "feed_marks",
    "item_columns",
    "item_columns_by_part",
    "item_count_reaches",
    "item_facts",
    "item_ids_of",
    "items_listed",
    "latest_revision",
    "price_text",
]

T = TypeVar("T")

_CHUNK = 10_000  # ids in one query; SQLite takes 32,766, PostgreSQL 65,535


@dataclass(frozen=True)
class ItemFacts:
    """One item, as the API shows it. Categories are paths."""

    item_id: str
    title: str
    titles: dict[str, str]
    description: str
    categories: list[str | list[str]]
    brand: str
    tags: list[str]
    price: Decimal | None
    currency: str
    prices: dict[str, str]
    stock: int | None
    available: bool
    url: str
    image_url: str
    published_at: datetime | None
    expires_at: datetime | None
    parent_id: str
    attributes: dict[str, Any]
    created_at: datetime
    updated_at: datetime


def item_ids_of(external_ids: Sequence[str], *, deleted: bool = False) -> dict[str, int]:
    """Database ids of the shop's ids; unknown ones are left out, and deleted ones unless `deleted`."""
    found: dict[str, int] = {}
    for chunk in _chunks(external_ids):
        items = Item.objects.filter(external_id__in=chunk)
        if not deleted:
            items = items.filter(deleted_at__isnull=True)
        found.update(items.order_by().values_list("external_id", "id"))
    return found


def external_ids_of(ids: Sequence[int]) -> dict[int, str]:
    """The shop's ids of database ids, deleted items included; unknown ones are left out."""
    found: dict[int, str] = {}
    for chunk in _chunks(ids):
        found.update(Item.objects.filter(id__in=chunk).order_by().values_list("id", "external_id"))
    return found


def latest_revision() -> int:
    """The newest revision of the change feed; 0 when nothing was ever written. One index lookup."""
    return ItemChange.objects.filter(revision__isnull=False).aggregate(latest=Max("revision"))["latest"] or 0


def changes_pending() -> bool:
    """Whether a committed change still waits for its revision: its writer is at it, or died. One index lookup."""
    return ItemChange.objects.filter(revision__isnull=True).exists()


def changed_since(revision: int, limit: int = 10_000) -> list[tuple[int, int]]:
    """(revision, item id) of the changes after `revision`, oldest first, at most `limit` of them.

    An item that changed again since appears once, at its latest revision.
    """
    changes = ItemChange.objects.filter(revision__gt=revision).order_by("revision")
    return [(at, item_id) for at, item_id in changes.values_list("revision", "item_id")[:limit] if at is not None]


def item_columns(ids: Sequence[int] | None = None, *, texts: bool = False) -> ItemColumns:
    """The given items, or all, as columns. `texts` adds what a content model reads: costs a second pass of text."""
    if ids is None:
        return read_columns(Item.objects.all(), texts=texts)
    if len(ids) <= _CHUNK:
        return read_columns(Item.objects.filter(id__in=[int(one) for one in ids]), texts=texts)
    wanted = sorted({int(one) for one in ids})
    return ItemColumns.joined(
        [read_columns(Item.objects.filter(id__in=chunk), texts=texts) for chunk in _chunks(wanted)]
    )


def item_columns_by_part(size: int = 10_000) -> Iterator[ItemColumns]:
    """All items as columns, `size` at a time, ids ascending from part to part. Four queries a part.

    Parts are as of when each is read: whoever needs them all as of one moment follows the changes since then.
    """
    last = 0
    while True:
        ends = Item.objects.filter(id__gt=last).order_by("id").values_list("id", flat=True)
        end = ends[size - 1 : size].first()
        part = Item.objects.filter(id__gt=last)
        columns = read_columns(part if end is None else part.filter(id__lte=end), texts=False)
        if len(columns):
            yield columns
            last = int(columns.ids[-1])
        if end is None:
            return


def item_count_reaches(count: int) -> bool:
    """Whether there are that many items, deleted ones included. Reads no more than `count` entries of an index."""
    return Item.objects.order_by("id").values_list("id")[count - 1 : count].exists()


def category_id_of(external_id: str) -> int | None:
    """The category with this id, else the one with this name in any case; None when there is none.

    Of several with one name, the one highest in the tree, then the oldest.
    """
    if "\x00" in external_id:  # PostgreSQL refuses to look for it
        return None
    exact = Category.objects.filter(external_id=external_id).values_list("id", flat=True).first()
    if exact is not None:
        return exact
    named = Category.objects.filter(name__iexact=external_id)
    return named.order_by(F("parent_id").asc(nulls_first=True), "id").values_list("id", flat=True).first()


def category_tree() -> CategoryTree:
    """All categories, indexed. One query."""
    return CategoryTree()


def item_facts(external_id: str) -> ItemFacts | None:
    """One item, None when it is unknown or deleted. Three queries."""
    if "\x00" in external_id:
        return None
    rows = facts_of(items_listed().filter(external_id=external_id))
    return rows[0] if rows else None


def items_listed() -> QuerySet[Item]:
    """Items that are not deleted, for a page of the API or the admin."""
    return Item.objects.filter(deleted_at__isnull=True)


def categories_listed() -> QuerySet[Category]:
    """All categories, for a page of the API."""
    return Category.objects.select_related("parent")


def facts_of(items: "QuerySet[Item] | Iterable[Item]") -> list[ItemFacts]:
    """The items as the API shows them. Three queries for any number of them."""
    if isinstance(items, QuerySet):
        items = items.select_related("parent")
    rows = list(items)
    paths: dict[int, list[int]] = {}
    pairs = Item.categories.through.objects.filter(item_id__in=[item.pk for item in rows]).order_by("id")
    for item_id, category_id in pairs.values_list("item_id", "category_id"):
        paths.setdefault(item_id, []).append(category_id)
    tree = CategoryTree() if paths else None
    return [
        ItemFacts(
            item_id=item.external_id,
            title=item.title,
            titles=item.titles,
            description=item.description,
            categories=[tree.path_names(one) for one in paths.get(item.pk, ())] if tree else [],
            brand=item.brand,
            tags=item.tags,
            price=item.price,
            currency=item.currency,
            prices=item.prices,
            stock=item.stock,
            available=item.available,
            url=item.url,
            image_url=item.image_url,
            published_at=item.published_at,
            expires_at=item.expires_at,
            parent_id=item.parent.external_id if item.parent else "",
            attributes=item.attributes,
            created_at=item.created_at,
            updated_at=item.updated_at,
        )
        for item in rows
    ]


def _chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
