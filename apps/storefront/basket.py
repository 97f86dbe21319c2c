"""The shopping basket, small enough for a cookie."""

import json
from dataclasses import dataclass
from typing import Self

MAX_LINES = 20
MAX_QUANTITY = 10


@dataclass(frozen=True)
class Basket:
    """Item ids and how many of each, in the order they were added."""

    lines: tuple[tuple[str, int], ...]

    @classmethod
    def empty(cls) -> Self:
        return cls(())

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `to_text` wrote; anything else is an empty basket."""
        try:
            lines = json.loads(text) if text else []
            return cls(tuple((str(item), max(1, min(int(count), MAX_QUANTITY))) for item, count in lines)[:MAX_LINES])
        except (ValueError, TypeError):
            return cls.empty()

    def to_text(self) -> str:
        return json.dumps(self.lines, separators=(",", ":"))

    @property
    def pieces(self) -> int:
        """How many things are in it."""
        return sum(count for _, count in self.lines)

    @property
    def item_ids(self) -> list[str]:
        return [item for item, _ in self.lines]

    @property
    def full(self) -> bool:
        """No room for another product."""
        return len(self.lines) >= MAX_LINES

    def quantity(self, item_id: str) -> int:
        return dict(self.lines).get(item_id, 0)

    def with_quantity(self, item_id: str, count: int) -> Self:
        """The basket with `count` of the item, at most MAX_QUANTITY; 0 takes it out. A full one stays as it is."""
        count = min(count, MAX_QUANTITY)
        lines = dict(self.lines)
        if count <= 0:
            lines.pop(item_id, None)
        elif item_id in lines or not self.full:
            lines[item_id] = count
        return type(self)(tuple(lines.items()))
