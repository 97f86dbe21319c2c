"""Rows to engine types: the only translator between the database and the engine.

Events are read as chunks of columns; there is no Python object per event on the way.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from django.utils import timezone
from numpy.typing import NDArray
from scipy import sparse

from apps.catalog import selectors as catalog
from apps.interactions import selectors as events
from apps.recommend.engine.field_reader import FieldReader
from apps.recommend.engine.item_fields import ItemFields
from apps.recommend.engine.types import EventWorth, Follows, Interactions, Items, Rows, rows_of
from apps.users.selectors import follow_columns


@dataclass(frozen=True)
class Snapshot:
    """What the shop knew at `taken_at` (seconds since 1970), read when it is first asked for and kept.

    Several models can be trained on one snapshot.
    """

    taken_at: int

    @classmethod
    def now(cls) -> "Snapshot":
        return cls(taken_at=int(timezone.now().timestamp()) + 1)  # the second that is running belongs to it

    @cached_property
    def interactions(self) -> Interactions:
        return interactions(until=self.taken_at)

    def interactions_for(self, *algorithms: Any) -> Interactions:
        """`interactions`, and who follows whom where one of the algorithms (or their classes) reads that."""
        reads_follows = any(getattr(algorithm, "reads_follows", False) for algorithm in algorithms)
        return self._interactions_and_follows if reads_follows else self.interactions

    @cached_property
    def _interactions_and_follows(self) -> Interactions:
        return replace(self.interactions, follows=follows(until=self.taken_at))

    @cached_property
    def items(self) -> Items:
        """The catalog without texts."""
        return items()

    @cached_property
    def items_with_texts(self) -> Items:
        return items(texts=True)


def interactions(*, until: int | None = None, since: int | None = None) -> Interactions:
    """Every event with a user and an item at or after `since` and before `until` (seconds since 1970; now).

    They are seen from the last of them: where a shop's log has been silent for years, decay would leave nothing.
    Costs about 35 bytes an event, three times that while columns are being put together.
    """
    columns = _columns(events.event_columns(until=until, since=since))
    user_ids, users = _dense(columns.pop("user_ids"))
    item_ids, item_rows = _dense(columns.pop("item_ids"))
    times = columns.pop("times")
    return Interactions(
        user_ids=user_ids,
        item_ids=item_ids,
        users=users,
        items=item_rows,
        sessions=_dense_sessions(columns.pop("session_keys")),
        types=columns.pop("types"),
        times=times,
        quantities=columns.pop("quantities"),
        values=columns.pop("values"),
        worth=worth(),
        as_of=int(times.max(initial=0)) + 1,
    )


_COLUMNS: dict[str, Any] = {
    "user_ids": np.int64,
    "item_ids": np.int64,
    "session_keys": np.int64,
    "types": np.int16,
    "times": np.int64,
    "quantities": np.int32,
    "values": np.float32,
}


def _columns(chunks: Iterator[events.EventColumns]) -> dict[str, NDArray[Any]]:
    """All chunks joined, without the events that are about no item; each column's chunks are let go once joined."""
    parts: dict[str, list[NDArray[Any]]] = {name: [np.empty(0, dtype)] for name, dtype in _COLUMNS.items()}
    for chunk in chunks:
        keep = chunk.item_ids > 0
        whole = bool(keep.all())
        for name in _COLUMNS:
            column = getattr(chunk, name)
            parts[name].append(column if whole else column[keep])
    return {name: np.concatenate(parts.pop(name)) for name in _COLUMNS}


def _dense(ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], Rows]:
    """The different ids, ascending, and which of them each entry is. Database ids need no sorting: O(n + max id)."""
    if len(ids) and ids.min() >= 0 and ids.max() < 4 * len(ids) + 1_000_000:
        occurs = np.zeros(int(ids.max()) + 1, dtype=bool)
        occurs[ids] = True
        row_of = np.cumsum(occurs, dtype=np.int32) - np.int32(1)
        return np.flatnonzero(occurs), row_of[ids]
    unique, rows = np.unique(ids, return_inverse=True)
    dense: Rows = rows.astype(np.int32)
    return unique, dense


def _dense_sessions(keys: NDArray[np.int64]) -> Rows:
    """Sessions numbered from 0, -1 where an event has none (key 0)."""
    unique, rows = _dense(keys)
    nowhere = int(np.searchsorted(unique, 0))
    if nowhere < len(unique) and unique[nowhere] == 0:
        none = rows == nowhere
        rows[rows > nowhere] -= 1
        rows[none] = -1
    return rows


def follows(*, until: int | None = None) -> Follows:
    """Who follows whom, since before `until` (seconds since 1970; now). About 2 µs and 24 bytes a follow."""
    columns = follow_columns(until=until)
    return Follows(followers=columns.followers, followed=columns.followed, times=columns.times)


def items(*, texts: bool = False) -> Items:
    """The whole catalog, deleted items included (as not available), because events refer to them."""
    columns = catalog.item_columns(texts=texts)
    return items_of(
        ids=columns.ids,
        available=columns.available,
        price=columns.price,
        published=columns.published,
        parent_ids=columns.parents,
        category_pairs=columns.category_pairs,
        texts=columns.texts,
        brands=brand_numbers(columns.brand),
    )


def items_of(
    *,
    ids: NDArray[np.int64],
    available: NDArray[np.bool_],
    price: NDArray[np.float64],
    published: NDArray[np.int64],
    parent_ids: NDArray[np.int64],
    category_pairs: NDArray[np.int64],
    texts: Sequence[str] | None = None,
    brands: NDArray[np.int64] | None = None,
    fields: ItemFields | None = None,
) -> Items:
    """Catalog columns as the engine reads them: `category_pairs` (item id, category id) and parents become rows."""
    category_ids, category_rows = np.unique(category_pairs[:, 1], return_inverse=True)
    item_rows = rows_of(ids, category_pairs[:, 0])
    categories = sparse.csr_matrix(
        (np.ones(len(item_rows), np.float32), (item_rows, category_rows)), shape=(len(ids), len(category_ids))
    )
    return Items(
        ids=ids,
        available=available,
        price=price,
        published=published,
        categories=categories,
        category_ids=category_ids,
        parents=rows_of(ids, parent_ids),
        texts=texts,
        brands=brands,
        fields=fields,
    )


def read_fields(reader: FieldReader, columns: catalog.ItemColumns) -> None:
    """Add the next items of the catalog to the fields that are being read."""
    reader.add(
        ids=columns.ids,
        brands=columns.brand,
        stock=columns.stock,
        tags=columns.tags,
        attributes=columns.attributes,
        category_pairs=columns.category_pairs,
        category_names=columns.category_names,
    )


def fields_of(columns: catalog.ItemColumns) -> ItemFields:
    """The fields of these items alone."""
    reader = FieldReader()
    read_fields(reader, columns)
    return ItemFields.read(reader)


def brand_numbers(names: Sequence[str]) -> NDArray[np.int64]:
    """A number for each brand's name, the same in any case and with any spaces around it; -1 for no brand.

    It depends on the name alone, so that items can be added one by one.
    """
    numbers = {name: _brand_number(name.strip().casefold()) for name in set(names)}
    return np.array([numbers[name] for name in names], dtype=np.int64)


def _brand_number(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") >> 1 if name else -1


def worth() -> dict[int, EventWorth]:
    """What each type of event says about taste, by its code, as the merchandiser has set it."""
    return {
        code: EventWorth(worth.name, worth.taste, worth.weight, worth.half_life_days)
        for code, worth in events.event_worth().items()
    }
