"""The catalog's texts: one block of UTF-8 for all items, and a dictionary for the few that changed since.

Nothing here is a Python object per item: the block and what finds things in it can be mapped into memory.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from apps.catalog.selectors import ItemColumns
from apps.recommend.engine.types import Ids, Rows, rows_of

FIELDS = ("external_ids", "titles", "urls", "image_urls", "currency")
EXTERNAL_ID, TITLE, URL, IMAGE_URL, CURRENCY = range(len(FIELDS))

Row = tuple[str, ...]  # the texts of one item, in the order of FIELDS


def hash_of(external_id: str) -> int:
    """What an item is looked up by: 64 bits of its id."""
    return int.from_bytes(hashlib.blake2b(external_id.encode(), digest_size=8).digest(), "big")


@dataclass(frozen=True, eq=False)
class TextBlock:
    """The texts of `len(ids)` items, one after the other. Never changes.

    Item i's begin at byte `starts[i]`, and `lengths[i, k]` bytes of them are field k. `hashes` ascend; `hashed[j]` is
    the item whose external id has `hashes[j]`.
    """

    content: memoryview
    ids: Ids
    starts: NDArray[np.int64]
    lengths: NDArray[np.uint32]
    hashes: NDArray[np.uint64]
    hashed: Rows

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(cls, content: memoryview, ids: Ids, lengths: NDArray[np.uint32], hashes: NDArray[np.uint64]) -> "TextBlock":
        """From the items' hashes in the items' order."""
        sizes = lengths.sum(axis=1, dtype=np.int64)
        hashed = np.argsort(hashes).astype(np.int32)
        return cls(content, ids, np.cumsum(sizes) - sizes, lengths, hashes[hashed], hashed)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything but `content` and `ids`."""
        return {"starts": self.starts, "lengths": self.lengths, "hashes": self.hashes, "hashed": self.hashed}

    def read(self, at: int) -> Row:
        """All texts of one item."""
        start, lengths = int(self.starts[at]), self.lengths[at].tolist()
        size = sum(lengths)
        content = self.content[start : start + size]
        whole = str(content, "utf-8")
        texts, start = [], 0
        for length in lengths:
            # Where every character is a byte, one look at the block does for all fields.
            end = start + length
            texts.append(whole[start:end] if len(whole) == size else str(content[start:end], "utf-8"))
            start = end
        return tuple(texts)

    def read_field(self, at: int, field: int) -> str:
        start, lengths = int(self.starts[at]), self.lengths[at].tolist()
        start += sum(lengths[:field])
        return str(self.content[start : start + lengths[field]], "utf-8")

    def find(self, external_id: str) -> int:
        """The item with this external id, -1 where there is none. O(log n)."""
        wanted = np.uint64(hash_of(external_id))
        for position in range(int(np.searchsorted(self.hashes, wanted)), len(self.hashes)):
            if self.hashes[position] != wanted:
                break
            at = int(self.hashed[position])
            if self.read_field(at, EXTERNAL_ID) == external_id:
                return at
        return -1

    def hashes_in_order(self) -> NDArray[np.uint64]:
        """The hash of each item, in the items' order."""
        hashes = np.empty_like(self.hashes)
        hashes[self.hashed] = self.hashes
        return hashes


