"""The whole catalog read part by part, so that the memory it takes does not depend on what the texts weigh."""

import io
from collections.abc import Iterable
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from apps.catalog.selectors import ItemColumns
from apps.recommend.catalog.growing import Column
from apps.recommend.catalog.memberships import Memberships
from apps.recommend.catalog.texts import Texts, TextWriter
from apps.recommend.engine.field_reader import FieldReader
from apps.recommend.engine.item_fields import ItemFields
from apps.recommend.engine.types import rows_of
from apps.recommend.live_catalog import COLUMNS, LiveCatalog, category_runs, main_columns
from apps.recommend.snapshot import read_fields


class CatalogReader:
    """Collects parts of the catalog, ids ascending from part to part; their texts go to `file` at once."""

    def __init__(self, file: IO[bytes]) -> None:
        self._writer = TextWriter(file)
        self._columns: dict[str, list[NDArray[Any]]] = {name: [np.empty(0, kind)] for name, kind in COLUMNS.items()}
        self._fields = FieldReader()
        self._parent_ids: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        self._categories: list[tuple[NDArray[np.int32], NDArray[np.int64]]] = []

    def add(self, columns: ItemColumns) -> None:
        """The next part."""
        self._writer.add(columns)
        self._columns["ids"].append(columns.ids)
        for name, values in main_columns(columns).items():
            self._columns[name].append(values)
        read_fields(self._fields, columns)
        self._parent_ids.append(columns.parents)
        self._categories.append(category_runs(columns))

    def catalog(self, content: memoryview, revision: int) -> LiveCatalog:
        """What was added, as of `revision`; `content` is what the file holds now."""
        fields = ItemFields.read(self._fields)
        del self._fields  # parts are let go of as they are joined: both at once would be the most there ever is
        memberships = Memberships.of(self._categories)
        self._categories.clear()
        columns = {name: Column.of(*self._columns.pop(name)) for name in list(self._columns) if name != "parents"}
        parent_ids = np.concatenate(self._parent_ids)
        parents = rows_of(columns["ids"].values, parent_ids)
        columns["parents"] = Column.of(parents)
        missing = np.flatnonzero((parents < 0) & (parent_ids != 0))
        return LiveCatalog.new(
            columns,
            revision=revision,
            memberships=memberships,
            texts=Texts.of(self._writer.block(content, columns["ids"].values)),
            fields=fields,
            homeless=dict(zip(missing.tolist(), parent_ids[missing].tolist(), strict=True)),
        )


def in_memory(parts: Iterable[ItemColumns], revision: int) -> LiveCatalog:
    """The catalog from its parts, texts included, without files."""
    content = io.BytesIO()
    reader = CatalogReader(content)
    for part in parts:
        reader.add(part)
    return reader.catalog(memoryview(content.getvalue()), revision)
