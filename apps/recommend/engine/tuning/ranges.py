"""Between which values a parameter is worth looking for: declared once, beside the parameter, for every data set.

An algorithm says so on the fields of its `Config`:

    factors: Annotated[int, Between(16, 256, log=True)] = 64

A field without a range is not tuned.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

Value = int | float | str | bool | None


@dataclass(frozen=True)
class Between:
    """A number from `low` to `high`, both included; whole if both are ints. `log`: factors matter, not differences."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(f"no range: from {self.low} to {self.high}")

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)


@dataclass(frozen=True, init=False)
class OneOf:
    """One of these values."""

    values: tuple[Value, ...]

    def __init__(self, *values: Value) -> None:
        if len(values) < 2:
            raise ValueError("a choice needs at least two values")
        object.__setattr__(self, "values", values)


Range = Between | OneOf


def ranges(config: type[BaseModel]) -> Mapping[str, Range]:
    """The ranges declared on the fields of `config`, in the order of the fields."""
    found: dict[str, Range] = {}
    for name, field in config.model_fields.items():
        for note in field.metadata:
            if isinstance(note, Between | OneOf):
                found[name] = note
    return found


def suggest(trial: Any, name: str, within: Range) -> Value:
    """A value of the range, suggested by an Optuna trial under `name`."""
    if isinstance(within, OneOf):
        # Optuna tells categories apart by their place: the same list must come in the same order each time.
        value: Value = trial.suggest_categorical(name, list(within.values))
        return value
    if within.whole:
        return int(trial.suggest_int(name, int(within.low), int(within.high), log=within.log))
    return float(trial.suggest_float(name, within.low, within.high, log=within.log))