class TextWriter:
    """Puts texts one after the other into a file and keeps what finds them again."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._lengths: list[NDArray[np.uint32]] = []
        self._hashes: list[NDArray[np.uint64]] = []

    def add(self, columns: ItemColumns) -> None:
        """The texts of these items."""
        encoded = [[(text or "").encode() for text in getattr(columns, field)] for field in FIELDS]
        self._file.write(b"".join(text for row in zip(*encoded, strict=True) for text in row))
        self._note(
            np.array([[len(text) for text in column] for column in encoded], np.uint32).reshape(len(FIELDS), -1).T,
            np.fromiter(map(hash_of, columns.external_ids), np.uint64, len(columns)),
        )

    def copy(self, block: TextBlock, hashes: NDArray[np.uint64], first: int, last: int) -> None:
        """The texts of the block's items from `first` to before `last`; `hashes` are the whole block's, in order."""
        if first < last:
            start = int(block.starts[first])
            end = int(block.starts[last - 1]) + int(block.lengths[last - 1].sum())
            self._file.write(block.content[start:end])
            self._note(block.lengths[first:last], hashes[first:last])

    def add_row(self, row: Row) -> None:
        """The texts of one item."""
        encoded = [text.encode() for text in row]
        self._file.write(b"".join(encoded))
        self._note(
            np.array([[len(text) for text in encoded]], np.uint32), np.array([hash_of(row[EXTERNAL_ID])], np.uint64)
        )

    def block(self, content: memoryview, ids: Ids) -> TextBlock:
        """What was written, once it can be read as `content`; `ids` of the items in the order they were written in."""
        lengths = np.concatenate([np.empty((0, len(FIELDS)), np.uint32), *self._lengths])
        return TextBlock.of(content, ids, lengths, np.concatenate([np.empty(0, np.uint64), *self._hashes]))

    def _note(self, lengths: NDArray[np.uint32], hashes: NDArray[np.uint64]) -> None:
        self._lengths.append(lengths)
        self._hashes.append(hashes)


@dataclass(frozen=True, eq=False)
class Texts:
    """The texts of the catalog by row: a block, and what changed since. `ids` are the catalog's, by row.

    Rows are the block's items where `shifted` is False; else an item is found in the block by its id, because others
    have come between.
    """

    block: TextBlock
    ids: Ids
    changed: Mapping[int, Row]  # by row
    added: Mapping[str, int]  # rows of the external ids that are not, or no longer rightly, in the block
    shifted: bool = False

    @classmethod
    def of(cls, block: TextBlock) -> "Texts":
        return cls(block, block.ids, {}, {})

    def row(self, row: int) -> Row:
        """All texts of one item."""
        changed = self.changed.get(row)
        return self.block.read(self._at(row)) if changed is None else changed

    def field(self, row: int, field: int) -> str:
        """One text of one item."""
        changed = self.changed.get(row)
        return self.block.read_field(self._at(row), field) if changed is None else changed[field]

    def find(self, external_id: str) -> int | None:
        """The row of an item by the shop's own id. O(log n)."""
        row = self.added.get(external_id)
        if row is not None:
            return row
        at = self.block.find(external_id)
        if at < 0:
            return None
        row = int(rows_of(self.ids, self.block.ids[at : at + 1])[0]) if self.shifted else at
        return row if self.field(row, EXTERNAL_ID) == external_id else None

    def patched(self, rows: Sequence[int], columns: ItemColumns, ids: Ids) -> "Texts":
        """The items at `rows` have the texts of `columns`; `ids` are the catalog's, longer where items were added."""
        changed, added, same = dict(self.changed), dict(self.added), True
        for row, *texts in zip(rows, *(getattr(columns, field) for field in FIELDS), strict=True):
            new = tuple(text or "" for text in texts)
            at = self._at(row) if row < len(self.ids) else -1
            stored = self.block.read(at) if at >= 0 else None
            before = changed.get(row, stored)
            if before == new:
                continue
            same = False
            if before is not None and added.get(before[EXTERNAL_ID]) == row:
                del added[before[EXTERNAL_ID]]
            if new == stored:
                del changed[row]
                continue
            changed[row] = new
            if stored is None or stored[EXTERNAL_ID] != new[EXTERNAL_ID]:
                added[new[EXTERNAL_ID]] = row
        if same:
            return self
        return replace(self, ids=ids, changed=changed, added=added)

    def spread(self, places: NDArray[np.integer], ids: Ids) -> "Texts":
        """Row i moves to `places[i]`; `ids` are those of the new rows. The items between have no texts yet."""
        return replace(
            self,
            ids=ids,
            changed={int(places[row]): texts for row, texts in self.changed.items()},
            added={external_id: int(places[row]) for external_id, row in self.added.items()},
            shifted=True,
        )

    def write(self, file: IO[bytes]) -> TextWriter:
        """Everything as one block again: written to `file`, unchanged stretches in one piece."""
        writer, hashes = TextWriter(file), self.block.hashes_in_order()
        at = 0
        for row, before in self._changed_in_order():
            writer.copy(self.block, hashes, at, before)
            writer.add_row(self.changed[row])
            at = before + (self._at(row) >= 0)
        writer.copy(self.block, hashes, at, len(self.block))
        return writer

    def _changed_in_order(self) -> Iterator[tuple[int, int]]:
        """The changed rows, ascending, each with how many of the block's items come before it."""
        rows = np.array(sorted(self.changed), dtype=np.int64)
        yield from zip(rows.tolist(), np.searchsorted(self.block.ids, self.ids[rows]).tolist(), strict=True)

    def _at(self, row: int) -> int:
        """The place of a row in the block, -1 where it is not there."""
        if self.shifted:
            return int(rows_of(self.block.ids, self.ids[row : row + 1])[0])
        return row if row < len(self.block) else -1
