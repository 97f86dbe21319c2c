"""An evaluation's result, for people and for programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

INTERVALS = "95 % bootstrap intervals over users."


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
        metrics = list(dict.fromkeys(figure.metric for figure in self.figures))
        models = list(dict.fromkeys(figure.model for figure in self.figures))
        found = {(figure.model, figure.metric): figure for figure in self.figures}
        wanted = "new items" if self.new_only else "items"
        learned = f"learned from {self.n_train_events:,} events before {_day(self.at)}"
        asked = f"asked about {self.n_truth:,} {wanted} wanted until {_day(self.until)}"
        lines = [f"{self.n_users:,} users, {self.n_items:,} items, {learned}, {asked}.", INTERVALS, ""]
        rows = [["metric", *models]]
        rows += [[metric, *(_cell(found.get((model, metric))) for model in models)] for metric in metrics]
        rows.append(["seconds to fit", *(f"{self.timings[m].fit:.1f}" if m in self.timings else "" for m in models)])
        lines += _table(rows)
        for baseline in dict.fromkeys(difference.baseline for difference in self.differences):
            rows = [[f"minus {baseline}", *(m for m in models if m != baseline)]]
            against = {(d.metric, d.model): d for d in self.differences if d.baseline == baseline}
            for metric in dict.fromkeys(metric for metric, _ in against):
                rows.append([metric, *(_change(against.get((metric, m))) for m in models if m != baseline)])
            lines += ["", *_table(rows)]
        return "\n".join(lines)


def _cell(figure: Figure | None) -> str:
    if figure is None:
        return ""
    if figure.low is None or figure.high is None:
        return f"{figure.mean:.4f}"
    return f"{figure.mean:.4f} [{figure.low:.3f}, {figure.high:.3f}]"


def _change(difference: Difference | None) -> str:
    if difference is None:
        return ""
    return f"{difference.mean:+.4f} [{difference.low:+.3f}, {difference.high:+.3f}]"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [lines[0], "-" * len(lines[0]), *lines[1:]]


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%d")
