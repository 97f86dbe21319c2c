"""What event types are worth, as columns by their code: the form compiled loops read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from apps.recommend.engine.types import EventWorth

UNDONE_BY = {
    "add_to_cart": ("remove_from_cart", "purchase"),
    "purchase": ("refund",),
    "like": ("dislike",),
}
"""Which later events of the same item end what an event said: it is in nobody's cart once it was bought."""


@dataclass(frozen=True, eq=False)
class WorthColumns:
    """Entry c of every column is of the event type with code c; a code beyond them says nothing."""

    weight: NDArray[np.float32]  # 0 for types without taste
    half_life_days: NDArray[np.float32]
    rated: NDArray[np.bool_]  # whether the event's value is a rating
    undoable: NDArray[np.uint8]  # the bit of what an event of this type says, 0 for what is never undone
    undoes: NDArray[np.uint8]  # the bits of what an event of this type ends

    @classmethod
    def of(cls, worth: Mapping[int, "EventWorth"]) -> Self:
        """The columns of `worth`. O(codes)."""
        size = max(worth, default=0) + 1
        weight, half_life = np.zeros(size, dtype=np.float32), np.ones(size, dtype=np.float32)
        rated = np.zeros(size, dtype=np.bool_)
        undoable, undoes = np.zeros(size, dtype=np.uint8), np.zeros(size, dtype=np.uint8)
        for code, one in worth.items():
            if one.taste:
                weight[code], half_life[code], rated[code] = one.weight, one.half_life_days, one.name == "rate"
            for bit, (said, enders) in enumerate(UNDONE_BY.items()):
                undoable[code] |= (one.name == said) << bit
                undoes[code] |= (one.name in enders) << bit
        return cls(weight, half_life, rated, undoable, undoes)
