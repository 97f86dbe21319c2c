"""Tunes a pipeline of this shop: its TOML becomes a blend, the best weights found become TOML again."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings

from apps.recommend import recipes
from apps.recommend.engine.blend import Blend, askable, blend_of
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.lens import TYPE_FACTORS, Lens
from apps.recommend.engine.pipeline import PipelineSpec, SourceSpec
from apps.recommend.engine.protocols import Learner
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.tuning.ranges import Range, ranges
from apps.recommend.engine.tuning.studies import Values, forget
from apps.recommend.engine.tuning.tuner import Plan, TunablePart, Tuned, tune
from apps.recommend.engine.tuning.windows import windows
from apps.recommend.engine.types import DAY, Interactions, Items
from apps.recommend.pipelines import pipelines
from apps.recommend.recipes import Recipe
from apps.recommend.snapshot import Snapshot
from apps.recommend.tuning_files import model_tables, pipeline_text, tuned_spec

SMALLEST = 0.01  # a source whose weights both fall below this share of the largest is left out
TYPE_WEIGHT = "weight of "  # how a range for an event type's weight is called


class CannotTune(Exception):
    """A pipeline that cannot be tuned. The message says why and what to do."""


@dataclass(frozen=True)
class Wish:
    """What is to be tuned, and how much may be spent on it."""

    pipeline: str
    added: Sequence[str] = ()  # models to try beside those of the pipeline
    trials: int = 300
    part_trials: int = 6
    minutes: float | None = None
    cutoffs: int = 4
    window_days: float = 14.0
    holdout_days: float = 56.0  # days at the end that tuning never looks at
    users: int | None = 2_000  # tested in each window
    resume: bool = False
    seed: int = 20_261_121


@dataclass(frozen=True, eq=False)
class Result:
    """What came out of tuning: the figures, the pipeline with its new weights, and the models that changed."""

    wish: Wish
    tuned: Tuned
    spec: PipelineSpec
    tables: Mapping[str, Mapping[str, Any]]
    new_only: bool
    until: int
    notes: Sequence[str]

    def write(self, path: Path) -> list[Path]:
        """Write the pipeline to `path` and changed models to `models/` beside it; both are read by recipes and serving.

        Returns the files written. A models file of an earlier tuning that is not needed any more is removed.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pipeline_text(self.spec), encoding="utf-8")
        beside = path.parent / "models" / path.name
        if not self.tables:
            beside.unlink(missing_ok=True)
            return [path]
        beside.parent.mkdir(exist_ok=True)
        beside.write_text(model_tables(self.tables), encoding="utf-8")
        return [path, beside]


def default_path(pipeline: str) -> Path:
    """Where the tuned pipeline is written: where it replaces the present one, if the shop has a place of its own."""
    if settings.PLUGINS_DIR is not None:
        return Path(settings.PLUGINS_DIR) / "pipelines" / f"{pipeline}.toml"
    return Path(settings.VAR_DIR) / "tuning" / f"{pipeline}.toml"


def tune_pipeline(wish: Wish, snapshot: Snapshot) -> Result:
    """Tune on the windows before the last `holdout_days`. Raises CannotTune, RecipeError or NotEnoughData."""
    spec = _wished_spec(wish)
    known = recipes.all_recipes()
    try:
        blend = blend_of(spec, known)
    except ValueError as problem:
        raise CannotTune(f"{problem}; there is nothing to tune.") from problem
    interactions = snapshot.interactions_for(blend)
    if not len(interactions):
        raise NotEnoughData("events", 0, 1)
    until = int(interactions.times.max()) + 1 - int(wish.holdout_days * DAY)
    items = snapshot.items_with_texts if blend.reads_texts else snapshot.items
    found = windows(
        interactions,
        items,
        until=until,
        days=wish.window_days,
        count=wish.cutoffs,
        new_only=blend.drops_seen,
        limit_users=wish.users,
        seed=wish.seed,
    )
    types = _types(interactions)
    parts = _tunable_parts(spec, blend, known, types)
    plan = Plan(
        journal=Path(settings.VAR_DIR) / "tuning" / f"{wish.pipeline}.journal",
        study=_study(wish, spec, known, interactions, items, until),
        calibration=blend.calibration,
        drops_seen=blend.drops_seen,
        history_half=blend.history_half,
        trials=wish.trials,
        part_trials=wish.part_trials,
        seconds=None if wish.minutes is None else 60 * wish.minutes,
        seed=wish.seed,
    )
    if not wish.resume:
        forget(plan.journal)
    tuned = tune(parts, found, plan)
    return Result(
        wish=wish,
        tuned=tuned,
        spec=tuned_spec(spec, tuned.weights, SMALLEST),
        tables=_changed_tables(spec, blend, tuned, types),
        new_only=blend.drops_seen,
        until=until,
        notes=blend.notes,
    )


