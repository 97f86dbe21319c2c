"""A recipe on trial: fitted on the past, asked about what came next, beside popularity and the active recipe."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.evaluation.compare import Interval, intervals
from apps.recommend.engine.evaluation.evaluate import Measured, compare, measure
from apps.recommend.engine.evaluation.splits import Split, items_as_of, temporal_split
from apps.recommend.engine.types import Interactions, Items
from apps.recommend.recipes import Recipe, baselines

HELD_OUT = 0.1  # share of the latest taste events
TESTED_USERS = 5_000  # a sample of this size tells models apart; more only take longer
METRICS = ("recall", "ndcg", "hit_rate", "coverage")
K = 10
DECIDES = "ndcg@10"


@dataclass(frozen=True)
class Trial:
    """What came out. `metrics` is JSON; both are empty where the data do not allow a trial, and `note` says why."""

    metrics: Mapping[str, Any]
    against_active: Interval | None  # of the difference in NDCG@10, paired by user
    note: str = ""

    @property
    def clearly_worse(self) -> bool:
        """Whether the active recipe won beyond doubt: the whole interval of the difference lies below zero."""
        return self.against_active is not None and self.against_active.high < 0


def try_out(
    recipe: Recipe,
    active: Recipe | None,
    interactions: Interactions,
    items: Items,
    *,
    seed: int,
    announce: Callable[[str], None],
) -> Trial:
    """Hold `recipe` against popularity and, where it is another recipe, the active one.

    Both are fitted anew on the part before the split, because the active model itself has seen the held-out days.
    """
    try:
        split = _split(interactions, seed)
        past_items = items_as_of(items, split.train, split.at)
        train = split.train.compact()

        def measured(algorithm: Any) -> Measured:
            model = algorithm.fit(train, past_items, np.random.default_rng(seed))
            return measure(model, split, n_items=len(past_items), ks=(K,), metrics=METRICS)

        announce("trying it on the latest events")
        ours = measured(recipe.build())
        popularity = measured(baselines()["popularity"].build())
    except NotEnoughData as lack:
        return Trial({}, None, f"Not measured: a trial on the latest events {lack}.")
    difference = None
    note = ""
    if active is not None and active.digest != recipe.digest:
        announce("trying the active recipe on the same events")
        try:
            difference = compare(ours, measured(active.build()), seed=seed)
        except NotEnoughData as lack:
            note = f"Not compared with the active recipe, which {lack}."
    metrics = {
        "held_out": {"from": split.at, "until": split.until, "users": len(split.users), "events": int(split.truth.nnz)},
        "figures": _figures(ours, seed),
        "popularity": _figures(popularity, seed),
        "minus_popularity": _as_json(compare(ours, popularity, seed=seed)),
        "minus_active": _as_json(difference) if difference else None,
    }
    return Trial(metrics, difference[DECIDES] if difference else None, note)


def _split(interactions: Interactions, seed: int) -> Split:
    """The last HELD_OUT of the taste events, for at most TESTED_USERS users. Raises NotEnoughData."""
    wanted = [worth.name for worth in interactions.worth.values() if worth.taste and worth.weight > 0]
    times = interactions.times[interactions.of_types(wanted)]
    if not len(times):
        raise NotEnoughData("events of taste", 0, 1)
    split = temporal_split(interactions, at=int(np.quantile(times, 1 - HELD_OUT)))
    return split.sample(TESTED_USERS, np.random.default_rng(seed))


def _figures(result: Measured, seed: int) -> dict[str, Any]:
    values = np.stack(list(result.per_user.values()), axis=1)
    found = intervals(values, np.random.default_rng(seed))
    named = {f"{name}@{k}": interval for (name, k), interval in zip(result.per_user, found, strict=True)}
    return _as_json(named) | {f"{name}@{k}": {"mean": round(v, 5)} for (name, k), v in result.overall.items()}


def _as_json(found: Mapping[str, Interval]) -> dict[str, Any]:
    return {
        name: {"mean": round(interval.mean, 5), "low": round(interval.low, 5), "high": round(interval.high, 5)}
        for name, interval in found.items()
    }
