"""The catalog as this process serves it: columns, followed by revision.

A `LiveCatalog` never changes; `patched` makes the next one, which shares with it whatever is the same. Rows are
stable: within an `epoch` a row never becomes another item's, and new items come after all others. Strings live in
one block of bytes, not in Python objects per item; see `catalog.store` for large catalogs in memory-mapped files.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from apps.catalog.selectors import NEVER, ItemColumns, price_text
from apps.recommend.asking import Card
from apps.recommend.catalog import texts
from apps.recommend.catalog.growing import Column
from apps.recommend.catalog.memberships import Memberships
from apps.recommend.catalog.texts import Texts
from apps.recommend.engine.item_fields import ItemFields
from apps.recommend.engine.types import Ids, Items, Mask, Rows, Times, rows_of
from apps.recommend.snapshot import brand_numbers, fields_of

if TYPE_CHECKING:
    from apps.recommend.catalog.generations import Generation

COLUMNS: Mapping[str, Any] = MappingProxyType(
    {
        "ids": np.int64,
        "available": np.bool_,  # and not deleted
        "living": np.bool_,  # not deleted
        "price": np.float64,  # NaN: none
        "published": np.int64,
        "expires": np.int64,
        "parents": np.int32,  # rows, -1: none, or not here yet
        "brands": np.int64,  # see `brand_numbers`
    }
)

_WHEN_SHOWN = ("available", "published", "expires")

_CARDS = 8_192  # items whose cards a process remembers, about 1 kB each

_epochs = count(1)


class _Shown(NamedTuple):
    """Which items may be shown from `since` until before `until`: nothing is published or expires between."""

    mask: Mask
    since: int
    until: int


@dataclass(frozen=True, eq=False)
class LiveCatalog:
    """Columns over all items, deleted ones included (never available), by ascending id; `revision` says as of when."""

    revision: int
    epoch: int  # unique in this process
    columns: Mapping[str, Column]  # as in COLUMNS
    memberships: Memberships
    texts: Texts
    fields: ItemFields
    homeless: Mapping[int, int]  # by row: the id of a parent that is not here yet
    drift: int = 0  # items that changed since the columns were read or opened
    stored: "Generation | None" = None  # what this one grew out of, where it is kept in files
    _shown: list[_Shown] = field(default_factory=list)  # one or none; shared where nothing about it changed

    @classmethod
    def of(cls, columns: ItemColumns, revision: int) -> "LiveCatalog":
        """The catalog that `columns` describes, in memory."""
        from apps.recommend.catalog.reading import in_memory

        return in_memory([columns], revision)

    @classmethod
    def new(cls, columns: Mapping[str, Column], **parts: Any) -> "LiveCatalog":
        """A catalog in an epoch of its own."""
        return cls(epoch=next(_epochs), columns=MappingProxyType(dict(columns)), **parts)

    def __len__(self) -> int:
        return len(self.columns["ids"])

    @property
    def ids(self) -> Ids:
        """The items' database ids, ascending."""
        return self.columns["ids"].values

    @property
    def available(self) -> Mask:
        """Which items are available, whenever they are published or expire."""
        return self.columns["available"].values

    @property
    def living(self) -> Mask:
        """Which items are not deleted."""
        return self.columns["living"].values

    @property
    def price(self) -> NDArray[np.float64]:
        return self.columns["price"].values

    @property
    def published(self) -> Times:
        return self.columns["published"].values

    @property
    def expires(self) -> Times:
        return self.columns["expires"].values

    @property
    def brands(self) -> Ids:
        return self.columns["brands"].values

    @cached_property
    def growth(self) -> tuple[int, int]:
        """Differs, in all processes alike, after an item was added, deleted or brought back, and after nothing else."""
        return len(self), int(np.count_nonzero(self.living))

    @cached_property
    def items(self) -> Items:
        """The same, as the engine reads it."""
        items = Items(
            ids=self.ids,
            available=self.available,
            price=self.price,
            published=self.published,
            categories=self.memberships.by_item,
            category_ids=self.memberships.category_ids,
            parents=self.columns["parents"].values,
            brands=self.brands,
            fields=replace(self.fields, row_of=self.texts.find),  # not `self.row_of`: nothing may lead back to here
        )
        items.__dict__["by_category"] = self.memberships.by_category  # kept from change to change: O(items) to make
        return items

    def eligible(self, now: int) -> Mask:
        """Which items may be shown at `now`; read-only. O(1) until the next item is published or expires."""
        for shown in self._shown:
            if shown.since <= now < shown.until:
                return shown.mask
        shown = self._show(now)
        self._shown[:] = [shown]
        return shown.mask

    def _show(self, now: int, rows: Rows | slice = slice(None)) -> _Shown:
        """As `_Shown`, of these rows."""
        available, published, expires = (self.columns[name].values[rows] for name in _WHEN_SHOWN)
        mask = available & (published <= now) & (expires > now)
        until = min(
            int(published.min(where=available & (published > now), initial=NEVER)),
            int(expires.min(where=available & (expires > now), initial=NEVER)),
        )
        mask.flags.writeable = False
        return _Shown(mask, now, until)

    def prepare(self) -> None:
        """Make what requests look at now, so that none of them waits for it."""
        _ = self.items, self.growth, self.eligible(int(time.time()))

    def row_of(self, external_id: str) -> int | None:
        """The row of an item by the shop's own id, None where there is none. O(log n), no dictionary of strings."""
        return self.texts.find(external_id)

    def external_id(self, row: int) -> str:
        """The shop's own id of the item at `row`."""
        return self.texts.field(row, texts.EXTERNAL_ID)

    def external_ids(self, rows: Iterable[int] | Rows) -> list[str]:
        """The shop's own ids of the items at `rows`, in order. About 1 µs each."""
        wanted = rows.tolist() if isinstance(rows, np.ndarray) else rows
        return [self.texts.field(row, texts.EXTERNAL_ID) for row in wanted]

    def title(self, row: int) -> str:
        """The title of the item at `row`."""
        return self.texts.field(row, texts.TITLE)

    def card(self, row: int) -> Card:
        """What a shelf shows of the item at `row`, as of now."""
        return self.cards([row])[0][1]

    def cards(self, rows: Iterable[int]) -> list[tuple[str, Card]]:
        """The shop's own id of each of `rows` and what a shelf shows of it, as of now.

        0.1 µs each for items that were shown before, about 6 µs for others.
        """
        known, shown = self._cards, self.eligible(int(time.time()))
        found = []
        for row in rows:
            kept = known.get(row)
            if kept is None or kept[1].available != shown[row]:
                if len(known) >= _CARDS:
                    known.clear()
                kept = known[row] = self._card(row, bool(shown[row]))
            found.append(kept)
        return found

    @cached_property
    def _cards(self) -> dict[int, tuple[str, Card]]:
        """What was shown of items, by row. Each revision of the catalog has its own."""
        return {}

    def _card(self, row: int, available: bool) -> tuple[str, Card]:
        external_id, title, url, image_url, currency = self.texts.row(row)
        card = Card(
            title=title,
            url=url,
            image_url=image_url,
            price=self.price_text(row),
            currency=currency or settings.SHOP_CURRENCY,
            available=available,
        )
        return external_id, card

    def price_text(self, row: int) -> str | None:
        """The price as it is shown, exact; None where there is none."""
        price = float(self.columns["price"].values[row])
        return None if price != price else price_text(price)

    def patched(self, columns: ItemColumns, revision: int) -> "LiveCatalog":
        """This catalog with the items of `columns` replaced or added.

        What differs is copied, column by column; added items whose ids are above all others cost only themselves.
        An id between others (its writer was slow to commit) moves rows and so begins a new epoch.
        """
        known = rows_of(self.ids, columns.ids) >= 0
        added = columns.ids[~known]
        if len(added) and len(self) and added[0] < self.ids[-1]:
            return self._spread(added).patched(columns, revision)
        size = len(self) + len(added)
        rows = np.where(known, np.searchsorted(self.ids, columns.ids), len(self) - 1 + np.cumsum(~known))
        rows = rows.astype(np.int32)
        ids = self.columns["ids"].patched(rows, columns.ids, size)
        parents, homeless = self._parents(ids.values, rows, columns)
        changed = {
            name: column.patched(rows, values, size)
            for name, values in main_columns(columns).items()
            for column in (self.columns[name],)
        }
        counts, categories = category_runs(columns)
        memberships = self.memberships.patched(rows, counts, categories, size)
        result = replace(
            self,
            revision=revision,
            columns=MappingProxyType({"ids": ids, "parents": parents, **changed}),
            memberships=memberships,
            texts=self.texts.patched(rows.tolist(), columns, ids.values),
            fields=self.fields.patched(rows, fields_of(columns)),
            homeless=homeless,
            drift=self.drift + len(columns),
            _shown=self._shown,
        )
        if any(result.columns[name] is not self.columns[name] for name in _WHEN_SHOWN):
            return replace(result, _shown=[result._shown_after(shown, rows) for shown in self._shown])
        return result

    def _shown_after(self, before: _Shown, rows: Rows) -> _Shown:
        """What is shown after the items at `rows` have changed or were added."""
        changed = self._show(before.since, rows)
        mask = np.zeros(len(self), dtype=bool)
        mask[: len(before.mask)] = before.mask
        mask[rows] = changed.mask
        mask.flags.writeable = False
        return _Shown(mask, before.since, min(before.until, changed.until))

    def _parents(self, ids: Ids, rows: Rows, columns: ItemColumns) -> tuple[Column, Mapping[int, int]]:
        """The rows of parents, and whose parent is missing. Parents may follow their variants into the catalog."""
        wanted = {**self.homeless, **dict(zip(rows.tolist(), columns.parents.tolist(), strict=True))}
        places = np.array(sorted(wanted), dtype=np.int32)
        parent_ids = np.array([wanted[row] for row in places.tolist()], dtype=np.int64)
        found = rows_of(ids, parent_ids)
        missing = (found < 0) & (parent_ids != 0)
        homeless = dict(zip(places[missing].tolist(), parent_ids[missing].tolist(), strict=True))
        return self.columns["parents"].patched(places, found, len(ids)), homeless

    def _spread(self, added: Ids) -> "LiveCatalog":
        """Rows for items with ids between others: not available, without anything yet."""
        ids = np.sort(np.concatenate([self.ids, added]), kind="stable")  # two runs: O(n), unlike np.union1d
        places = np.searchsorted(ids, self.ids).astype(np.int32)
        columns = {name: column.spread(places, len(ids)) for name, column in self.columns.items()}
        parents = np.full(len(ids), -1, np.int32)
        old = self.columns["parents"].values
        parents[places] = np.where(old >= 0, places[old], -1)
        return LiveCatalog.new(
            columns | {"ids": Column.of(ids), "parents": Column.of(parents)},
            revision=self.revision,
            memberships=self.memberships.spread(places, len(ids)),
            texts=self.texts.spread(places, ids),
            fields=self.fields.spread(places, len(ids)),
            homeless={int(places[row]): parent for row, parent in self.homeless.items()},
            drift=self.drift,
            stored=self.stored,
        )

    def continuing(self, before: "LiveCatalog") -> "LiveCatalog":
        """This catalog, in the epoch of `before` where its rows are the same and none is missing."""
        same = len(self) >= len(before) and np.array_equal(self.ids[: len(before)], before.ids)
        return replace(self, epoch=before.epoch) if same else self


def main_columns(columns: ItemColumns) -> dict[str, NDArray[Any]]:
    """The columns as COLUMNS names them, but for ids and parents."""
    return {
        "available": columns.available & ~columns.deleted,
        "living": ~columns.deleted,
        "price": columns.price,
        "published": columns.published,
        "expires": columns.expires,
        "brands": brand_numbers(columns.brand),
    }


def category_runs(columns: ItemColumns) -> tuple[NDArray[np.int32], Ids]:
    """How many categories each item is in, and their ids, item after item, ascending in each."""
    pairs = columns.category_pairs
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    counts = np.bincount(rows_of(columns.ids, pairs[:, 0]), minlength=len(columns))
    return counts.astype(np.int32), np.ascontiguousarray(pairs[:, 1])
