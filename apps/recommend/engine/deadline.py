"""How long an answer may take. Cooperative: whoever works for a request asks between steps whether there is time."""

import time
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment by `time.perf_counter`."""

    at: float

    @classmethod
    def after(cls, milliseconds: float) -> Self:
        """So long from now."""
        return cls(time.perf_counter() + milliseconds / 1000)

    @property
    def passed(self) -> bool:
        return time.perf_counter() >= self.at

    @property
    def seconds_left(self) -> float:
        """At least 0."""
        return max(self.at - time.perf_counter(), 0.0)


NEVER = Deadline(float("inf"))
