"""Which item is in which category, read both ways and followed change by change."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.catalog.growing import Column
from apps.recommend.engine.types import Ids


@dataclass(frozen=True, eq=False)
class Memberships:
    """Items x categories. Only categories with items have a column; `category_ids` ascend.

    Item i is in the columns `columns[starts[i]:starts[i + 1]]`, ascending.
    """

    category_ids: Ids
    starts: Column  # int32, one more than there are items
    columns: Column  # int32
    ones: Column  # float32: what both matrices hold

    @classmethod
    def of(cls, parts: Sequence[tuple[NDArray[np.integer], Ids]]) -> "Memberships":
        """From parts of the catalog: from how many categories each item is in, and the ids of these.

        The ids come item after item, ascending in each.
        """
        none = np.empty(0, np.int32)
        categories = [categories for _, categories in parts]
        category_ids = reduce(np.union1d, map(np.unique, categories), np.empty(0, np.int64))
        columns = Column.of(none, *(np.searchsorted(category_ids, one).astype(np.int32) for one in categories))
        return cls(
            category_ids=category_ids,
            starts=Column.of(_starts(np.concatenate([none, *(counts for counts, _ in parts)]))),
            columns=columns,
            ones=Column.of(np.ones(len(columns), np.float32)),
        )

    @cached_property
    def by_item(self) -> sparse.csr_matrix:
        matrix = sparse.csr_matrix((self.ones.values, self.columns.values, self.starts.values), shape=self._shape)
        matrix.has_canonical_format = True
        return matrix

    @cached_property
    def by_category(self) -> sparse.csc_matrix:
        turned = self.by_item.tocsc()
        return _csc(self.ones, turned.indices, turned.indptr, self._shape)

    def with_by_category(self, indices: NDArray[np.int32], indptr: NDArray[np.int32]) -> "Memberships":
        """The same, `by_category` given by its arrays instead of made."""
        self.__dict__["by_category"] = _csc(self.ones, indices, indptr, self._shape)
        return self

    @property
    def _shape(self) -> tuple[int, int]:
        return len(self.starts) - 1, len(self.category_ids)

    def patched(
        self, rows: NDArray[np.integer], counts: NDArray[np.integer], categories: Ids, size: int
    ) -> "Memberships":
        """The items at `rows` are in these categories (as in `of`) from now on; `size` items in all.

        The same where that is no change. O(len(rows)) where items are only added to known categories, else copies.
        """
        if not np.isin(categories, self.category_ids).all():
            wider = self._with_categories(np.union1d(self.category_ids, categories))
            return wider.patched(rows, counts, categories, size)
        known = np.searchsorted(self.category_ids, categories).astype(np.int32)
        old = int(np.searchsorted(rows, len(self.starts) - 1))
        if self._are(rows[:old], counts[:old], known[: int(counts[:old].sum())]):
            if size == len(self.starts) - 1:
                return self
            added = known[int(counts[:old].sum()) :]
            return self._appended(counts[old:], added)
        return self._spliced(rows, counts, known, size)._without_empty()

    def spread(self, places: NDArray[np.integer], size: int) -> "Memberships":
        """Item i at row `places[i]`, ascending; the other rows of `size` are in no category."""
        counts = np.zeros(size, np.int32)
        counts[places] = np.diff(self.starts.values)
        return Memberships(self.category_ids, Column.of(_starts(counts)), self.columns, self.ones)

    def _are(self, rows: NDArray[np.integer], counts: NDArray[np.integer], columns: NDArray[np.int32]) -> bool:
        starts = self.starts.values
        if not np.array_equal(starts[rows + 1] - starts[rows], counts):
            return False
        offsets = np.arange(len(columns)) - np.repeat(_starts(counts)[:-1], counts)
        return np.array_equal(self.columns.values[np.repeat(starts[rows], counts) + offsets], columns)

    def _appended(self, counts: NDArray[np.integer], columns: NDArray[np.int32]) -> "Memberships":
        items, before = len(self.starts), len(self.columns)
        size = before + len(columns)
        places = np.arange(before, size)
        longer = Memberships(
            self.category_ids,
            self.starts.patched(
                np.arange(items, items + len(counts)),
                (before + np.cumsum(counts)).astype(np.int32),
                items + len(counts),
            ),
            self.columns.patched(places, columns, size),
            self.ones.patched(places, np.ones(len(columns), np.float32), size),
        )
        if "by_category" not in self.__dict__:
            return longer
        # Their rows are above all others, so each goes to the end of its category: a few stretches are copied.
        turned = self.by_category
        rows = np.repeat(np.arange(items - 1, items - 1 + len(counts)), counts).astype(np.int32)
        indptr = turned.indptr + _starts(np.bincount(columns, minlength=len(self.category_ids)))
        order = np.argsort(columns, kind="stable")
        old = np.split(turned.indices, turned.indptr[columns[order] + 1])
        new = [*np.split(rows[order], len(order)), rows[:0]] if len(order) else [rows]
        indices = np.concatenate([piece for pair in zip(old, new, strict=True) for piece in pair])
        return longer.with_by_category(indices, indptr)

    def _spliced(
        self, rows: NDArray[np.integer], counts: NDArray[np.integer], columns: NDArray[np.int32], size: int
    ) -> "Memberships":
        starts = self.starts.values
        lengths = np.zeros(size, np.int32)
        lengths[: len(starts) - 1] = np.diff(starts)
        lengths[rows] = counts
        # Between two changed items everything is copied in one piece.
        ends = np.minimum(rows + 1, len(starts) - 1)
        news = np.split(columns, np.cumsum(counts)[:-1]) if len(rows) else []
        pieces, at = [], 0
        for row, end, new in zip(np.minimum(rows, len(starts) - 1).tolist(), ends.tolist(), news, strict=True):
            pieces += [self.columns.values[at : starts[row]], new]
            at = int(starts[end])
        spliced = np.concatenate([*pieces, self.columns.values[at:]])
        ones = self.ones
        if len(ones) < len(spliced):
            added = len(spliced) - len(ones)
            ones = ones.patched(np.arange(len(ones), len(spliced)), np.ones(added, np.float32), len(spliced))
        elif len(ones) > len(spliced):
            ones = Column.of(ones.values[: len(spliced)])
        return Memberships(self.category_ids, Column.of(_starts(lengths)), Column.of(spliced), ones)

    def _with_categories(self, category_ids: Ids) -> "Memberships":
        """The same items in the same categories, numbered among more of them."""
        columns = self.columns
        if not np.array_equal(category_ids[: len(self.category_ids)], self.category_ids):
            moved = np.searchsorted(category_ids, self.category_ids).astype(np.int32)
            columns = Column.of(moved[columns.values])
        return Memberships(category_ids, self.starts, columns, self.ones)

    def _without_empty(self) -> "Memberships":
        used = np.diff(self.by_category.indptr) > 0
        if used.all():
            return self
        moved = (np.cumsum(used) - 1).astype(np.int32)
        slim = Memberships(self.category_ids[used], self.starts, Column.of(moved[self.columns.values]), self.ones)
        ends = self.by_category.indptr[1:][used]
        return slim.with_by_category(self.by_category.indices, np.concatenate([[0], ends]).astype(np.int32))


def _starts(counts: NDArray[np.integer]) -> NDArray[np.int32]:
    starts = np.zeros(len(counts) + 1, np.int32)
    np.cumsum(counts, out=starts[1:])
    return starts


def _csc(
    ones: Column, indices: NDArray[np.int32], indptr: NDArray[np.int32], shape: tuple[int, int]
) -> sparse.csc_matrix:
    matrix = sparse.csc_matrix((ones.values, indices, indptr), shape=shape)
    matrix.has_canonical_format = True
    return matrix
