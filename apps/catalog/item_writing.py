"""Writing many items at once: what changed is found and written with a fixed number of statements a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from django.db import transaction
from django.utils import timezone

from apps.api.values import FieldError
from apps.catalog.bulk_sql import insert_rows
from apps.catalog.category_paths import category_ids_for
from apps.catalog.change_feed import announce
from apps.catalog.item_input import ItemInput
from apps.catalog.models import Item
from apps.catalog.prices import price_text

Status = Literal["created", "updated", "unchanged", "rejected"]

BATCH = 1000

# The columns an ItemInput decides, in one order for reading, comparing and writing.
COLUMNS = (
    "title", "titles", "description", "brand", "tags", "price", "currency", "prices", "stock", "available",
    "url", "image_url", "published_at", "expires_at", "parent_id", "attributes",
)  # fmt: skip
_FIELDS = [name.removesuffix("_id") for name in COLUMNS]


@dataclass(frozen=True)
class Result:
    """What became of one entry. `errors` say why it was rejected."""

    item_id: str
    status: Status
    errors: tuple[FieldError, ...] = ()


@dataclass(frozen=True)
class _Stored:
    """An item as the database has it."""

    id: int
    deleted_at: datetime | None
    created_at: datetime
    values: tuple[Any, ...]


def write_items(rows: Sequence[ItemInput]) -> list[Result]:
    """Create or replace items; one result a row, in order. See `services.items_upsert`."""
    results: dict[int, Result] = {}
    for turn in _turns(rows):
        # A parent must exist before its variants; no variant is a parent, so two passes suffice.
        for variants in (False, True):
            positions = [i for i in turn if bool(rows[i].parent_id) is variants]
            for start in range(0, len(positions), BATCH):
                batch = positions[start : start + BATCH]
                results |= zip(batch, _write_batch([rows[i] for i in batch]), strict=True)
    return [results[i] for i in range(len(rows))]


def _turns(rows: Sequence[ItemInput]) -> list[list[int]]:
    """Positions of `rows`, split so that no turn holds an item twice: repeats are written one after another."""
    seen: dict[str, int] = {}
    turns: list[list[int]] = []
    for position, row in enumerate(rows):
        turn = seen.get(row.item_id, 0)
        seen[row.item_id] = turn + 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(position)
    return turns


def _write_batch(rows: Sequence[ItemInput]) -> list[Result]:
    with transaction.atomic():
        parents, refused = check_parents(rows)
        accepted = [row for row in rows if row.item_id not in refused]
        stored = _stored([row.item_id for row in accepted])
        category_ids = category_ids_for({path for row in accepted for path in row.categories})
        wanted = {row.item_id: list(dict.fromkeys(category_ids[one] for one in row.categories)) for row in accepted}
        current = _current_categories([item.id for item in stored.values()])

        statuses: dict[str, Status] = {}
        changed: list[tuple[Any, ...]] = []
        recategorised: list[str] = []
        now = timezone.now()
        for row in accepted:
            old = stored.get(row.item_id)
            values = _values(row, parents.get(row.parent_id))
            moved = set(wanted[row.item_id]) != (current.get(old.id, set()) if old else set())
            statuses[row.item_id] = status = _status(old, same=old is not None and not moved and values == old.values)
            if moved:
                recategorised.append(row.item_id)
            if status != "unchanged":
                created_at = old.created_at if old and status == "updated" else now
                changed.append((row.item_id, *values, created_at, now, None))
        if changed:
            _save(changed, recategorised, wanted)
    return [
        Result(row.item_id, "rejected", (refused[row.item_id],))
        if row.item_id in refused
        else Result(row.item_id, statuses[row.item_id])
        for row in rows
    ]


def check_parents(rows: Sequence[ItemInput]) -> tuple[dict[str, int], dict[str, FieldError]]:
    """Database ids of the rows' parents, and, by item id, what is wrong with the rows whose parent will not do."""
    asked = {row.parent_id for row in rows if row.parent_id}
    if not asked:
        return {}, {}
    found = {
        external_id: (pk, grandparent)
        for external_id, pk, grandparent in Item.objects.filter(
            external_id__in=asked, deleted_at__isnull=True
        ).values_list("external_id", "id", "parent_id")
    }
    becoming_variants = {row.item_id for row in rows}
    variants = Item.objects.filter(parent__external_id__in=becoming_variants, deleted_at__isnull=True)
    with_variants = set(variants.values_list("parent__external_id", flat=True))
    refused = {}
    for row in rows:
        if row.parent_id not in found:
            refused[row.item_id] = FieldError("parent_id", f"There is no item {row.parent_id!r}.")
        elif row.item_id in with_variants:
            refused[row.item_id] = FieldError("parent_id", "This item has variants, so it cannot be one itself.")
        elif found[row.parent_id][1] is not None or row.parent_id in becoming_variants:
            refused[row.item_id] = FieldError(
                "parent_id", f"Item {row.parent_id!r} is itself a variant; name the item above it."
            )
    return {external_id: pk for external_id, (pk, _) in found.items()}, refused


def _stored(external_ids: Sequence[str]) -> dict[str, _Stored]:
    # Locked in one order, so that two overlapping batches wait for each other instead of deadlocking.
    rows = (
        Item.objects.select_for_update(of=("self",))
        .filter(external_id__in=external_ids)
        .order_by("external_id")
        .values_list("external_id", "id", "deleted_at", "created_at", *COLUMNS)
    )
    return {row[0]: _Stored(row[1], row[2], row[3], row[4:]) for row in rows}


def _current_categories(item_ids: Sequence[int]) -> dict[int, set[int]]:
    current: dict[int, set[int]] = {}
    pairs = Item.categories.through.objects.filter(item_id__in=item_ids).values_list("item_id", "category_id")
    for item_id, category_id in pairs:
        current.setdefault(item_id, set()).add(category_id)
    return current


def _values(row: ItemInput, parent: int | None) -> tuple[Any, ...]:
    return (
        row.title, row.titles, row.description, row.brand, list(row.tags), row.price, row.currency,
        {currency: price_text(price) for currency, price in row.prices.items()}, row.stock, row.available,
        row.url, row.image_url, row.published_at, row.expires_at, parent, row.attributes,
    )  # fmt: skip


def _status(old: _Stored | None, *, same: bool) -> Status:
    if old is None or old.deleted_at is not None:
        return "created"
    return "unchanged" if same else "updated"


def _save(rows: list[tuple[Any, ...]], recategorised: Sequence[str], wanted: dict[str, list[int]]) -> None:
    rows.sort(key=lambda row: row[0])
    written = [*_FIELDS, "created_at", "updated_at", "deleted_at"]
    insert_rows(Item, ["external_id", *written], rows, unique="external_id", replaced=written)
    ids = dict(Item.objects.filter(external_id__in=[row[0] for row in rows]).values_list("external_id", "id"))
    if recategorised:
        through = Item.categories.through
        through.objects.filter(item_id__in=[ids[external_id] for external_id in recategorised]).delete()
        pairs = [(ids[one], category_id) for one in recategorised for category_id in wanted[one]]
        insert_rows(through, ["item", "category"], pairs)
    announce(sorted(ids.values()))


def input_of(item: Item, categories: Sequence[str]) -> dict[str, Any]:
    """A stored item as the mapping `parse_item` reads; `categories` are external ids."""
    values = {name: getattr(item, name) for name in COLUMNS}
    values["parent_id"] = item.parent.external_id if item.parent else ""
    price: Decimal | None = item.price
    return values | {"item_id": item.external_id, "price": price, "categories": [[one] for one in categories]}
