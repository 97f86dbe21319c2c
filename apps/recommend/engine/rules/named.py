"""Which rules name which rows of the catalog, ready to be looked up for a few hundred rows at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.rules.spec import RuleSpec
from apps.recommend.engine.types import Ids, Mask, Rows, rows_of

_WORD = 64  # rules in one word of bits
_ROOM = 32  # places in the sieve for each row: one in so many rows is looked up in vain

_BITS = np.uint64(1) << np.arange(_WORD, dtype=np.uint64)

Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RowSet:
    """Rows, ascending and each once. Finding them among others costs little unless there are many.

    A sieve over the last bits of a row lets few others through; a binary search for each row would cost ten times as
    much, because no processor can foresee its branches.
    """

    rows: Rows
    sieve: Mask

    @classmethod
    def of(cls, rows: NDArray[np.integer]) -> Self:
        unique = np.unique(rows).astype(np.int32)
        sieve = np.zeros(1 << (len(unique) * _ROOM).bit_length(), dtype=bool)
        sieve[unique & (len(sieve) - 1)] = True
        return cls(unique, sieve)

    def __len__(self) -> int:
        return len(self.rows)

    def look_up(self, rows: Rows) -> tuple[Numbers, Numbers]:
        """Where in `rows` there are rows of this set, ascending, and which of the set's they are."""
        at = self.sieve.take(rows & (len(self.sieve) - 1)).nonzero()[0]
        if not len(at):
            return at, at
        maybe = rows.take(at)
        places = self.rows.searchsorted(maybe)
        places[places == len(self.rows)] = 0
        sure = self.rows.take(places) == maybe
        return at[sure], places[sure]


@dataclass(frozen=True, eq=False)
class Named:
    """The rows that rules name; `bits[word, i]` tells by which rules the i-th of them is named."""

    rows: RowSet
    bits: NDArray[np.uint64]  # (words, len(rows))
    of_rule: tuple[Numbers, ...]  # for each rule, where in `rows` its items are, in the rule's order
    missing: tuple[tuple[int, ...], ...]  # for each rule, its item ids that the catalog does not have

    @classmethod
    def of(cls, specs: Sequence[RuleSpec], ids: Ids) -> Self:
        """Looks every named id up in the ascending `ids`. O(named log n)."""
        found, missing = [], []
        for spec in specs:
            wanted = np.array(list(dict.fromkeys(spec.items)), dtype=np.int64)
            rows = rows_of(ids, wanted)
            found.append(rows[rows >= 0])
            missing.append(tuple(wanted[rows < 0].tolist()))
        named = RowSet.of(np.concatenate(found))
        bits = np.zeros((-(-len(specs) // _WORD), len(named)), dtype=np.uint64)
        of_rule = tuple(named.rows.searchsorted(mine) for mine in found)
        for number, mine in enumerate(of_rule):
            bits[number // _WORD, mine] |= _BITS[number % _WORD]
        return cls(named, bits, of_rule, tuple(missing))

    def look_up(self, rows: Rows) -> "Found":
        """Which of `rows` are named. O(len(rows))."""
        return Found(self, len(rows), *self.rows.look_up(rows))


class Found:
    """The answer for `length` rows: those at `at` are named, and are `named.rows` at `places`."""

    def __init__(self, named: Named, length: int, at: Numbers, places: Numbers) -> None:
        self.named, self.length, self.at, self.places = named, length, at, places
        self._words: list[NDArray[np.uint64]] | None = None

    def at_of(self, rule: int) -> Numbers:
        """Where among the rows those are that the rule with that number names."""
        words = self._words
        if words is None:
            words = self._words = [word.take(self.places) for word in self.named.bits]
        mine: Numbers = self.at[(words[rule // _WORD] & _BITS[rule % _WORD]).nonzero()[0]]
        return mine

    def and_of(self, behind: Numbers, places: Numbers) -> "Found":
        """This, with rows behind all others, at `behind`: those of `named` at `places`."""
        at, among = np.concatenate([self.at, behind]), np.concatenate([self.places, places])
        return Found(self.named, self.length + len(places), at, among)

    def entries(self) -> Numbers:
        """Where among the rows each of the named ones is; -1: it is not."""
        entries = np.full(len(self.named.rows), -1, dtype=np.int64)
        entries[self.places] = self.at
        return entries
