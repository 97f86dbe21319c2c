"""Fields of items, put together from what the catalog has: JSON becomes one column for each path in it."""

import json
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from apps.recommend.engine.field_columns import Column
from apps.recommend.engine.value_table import Coder

ATTRIBUTES = "attributes."
MAX_PATHS = 200  # attributes kept; of more, those that most items have
MAX_TEXT = 1_000  # characters; a longer text in an attribute is left out
MAX_MEMBERS = 200  # of a list; more are left out
_LARGEST = 10**300
_TOGETHER = 10_000  # items whose attributes are coded together
_PATHS_READ = 5_000  # different attributes counted while reading


class _Entries:
    """The values of one field: which items have one, and its code. What was just read is coded together, for speed."""

    def __init__(self) -> None:
        self._coder = Coder()
        self._rows = array("i")
        self._codes = array("i")
        self.new_rows: list[int] = []
        self.new_values: list[Any] = []

    def __len__(self) -> int:
        return len(self._rows)

    def code_new(self) -> None:
        """Turn what was just read into codes."""
        self._rows.extend(self.new_rows)
        self._codes.extend(self._coder.codes(self.new_values))
        self.new_rows.clear()
        self.new_values.clear()

    def column(self, size: int) -> Column:
        rows = np.array(self._rows, dtype=np.int32)
        codes = np.array(self._codes, dtype=np.int32)
        last = np.diff(rows, append=-1) != 0  # {"a.b": 1, "a": {"b": 2}}: the later one counts
        return Column.of(self._coder.table(), codes[last], rows[last], size)


class FieldReader:
    """Collects the fields of items, chunk by chunk: about 8 bytes a value, and each distinct value once."""

    def __init__(self) -> None:
        self.size = 0
        self._main = {name: _Entries() for name in ("brand", "stock", "tag", "category")}
        self._attributes: dict[str, dict[str, _Entries]] = {}  # by path but for its last part, and by that
        self._paths: dict[str, _Entries] = {}

    def add(
        self,
        *,
        ids: NDArray[np.int64],
        brands: Sequence[str],
        stock: NDArray[np.float64],
        tags: Sequence[str],
        attributes: Sequence[str],
        category_pairs: NDArray[np.int64],
        category_names: Mapping[int, str],
    ) -> None:
        """The next items. An empty brand and NaN in `stock` are none; `tags` and `attributes` are JSON.

        `category_pairs` are (item id, category id), ancestors included and ordered by item; `category_names` the
        external ids of those categories.
        """
        start = self.size
        self.size += len(ids)
        self._put("brand", ((row, name) for row, name in enumerate(brands, start) if name))
        known = np.flatnonzero(~np.isnan(stock))
        self._put("stock", zip((start + known).tolist(), stock[known].tolist(), strict=True))
        lists = ((row, orjson.loads(text)) for row, text in enumerate(tags, start) if text != "[]")
        self._put("tag", ((row, list(dict.fromkeys(names))) for row, names in lists if names))
        items, first, count = np.unique(category_pairs[:, 0], return_index=True, return_counts=True)
        names = [category_names[one] for one in category_pairs[:, 1].tolist()]
        at = (start + np.searchsorted(ids, items)).tolist()
        runs = zip(at, first.tolist(), (first + count).tolist(), strict=True)
        self._put("category", ((row, names[begin:end]) for row, begin, end in runs))
        for begin in range(0, len(attributes), _TOGETHER):
            for row, text in enumerate(attributes[begin : begin + _TOGETHER], start + begin):
                if text != "{}":
                    self._flatten(row, _loaded(text), ATTRIBUTES)
            for entries in self._paths.values():
                entries.code_new()

    def _put(self, name: str, values: Iterable[tuple[int, Any]]) -> None:
        entries = self._main[name]
        for row, value in values:
            entries.new_rows.append(row)
            entries.new_values.append(value)
        entries.code_new()

    def _flatten(self, row: int, values: Mapping[str, Any], prefix: str) -> None:
        below = self._attributes.setdefault(prefix, {})
        for key, value in values.items():
            if type(value) is dict:
                self._flatten(row, value, f"{prefix}{key}.")
                continue
            if type(value) is list:
                value = [one for one in value if _kept(one)][:MAX_MEMBERS]
            elif not _kept(value):
                continue
            entries = below.get(key)
            if entries is None:
                if len(self._paths) >= _PATHS_READ:
                    continue
                entries = below[key] = self._paths.setdefault(prefix + key, _Entries())
            entries.new_rows.append(row)
            entries.new_values.append(value)

    def columns(self) -> tuple[dict[str, Column], tuple[str, ...]]:
        """The columns by name, and the attributes that were left out because there are more than MAX_PATHS."""
        paths = self._paths
        by_use = sorted(paths, key=lambda path: (-len(paths[path]), path))
        kept = self._main | {path: paths[path] for path in by_use[:MAX_PATHS]}
        found = {name: entries.column(self.size) for name, entries in kept.items() if len(entries)}
        return found, tuple(sorted(by_use[MAX_PATHS:]))


def _loaded(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:  # a whole number of hundreds of digits
        return json.loads(text)


def _kept(value: Any) -> bool:
    """Whether a member of a list or a value alone is one that can be compared."""
    if type(value) is str:
        return len(value) <= MAX_TEXT
    return type(value) in {float, bool} or (type(value) is int and abs(value) < _LARGEST)