def _wished_spec(wish: Wish) -> PipelineSpec:
    known = pipelines()
    if wish.pipeline not in known:
        raise CannotTune(f"no pipeline is called {wish.pipeline!r}. Known: {', '.join(known)}.")
    spec = known[wish.pipeline].spec
    present = {source.config.get("model") for source in spec.sources}
    return spec.model_copy(
        update={"sources": (*spec.sources, *(_asking(name) for name in wish.added if name not in present))}
    )


def _asking(model: str) -> SourceSpec:
    """A source that asks `model`, which must exist, in the way that suits it."""
    everybody = recipes.recipe(model).algorithm == "popularity"
    use, reason = ("most_wanted", "popular") if everybody else ("nearest_to_user", "taste")
    return SourceSpec(use=use, config={"model": model}, weight=0.3, reason=reason)


def _tunable_parts(
    spec: PipelineSpec, blend: Blend, known: Mapping[str, Recipe], types: Mapping[str, float]
) -> dict[str, TunablePart]:
    sources = [source for source in spec.sources if askable(source)]
    parts = {}
    for source, (name, part) in zip(sources, blend.parts.items(), strict=True):
        recipe = known.get(str(source.config.get("model")))
        if recipe is None:  # a source without a model has no parameters that training decides
            parts[name] = TunablePart(part, {}, partial(_as_it_is, part.algorithm))
        else:
            parts[name] = TunablePart(part, _space(recipe, types), partial(_with_values, recipe, types))
    return parts


def _types(interactions: Interactions) -> dict[str, float]:
    """The weight of each event type that occurs and speaks for an item."""
    worth = [interactions.worth[int(code)] for code in np.unique(interactions.types)]
    return {one.name: one.weight for one in worth if one.taste and one.weight > 0}


def _space(recipe: Recipe, types: Mapping[str, float]) -> dict[str, Range]:
    """The recipe's own ranges, and the lens's for an algorithm that learns from events."""
    cls = ALGORITHMS[recipe.algorithm]
    space = dict(ranges(cls.Config))
    if cls.reads_texts and not cls.collaborative:
        return space
    space |= {name: one for name, one in ranges(Lens).items() if name not in cls.Config.model_fields}
    if len(types) > 1:
        space |= {f"{TYPE_WEIGHT}{name}": TYPE_FACTORS for name in sorted(types)}
    return space


def _as_it_is(algorithm: Learner, values: Values) -> Learner:
    return algorithm


def _with_values(recipe: Recipe, types: Mapping[str, float], values: Values) -> Learner:
    parameters = _in_place(recipe.parameters, values, types)
    built: Learner = Recipe.of(recipe.name, recipe.algorithm, parameters).build()
    return built


def _in_place(parameters: Mapping[str, Any], values: Values, types: Mapping[str, float]) -> dict[str, Any]:
    """`parameters` with `values` in place, to four digits; None stands for the default and is left out."""
    result = dict(parameters)
    weights = dict(result.pop("weights", None) or {})
    for key, value in values.items():
        tidy = float(f"{value:.4g}") if isinstance(value, float) else value
        if key.startswith(TYPE_WEIGHT):
            name = key.removeprefix(TYPE_WEIGHT)
            weights[name] = float(f"{types[name] * float(tidy or 0):.4g}")
        else:
            result[key] = tidy
    if weights:
        result["weights"] = weights
    return {key: value for key, value in result.items() if value is not None}


def _changed_tables(
    spec: PipelineSpec, blend: Blend, tuned: Tuned, types: Mapping[str, float]
) -> dict[str, dict[str, Any]]:
    """The tables of models whose parameters changed, as they are to stand in a file."""
    models = dict(
        zip(blend.parts, (source.config.get("model") for source in spec.sources if askable(source)), strict=True)
    )
    kept = {str(source.config.get("model")) for source in tuned_spec(spec, tuned.weights, SMALLEST).sources}
    return {
        str(models[part]): _in_place(recipes.table(str(models[part])), values, types)
        for part, values in tuned.parameters.items()
        if models[part] in kept
    }


def _study(
    wish: Wish,
    spec: PipelineSpec,
    known: Mapping[str, Recipe],
    interactions: Interactions,
    items: Items,
    until: int,
) -> str:
    """A name that changes with all that a trial's figures depend on."""
    facts = [
        spec.model_dump(mode="json"),
        {name: known[name].digest for name in spec.models},
        [wish.cutoffs, wish.window_days, wish.users, wish.seed, until],
        [len(interactions), interactions.as_of, len(items), sorted(map(repr, interactions.worth.values()))],
    ]
    return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=8).hexdigest()
