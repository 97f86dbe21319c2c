"""The fields of items as one block of bytes, so that processes can map them into memory and share them."""

from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.field_columns import Column
from apps.recommend.engine.item_fields import ItemFields
from apps.recommend.engine.value_table import Table

_ALIGNED = 64  # bytes
_TABLE = ("kinds", "numbers", "list_ends", "members")
_TEXT = np.dtypes.StringDType()


def write_fields(fields: ItemFields, file: IO[bytes]) -> dict[str, Any]:
    """Write everything to `file`; what comes back, plain JSON, is what `read_fields` needs beside it."""
    fields = fields.merged()
    return {
        "size": len(fields),
        "left_out": list(fields.left_out),
        "columns": {
            name: {part: _put(array, file) for part, array in _arrays(column).items()}
            for name, column in fields.columns.items()
        },
    }


def read_fields(content: memoryview, described: Mapping[str, Any]) -> ItemFields:
    """The fields over `content`, which nothing of an item's is copied from: only the distinct texts are."""
    columns = {}
    for name, parts in described["columns"].items():
        arrays = {part: _get(content, *where) for part, where in parts.items()}
        texts = np.array(_split(arrays["text_bytes"], arrays["text_lengths"]), dtype=_TEXT)
        kinds, numbers, list_ends, members = (arrays[part] for part in _TABLE)
        table = Table(kinds, texts, numbers, list_ends, members)
        columns[name] = Column(table, arrays["codes"], arrays.get("rows"), np.empty(0, np.int8))
    size = described["size"]
    return ItemFields(size, size, columns, np.empty(0, np.int32), left_out=tuple(described["left_out"]))


def _arrays(column: Column) -> dict[str, NDArray[Any]]:
    texts = [text.encode() for text in column.table.texts.tolist()]
    arrays = {part: getattr(column.table, part) for part in _TABLE} | {
        "codes": column.codes,
        "text_bytes": np.frombuffer(b"".join(texts), np.uint8),
        "text_lengths": np.array([len(text) for text in texts], np.int64),
    }
    return arrays if column.rows is None else arrays | {"rows": column.rows}


def _split(content: NDArray[np.uint8], lengths: NDArray[np.int64]) -> list[str]:
    joined, ends = content.tobytes(), np.cumsum(lengths).tolist()
    return [joined[start:end].decode() for start, end in zip([0, *ends], ends, strict=False)]


def _put(array: NDArray[Any], file: IO[bytes]) -> list[Any]:
    file.write(b"\0" * (-file.tell() % _ALIGNED))
    start = file.tell()
    file.write(np.ascontiguousarray(array).data)
    return [start, len(array), array.dtype.str]


def _get(content: memoryview, start: int, length: int, kind: str) -> NDArray[Any]:
    return np.frombuffer(content, np.dtype(kind), count=length, offset=start) if length else np.empty(0, kind)
