"""Tunes a blend: first each part's own parameters and lens, then the parts' weights, all on validation windows."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from apps.recommend.engine.blend import BlendPart
from apps.recommend.engine.merge import Calibration, Weights
from apps.recommend.engine.progress import report
from apps.recommend.engine.protocols import Learner
from apps.recommend.engine.tuning.ranges import Range, Value
from apps.recommend.engine.tuning.studies import Tried, Values, search
from apps.recommend.engine.tuning.weighing import Figures, Proposed, WeighedWindows, fitted_proposals
from apps.recommend.engine.tuning.weight_search import best_weights, goodness, only_one, search_weights
from apps.recommend.engine.tuning.windows import Window

CONTEXT_TRIALS = 60  # a part's parameters are judged beside the others with the best weights of so many trials
CONTEXT_FACTORS = (0.5, 1.0, 2.0)  # of the part's own weight there: other parameters may deserve another weight
CONTEXT_LEAST = 0.05  # a part that counts nothing with its present parameters may do so with others
UNAFFORDABLE = -1.0  # what parameters achieve that memory does not allow: they never win
WORTH_CHANGING = 1.005  # parameters stay as they are unless others are better by this factor
PARTS_SHARE = 0.6  # of the budget: what is left is for the weights


@dataclass(frozen=True, eq=False)
class TunablePart:
    """A part as the pipeline has it, the ranges of what may be changed, and how to make it with other values."""

    part: BlendPart
    space: Mapping[str, Range]
    build: Callable[[Values], Learner]


@dataclass(frozen=True)
class Plan:
    """How to tune. `study` names the trials in `journal`: another name, other trials."""

    journal: Path
    study: str
    calibration: Calibration
    drops_seen: bool
    history_half: float
    trials: int = 300
    part_trials: int = 6
    seconds: float | None = None
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Tuned:
    """What came out: `weights` in the order of the parts, `parameters` of the parts that should change theirs."""

    names: Sequence[str]
    weights: Weights
    parameters: Mapping[str, Values]
    windows: Sequence[Window]
    before: Figures
    after: Figures
    alone: Mapping[str, Figures]  # each part by itself, with its new parameters
    weight_trials: int
    part_trials: int
    cut_short: Sequence[str] = field(default=())  # what there was no time or memory for


class _Clock:
    def __init__(self, seconds: float | None) -> None:
        self._started, self._seconds = time.monotonic(), seconds

    def spent(self, share: float = 1.0) -> bool:
        return self._seconds is not None and time.monotonic() - self._started > share * self._seconds


def tune(parts: Mapping[str, TunablePart], windows: Sequence[Window], plan: Plan) -> Tuned:
    """The best weights found and, for parts where that helps, other parameters.

    Maximises NDCG@10 (one share of it over users of whom only the latest events are known) and coverage@10; of the
    trials whose coverage is not below the present one's, the one with the highest NDCG is taken, so that nothing
    changes where nothing better is found. Parts are fitted once for each window and set of parameters.

    Ends when `plan.seconds` are over, with what it has, but not before each part has been fitted on one window.
    """
    clock = _Clock(plan.seconds)
    cut_short: list[str] = []
    names = list(parts)
    kept, proposed = _present(parts, windows, clock, plan.seed)
    if len(kept) < len(windows):
        cut_short.append(f"{len(windows) - len(kept)} of {len(windows)} validation windows")
    open_weights = _weighed(kept, proposed, plan)
    present = _present_weights(parts, plan.history_half)
    before = open_weights.figures(present)

    tunable = [name for name in names if parts[name].space and plan.part_trials]
    first_trials = min(plan.trials, CONTEXT_TRIALS) if tunable else plan.trials

    def searched(what: str, first: Sequence[Weights], trials: int) -> list[Tried]:
        return search_weights(
            names,
            open_weights,
            first,
            journal=plan.journal,
            study=f"{plan.study} weights {what}",
            trials=trials,
            seed=plan.seed,
            over=clock.spent,
        )

    tried = searched("present", [present], first_trials)
    weights = best_weights(names, tried, before)
    parameters: dict[str, Values] = {}
    part_trials = 0
    if tunable:
        best, part_trials, too_large = _parts_search(parts, tunable, kept, proposed, weights, plan, clock)
        cut_short += [f"{what}: not enough memory" for what in too_large]
        wanted = plan.part_trials * len(tunable)
        if part_trials < wanted:
            cut_short.append(f"{wanted - part_trials} of {wanted} sets of parameters")
        for name, values in best.items():
            parameters[name] = values
            proposed = _replaced(proposed, names.index(name), parts[name], values, kept, plan.seed)
        open_weights = _weighed(kept, proposed, plan) if best else open_weights
        study = "tuned " + repr(sorted((name, sorted(values.items(), key=str)) for name, values in best.items()))
        tried = searched(study, [weights, present], plan.trials)
        weights = best_weights(names, tried, before)
    if len(tried) < plan.trials:
        cut_short.append(f"{plan.trials - len(tried)} of {plan.trials} sets of weights")
    return Tuned(
        names=names,
        weights=weights,
        parameters=parameters,
        windows=kept,
        before=before,
        after=open_weights.figures(weights),
        alone={name: open_weights.figures(only_one(len(names), number)) for number, name in enumerate(names)},
        weight_trials=len(tried),
        part_trials=part_trials,
        cut_short=cut_short,
    )


def _present(
    parts: Mapping[str, TunablePart], windows: Sequence[Window], clock: _Clock, seed: int
) -> tuple[list[Window], list[list[Proposed]]]:
    """The windows there was time for, the latest first to be looked at, and what each part proposes in each."""
    kept: list[Window] = []
    proposed: list[list[Proposed]] = []
    for window in reversed(windows):
        if kept and clock.spent(PARTS_SHARE):
            break
        mine: list[Proposed] = []
        for name, one in parts.items():
            report(f"fit {name}", len(kept) * len(parts) + len(mine), len(windows) * len(parts))
            mine.append(fitted_proposals(window, one.part, np.random.default_rng(seed)))
        kept.insert(0, window)
        proposed.insert(0, mine)
    return kept, proposed


def _weighed(windows: Sequence[Window], proposed: Sequence[Sequence[Proposed]], plan: Plan) -> WeighedWindows:
    return WeighedWindows.of(windows, proposed, calibration=plan.calibration, drops_seen=plan.drops_seen)


def _present_weights(parts: Mapping[str, TunablePart], half: float) -> Weights:
    warm = np.array([one.part.weight for one in parts.values()], dtype=np.float64)
    cold = [one.part.weight if one.part.cold_weight is None else one.part.cold_weight for one in parts.values()]
    return Weights(warm, np.array(cold, dtype=np.float64), half)


def _parts_search(
    parts: Mapping[str, TunablePart],
    tunable: Sequence[str],
    windows: Sequence[Window],
    proposed: Sequence[Sequence[Proposed]],
    context: Weights,
    plan: Plan,
    clock: _Clock,
) -> tuple[dict[str, Values], int, list[str]]:
    """For each part that deserves others its best parameters; how many sets were tried in all; which were too large.

    A part is judged by what the blend achieves with it, the other parts as they are now. In turns, so that a budget
    that is cut short is cut short for all.
    """
    names = list(parts)
    best: dict[str, Values] = {}
    tried: dict[str, list[Tried]] = {}
    present = goodness(_weighed(windows, proposed, plan).figures(context))
    for turn in range(plan.part_trials):
        for number, name in enumerate(tunable):
            if clock.spent(PARTS_SHARE):
                return best, *_counted(tried)
            report("try parameters", turn * len(tunable) + number, plan.part_trials * len(tunable))
            place = names.index(name)

            def objective(values: Values, place: int = place, name: str = name) -> tuple[float, ...]:
                try:
                    changed = _replaced(proposed, place, parts[name], values, windows, plan.seed)
                except MemoryError:
                    return (UNAFFORDABLE,)
                return (_best_in_context(_weighed(windows, changed, plan), context, place),)

            found = search(
                plan.journal,
                f"{plan.study} part {name} beside {[round(w, 3) for w in context.warm.tolist()]}",
                parts[name].space,
                objective,
                trials=turn + 1,
                objectives=1,
                seed=plan.seed,
            )
            tried[name] = found
            winner = max(found, key=lambda one: one.achieved[0])
            if winner.achieved[0] > present * WORTH_CHANGING:
                best[name] = winner.values
    return best, *_counted(tried)


def _counted(tried: Mapping[str, Sequence[Tried]]) -> tuple[int, list[str]]:
    """How many sets of parameters there are, and by name those that memory did not allow."""
    too_large = [
        f"{name} with " + ", ".join(f"{key} {_short(value)}" for key, value in one.values.items())
        for name, found in tried.items()
        for one in found
        if one.achieved == (UNAFFORDABLE,)
    ]
    return sum(map(len, tried.values())), too_large


def _short(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _best_in_context(open_weights: WeighedWindows, context: Weights, place: int) -> float:
    warm, cold = context.warm.copy(), context.cold.copy()
    achieved = []
    for factor in CONTEXT_FACTORS:
        warm[place] = factor * max(context.warm[place], CONTEXT_LEAST)
        cold[place] = factor * max(context.cold[place], CONTEXT_LEAST)
        achieved.append(goodness(open_weights.figures(Weights(warm, cold, context.half))))
    return max(achieved)


def _replaced(
    proposed: Sequence[Sequence[Proposed]],
    place: int,
    one: TunablePart,
    values: Values,
    windows: Sequence[Window],
    seed: int,
) -> list[list[Proposed]]:
    part = replace(one.part, algorithm=one.build(values))
    changed = [list(mine) for mine in proposed]
    for mine, window in zip(changed, windows, strict=True):
        mine[place] = fitted_proposals(window, part, np.random.default_rng(seed))
    return changed
