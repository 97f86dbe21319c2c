"""An evaluation's result, for people and for programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

INTERVALS = "95 % bootstrap intervals over users."
MODELS_ABREAST = 4


@dataclass(frozen=True)
class Figure:
    """One metric of one model; without an interval where it is of all lists together."""

    model: str
    metric: str  # such as "ndcg@10"
    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Difference:
    """How much better `model` is than `baseline`, on average over the same users."""

    model: str
    baseline: str
    metric: str
    mean: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Timing:
    """Seconds of wall-clock time."""

    fit: float
    rank: float


@dataclass(frozen=True)
class Evaluation:
    """Figures of several models on one split."""

    n_users: int
    n_items: int
    n_train_events: int
    n_truth: int
    at: int
    until: int
    new_only: bool
    figures: Sequence[Figure]
    differences: Sequence[Difference]
    timings: Mapping[str, Timing]
    skipped: Mapping[str, str]  # models that could not be fitted, and why

    def figure(self, model: str, metric: str) -> Figure:
        """Raises KeyError for what was not measured."""
        for figure in self.figures:
            if (figure.model, figure.metric) == (model, metric):
                return figure
        raise KeyError((model, metric))

    def difference(self, model: str, baseline: str, metric: str) -> Difference:
        """Raises KeyError for what was not compared."""
        for difference in self.differences:
            if (difference.model, difference.baseline, difference.metric) == (model, baseline, metric):
                return difference
        raise KeyError((model, baseline, metric))

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)

    def __str__(self) -> str:
        """Tables that fit a terminal of 120 characters."""
        wanted = "new items" if self.new_only else "items"
        learned = f"learned from {self.n_train_events:,} events before {_day(self.at)}"
        asked = f"asked about {self.n_truth:,} {wanted} wanted until {_day(self.until)}"
        lines = [f"{self.n_users:,} users, {self.n_items:,} items, {learned}, {asked}.", INTERVALS]
        lines += [f"{name} is left out: it {reason}." for name, reason in self.skipped.items()]
        models = list(dict.fromkeys(figure.model for figure in self.figures))
        cells = {(figure.metric, figure.model): _cell(figure) for figure in self.figures}
        cells |= {("seconds to fit", model): f"{timing.fit:.1f}" for model, timing in self.timings.items()}
        lines += _tables("metric", models, cells)
        for baseline in dict.fromkeys(difference.baseline for difference in self.differences):
            against = [difference for difference in self.differences if difference.baseline == baseline]
            cells = {(difference.metric, difference.model): _change(difference) for difference in against}
            lines += _tables(f"minus {baseline}", [model for model in models if model != baseline], cells)
        return "\n".join(lines)


def _tables(corner: str, models: Sequence[str], cells: Mapping[tuple[str, str], str]) -> list[str]:
    """One table after another, a few models in each, an empty line before each."""
    metrics = list(dict.fromkeys(metric for metric, _ in cells))
    lines: list[str] = []
    for start in range(0, len(models), MODELS_ABREAST):
        some = models[start : start + MODELS_ABREAST]
        rows = [[corner, *some], *([metric, *(cells.get((metric, model), "") for model in some)] for metric in metrics)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        drawn = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
        lines += ["", drawn[0], "-" * max(map(len, drawn)), *drawn[1:]]
    return lines


def _cell(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return f"{figure.mean:.4f}"
    return f"{figure.mean:.4f} [{figure.low:.3f}, {figure.high:.3f}]"


def _change(difference: Difference) -> str:
    return f"{difference.mean:+.4f} [{difference.low:+.3f}, {difference.high:+.3f}]"


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%d")
