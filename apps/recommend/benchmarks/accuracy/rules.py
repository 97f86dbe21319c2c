"""How a contest is held."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.tuning.ranges import ranges
from apps.recommend.engine.tuning.studies import Values

ENTRANTS = (
    "rp3beta",
    "item_knn",
    "slim",
    "ease",
    "graph_filter",
    "ials",
)  # the cheap first: what they leave is spent later
QUICKER: Mapping[str, Values] = {"ease": {"solver": "neighbourhood"}}  # an exact fit each trial would cost the budget
TRIALS, TRIALS_EACH = 4, 3  # of an algorithm, and for each of its parameters
LEAST_TRIALS = 4
PAIRS_FOR_ALL = 1_000_000  # training pairs that allow so many in half an hour
WEIGHTLESS: Values = {"binary": True, "weight_power": 0.0}  # parameters that say nothing where all pairs weigh the same


@dataclass(frozen=True)
class Rules:
    """`fixed` are parameters by algorithm that are not tuned; `trials` is how many sets are tried of each algorithm.

    `trials` None: by the size of the data and the budget; 0: nothing is tuned, defaults and `fixed` count.
    """

    entrants: Sequence[str] = ENTRANTS
    fixed: Mapping[str, Values] = field(default_factory=dict)
    validation_fraction: float = 0.1
    budget_minutes: float = 30.0
    trials: int | None = None
    seed: int = 0

    def fixed_of(self, algorithm: str) -> Values:
        """The algorithm's parameters that are not tuned."""
        fields = ALGORITHMS[algorithm].Config.model_fields
        weightless = {name: value for name, value in WEIGHTLESS.items() if name in fields}
        quicker = {} if self.trials == 0 else QUICKER.get(algorithm, {})
        return {**weightless, **quicker, **self.fixed.get(algorithm, {})}

    def trials_of(self, algorithm: str, pairs: int) -> int:
        """The number for so many pairs. Never by the clock, so that the same command finds the same parameters."""
        tuned = [name for name in ranges(ALGORITHMS[algorithm].Config) if name not in self.fixed_of(algorithm)]
        if not tuned:
            return 0
        if self.trials is not None:
            return self.trials
        affordable = (self.budget_minutes / 30) * PAIRS_FOR_ALL / max(pairs, PAIRS_FOR_ALL)
        return max(LEAST_TRIALS, round((TRIALS + TRIALS_EACH * len(tuned)) * affordable))


def rules_of(algorithms: str, fixed: Sequence[str], **others: Any) -> Rules:
    """Rules as the command line gives them: names with commas between, parameters as ALGORITHM.PARAMETER=VALUE.

    Values are JSON where they can be read so, else text. Raises ValueError for what does not fit.
    """
    entrants = tuple(name.strip() for name in algorithms.split(",") if name.strip())
    unknown = [name for name in entrants if name not in list(ALGORITHMS)]
    if unknown or not entrants:
        known = ", ".join(ALGORITHMS)
        raise ValueError(f"--algorithms: {unknown[0] if unknown else 'nothing'} is no algorithm. Known: {known}.")
    if len(set(entrants)) < len(entrants):
        raise ValueError("--algorithms: name each algorithm once.")
    given: dict[str, dict[str, Any]] = {}
    for one in fixed:
        name, _, value = one.partition("=")
        algorithm, _, parameter = name.partition(".")
        if algorithm not in entrants or parameter not in ALGORITHMS[algorithm].Config.model_fields:
            raise ValueError(f"--set {one}: wanted ALGORITHM.PARAMETER=VALUE, of an algorithm that takes part.")
        given.setdefault(algorithm, {})[parameter] = _value(value)
    for algorithm, parameters in given.items():
        ALGORITHMS.create(algorithm, parameters)
    if not 0 < others["validation_fraction"] <= 0.25:
        raise ValueError("--validation-fraction: wanted more than 0 and at most 0.25.")
    if others["budget_minutes"] <= 0:
        raise ValueError("--budget-minutes: wanted more than 0.")
    if others["trials"] is not None and others["trials"] < 0:
        raise ValueError("--trials: wanted a whole number from 0.")
    return Rules(entrants, given, **others)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
