"""Items in the rows of a file."""

from collections.abc import Iterator
from typing import Any

from django.db import transaction

from apps.catalog.importing.columns import ColumnMap
from apps.catalog.importing.rows import Row, Table
from apps.catalog.importing.storing import KNOWN, STORED, Entry, Outcome
from apps.catalog.importing.values import BadValue, json_object, missing, text, texts
from apps.catalog.item_input import ITEM_FIELDS, ItemInput, ItemRejected, parse_item
from apps.catalog.services import Result, items_upsert

OTHER_NAMES = {"external_id": "item_id", "id": "item_id", "name": "title", "category": "categories"}

_TEXTS = frozenset({"item_id", "parent_id", "title", "description", "brand", "currency", "url", "image_url"})
_OBJECTS = frozenset({"titles", "prices", "attributes"})


def item_columns(*, maps: list[str], constants: list[str], table: Table) -> ColumnMap:
    """The columns of a file of items. Raises UnreadableFile for a mapping that does not fit."""
    return ColumnMap(ITEM_FIELDS, maps=maps, constants=constants, other_names=OTHER_NAMES, sparse=table.sparse)


def item_entries(table: Table, columns: ColumnMap) -> Iterator[Entry[ItemInput]]:
    """Every row as an item, or with the reason why it is none.

    Of rows that say different things about one item the first is taken and the others are refused, so that
    importing a file twice changes nothing. Memory: an entry for each item id.
    """
    seen: dict[str, tuple[int, int]] = {}
    for row in table.rows(label="items"):
        if row.problem:
            yield Entry(row, None, row.problem)
            continue
        try:
            cells = {field: _value(field, cell) for field, cell in columns.pick(row).items() if not missing(cell)}
            item = parse_item(cells)
        except (BadValue, ItemRejected) as error:
            yield Entry(row, None, str(error))
            continue
        content = hash(repr(item))
        line, first = seen.setdefault(item.item_id, (row.line, content))
        if content == first:
            yield Entry(row, item)
        else:
            yield Entry(row, None, f"item_id: line {line} says something else about {item.item_id!r}")


def item_entry(line: int, fields: dict[str, Any]) -> Entry[ItemInput]:
    """An item made from the fields of the API's names; None and '' count as left out."""
    row = Row(line, fields)
    try:
        return Entry(row, parse_item({name: value for name, value in fields.items() if value not in (None, "")}))
    except ItemRejected as error:
        return Entry(row, None, str(error))


def items_store(items: list[ItemInput]) -> list[Outcome]:
    """Store one chunk of items in one transaction."""
    with transaction.atomic():
        return [_outcome(result) for result in items_upsert(items)]


def _outcome(result: Result) -> Outcome:
    if result.status == "unchanged":
        return KNOWN
    if result.status != "rejected":
        return STORED
    reason = "; ".join(f"{error.field}: {error.detail}" for error in result.errors)
    waits = any(error.field == "parent_id" for error in result.errors)
    return Outcome("later" if waits else "rejected", reason)


def _value(field: str, cell: Any) -> Any:
    try:
        if field in _TEXTS:
            return text(cell)
        if field in _OBJECTS:
            return json_object(cell)
        if field == "tags":
            return texts(cell)
        if field == "categories":
            return _categories(cell)
    except BadValue as error:
        raise BadValue(f"{field}: {error}") from None
    return cell.strip() if isinstance(cell, str) else cell


def _categories(cell: Any) -> list[Any]:
    """Paths such as 'Kitchen > Mugs', several with '|' between them, or a list of paths, also as JSON."""
    if isinstance(cell, list) and any(isinstance(path, list) for path in cell):
        return cell
    return texts(cell)
