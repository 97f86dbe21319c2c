"""An evaluation's result, for programs; `tables` and `html_report` show it to people."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


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
    p_value: float  # flipping the signs of users' differences
    wilcoxon_p: float
    wins: int  # users for whom `model` is better
    ties: int
    losses: int

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class SliceFigure:
    """One metric of one model for some of the users, or some of what they wanted."""

    by: str
    label: str
    model: str
    metric: str
    observations: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class CutOff:
    """One split, and what each model's per-user figures were on it alone."""

    at: int
    until: int
    n_users: int
    n_items: int
    n_train_events: int
    n_truth: int
    means: Mapping[str, Mapping[str, float]]  # by model, by metric


@dataclass(frozen=True)
class Timing:
    """Seconds of wall-clock time, over all splits."""

    fit: float
    rank: float  # and measure


@dataclass(frozen=True)
class Evaluation:
    """Figures of several models on one split, or on several pooled: each user of each split is an observation."""

    n_users: int  # different ones
    n_observations: int
    n_items: int  # that could be recommended, at the last split
    n_train_events: int  # at the last split
    n_truth: int
    at: int
    until: int
    new_only: bool
    figures: Sequence[Figure]
    differences: Sequence[Difference]
    timings: Mapping[str, Timing]
    skipped: Mapping[str, str]  # models that could not be fitted, and why
    unmeasured: Mapping[str, str] = field(default_factory=dict)  # metrics that could not be computed, and why
    slices: Sequence[SliceFigure] = ()
    cutoffs: Sequence[CutOff] = ()
    stopped: str = ""  # why there is less than was asked for

    @property
    def models(self) -> list[str]:
        """Those that were measured, in the order they were given."""
        return list(dict.fromkeys(figure.model for figure in self.figures))

    @property
    def metrics(self) -> list[str]:
        return list(dict.fromkeys(figure.metric for figure in self.figures))

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
        from apps.recommend.engine.evaluation.tables import evaluation_text  # it needs these types

        return evaluation_text(self)


@dataclass(frozen=True)
class Report:
    """A whole run: several tasks given to the same models, and what they are."""

    title: str
    made_at: int
    data: str  # a sentence on what was learned from
    cores: int
    seed: int
    tasks: Mapping[str, Evaluation]
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of each model
    verdicts: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by task, where two are compared
    notes: Sequence[str] = ()

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)
