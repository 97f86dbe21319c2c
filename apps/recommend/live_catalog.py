"""The catalog as this process serves it: columns, followed by revision.

A `LiveCatalog` never changes; `patched` makes the next one. Strings live in NumPy's variable-width string arrays,
not in Python objects per item.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.catalog.selectors import ItemColumns
from apps.recommend.engine.types import Ids, Items, Mask, Times
from apps.recommend.snapshot import brand_numbers, items_of

TEXT = np.dtypes.StringDType()

_CARD_COLUMNS = ("external_ids", "titles", "urls", "image_urls", "price_text", "currency")


@dataclass(frozen=True, eq=False)
class LiveCatalog:
    """Columns over all items, deleted ones included (never available), by ascending id; `revision` says as of when."""

    revision: int
    ids: Ids
    available: Mask
    price: NDArray[np.float64]
    published: Times
    expires: Times
    parent_ids: Ids
    brands: Ids  # see `brand_numbers`
    cards: dict[str, NDArray[Any]]  # _CARD_COLUMNS, StringDType
    hashes: NDArray[np.uint64]  # of the external ids
    category_pairs: NDArray[np.int64]  # (pairs, 2): item id, category id, ancestors included

    @classmethod
    def of(cls, columns: ItemColumns, revision: int) -> "LiveCatalog":
        """The catalog that `columns` describes."""
        return cls(
            revision=revision,
            ids=columns.ids,
            available=columns.available,
            price=columns.price,
            published=columns.published,
            expires=columns.expires,
            parent_ids=columns.parents,
            brands=brand_numbers(columns.brand),
            cards={name: _text(getattr(columns, name)) for name in _CARD_COLUMNS},
            hashes=np.fromiter(map(_hash, columns.external_ids), np.uint64, len(columns)),
            category_pairs=columns.category_pairs,
        )

    def patched(self, columns: ItemColumns, revision: int) -> "LiveCatalog":
        """This catalog with the items of `columns` replaced or added. O(items), all of it in NumPy."""
        change = LiveCatalog.of(columns, revision)
        kept = ~np.isin(self.ids, change.ids)
        ids = np.concatenate([self.ids[kept], change.ids])
        order = np.argsort(ids, kind="stable")

        def joined(old: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
            return np.concatenate([old[kept], new])[order]

        old_pairs = self.category_pairs[~np.isin(self.category_pairs[:, 0], change.ids)]
        return LiveCatalog(
            revision=revision,
            ids=ids[order],
            available=joined(self.available, change.available),
            price=joined(self.price, change.price),
            published=joined(self.published, change.published),
            expires=joined(self.expires, change.expires),
            parent_ids=joined(self.parent_ids, change.parent_ids),
            brands=joined(self.brands, change.brands),
            cards={name: joined(self.cards[name], change.cards[name]) for name in _CARD_COLUMNS},
            hashes=joined(self.hashes, change.hashes),
            category_pairs=np.concatenate([old_pairs, change.category_pairs]),
        )

    @cached_property
    def items(self) -> Items:
        """The same, as the engine reads it."""
        return items_of(
            ids=self.ids,
            available=self.available,
            price=self.price,
            published=self.published,
            parent_ids=self.parent_ids,
            category_pairs=self.category_pairs,
            brands=self.brands,
        )

    def eligible(self, now: int) -> Mask:
        """Which items may be shown at `now`."""
        return self.available & (self.published <= now) & (self.expires > now)

    @cached_property
    def _by_hash(self) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        order = np.argsort(self.hashes)
        return self.hashes[order], order

    def prepare(self) -> None:
        """Make what requests look things up in now, so that none of them waits for it."""
        _ = self._by_hash, self.items.by_category

    def row_of(self, external_id: str) -> int | None:
        """The row of an item by the shop's own id, None where there is none. O(log n), no dictionary of strings."""
        hashes, order = self._by_hash
        wanted = _hash(external_id)
        for position in range(int(np.searchsorted(hashes, wanted)), len(hashes)):
            if hashes[position] != wanted:
                break
            row = int(order[position])
            if self.cards["external_ids"][row] == external_id:
                return row
        return None

    def external_id(self, row: int) -> str:
        """The shop's own id of the item at `row`."""
        return str(self.cards["external_ids"][row])

    def title(self, row: int) -> str:
        """The title of the item at `row`."""
        return str(self.cards["titles"][row])


def _text(values: list[str | None]) -> NDArray[Any]:
    return np.array([value or "" for value in values], dtype=TEXT)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
