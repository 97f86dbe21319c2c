"""What a run found, beside what was asked: as a table, as JSON."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One number. `least` or `most` is what was asked for, `aim` what would be better still; None: only told."""

    scenario: str
    name: str
    value: float
    unit: str = ""
    least: float | None = None
    most: float | None = None
    aim: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the number is as asked; None where nothing was asked. What could not be measured is not."""
        if self.least is None and self.most is None:
            return None
        return not (
            self.value != self.value
            or (self.least is not None and self.value < self.least)
            or (self.most is not None and self.value > self.most)
        )

    @property
    def asked(self) -> str:
        """In words, for the table."""
        bounds = [f"≥ {self.least:g}"] if self.least is not None else []
        bounds += [f"≤ {self.most:g}"] if self.most is not None else []
        return ", ".join(bounds) + (f" (aim {self.aim:g})" if self.aim is not None else "")


@dataclass(frozen=True)
class Outcome:
    """Everything about one size of catalog. `raw` has every round; `faults` what makes a figure doubtful."""

    items: int
    users: int
    figures: tuple[Figure, ...]
    raw: dict[str, Any]
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """A whole run."""

    machine: dict[str, Any]
    outcomes: tuple[Outcome, ...]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def faults(self) -> list[str]:
        return [f"{outcome.items:,} items: {fault}" for outcome in self.outcomes for fault in outcome.faults]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; of each figure also what was asked and whether it was met."""
        said = asdict(self)
        for outcome, plain in zip(self.outcomes, said["outcomes"], strict=True):
            for figure, one in zip(outcome.figures, plain["figures"], strict=True):
                one |= {"met": figure.met, "value": None if figure.value != figure.value else figure.value}
        return said

    def __str__(self) -> str:
        about = ", ".join(f"{name} {value}" for name, value in self.machine.items())
        return "\n\n".join([about, *(_table(outcome) for outcome in self.outcomes)])


def _table(outcome: Outcome) -> str:
    rows = [
        (
            figure.scenario,
            figure.name,
            f"{_rounded(figure.value)}{' ' if figure.unit else ''}{figure.unit}",
            figure.asked,
            {True: "yes", False: "NO", None: ""}[figure.met],
            figure.note,
        )
        for figure in outcome.figures
    ]
    head = ("scenario", "figure", "measured", "asked", "met", "")
    lines = _aligned([head, *rows])
    title = f"{outcome.items:,} items, {outcome.users:,} users"
    faults = [f"! {fault}" for fault in outcome.faults]
    return "\n".join([title, *lines, *faults])


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _rounded(value: float) -> str:
    if value != value:
        return "not measured"
    return f"{value:,.0f}" if abs(value) >= 1_000 or value == int(value) else f"{value:.3g}"
