"""Which items belong together: those of one brand, of one category, or of one parent with its variants."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.types import Items, Rows

_UNKNOWN = -2

GroupedBy = Literal["category", "brand", "parent"]


def groups(per: GroupedBy, items: Items, rows: Rows) -> NDArray[np.int64]:
    """A number for each of `rows` that is the same for rows of one group, -1 where it is in none.

    An item's category is the smallest it is in. O(rows and their categories).
    """
    if per == "parent":
        return families(items.parents, rows).astype(np.int64)
    if per == "brand":
        return np.full(len(rows), -1, np.int64) if items.brands is None else items.brands[rows]
    known = _remembered(items)
    result = known[rows].astype(np.int64)
    new = (result == _UNKNOWN).nonzero()[0]
    if len(new):
        result[new] = known[rows[new]] = _smallest_categories(items, rows[new])
    return result


def _remembered(items: Items) -> NDArray[np.int32]:
    """The smallest category of each row somebody asked for, -2 of all others; 4 bytes an item, kept with `items`.

    Finding it costs ten times as much as reading it, and popular items are asked for again and again.
    """
    known: NDArray[np.int32] | None = items.__dict__.get("_smallest_categories")
    if known is None:
        known = items.__dict__["_smallest_categories"] = np.full(len(items), _UNKNOWN, dtype=np.int32)
    return known


def _smallest_categories(items: Items, rows: Rows) -> NDArray[np.int64]:
    result = np.full(len(rows), -1, dtype=np.int64)
    indptr = items.categories.indptr
    starts = indptr[rows]
    lengths = indptr[rows + 1] - starts
    some = lengths > 0
    if not some.all():
        starts, lengths = starts[some], lengths[some]
        if not len(starts):
            return result
    first = lengths.cumsum() - lengths
    entries = np.repeat(starts - first, lengths)
    entries += np.arange(len(entries))
    columns = items.categories.indices[entries]
    of_column = items.by_category.indptr
    sizes = (of_column[columns + 1] - of_column[columns]).astype(np.int64)
    width = items.categories.shape[1]
    result[some] = np.minimum.reduceat(sizes * width + columns, first) % width
    return result


def families(parents: Rows, rows: Rows) -> Rows:
    """The row that stands for each row's variants: its parent's, or its own."""
    above = parents[rows]
    return np.where(above >= 0, above, rows)
