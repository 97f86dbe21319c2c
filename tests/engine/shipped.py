"""The shipped pipelines and models as their files stand, without a database, and somebody to ask them."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import apps.recommend.engine
from apps.recommend.engine.context import Context
from apps.recommend.engine.lens import Lens, lens_and_rest, through_lens
from apps.recommend.engine.past_events import PastEvents
from apps.recommend.engine.pipeline import Pipeline, PipelineSpec
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.served_model import ServedModel
from apps.recommend.engine.types import DAY, Evidence, Items, Query, Rows, event_weights
from apps.recommend.engine.worth_columns import WorthColumns
from tests import worlds
from tests.worlds import NOW, WORTH

FOLDER = Path(apps.recommend.engine.__file__).parent.parent / "pipelines"
FILES = sorted(path for path in FOLDER.glob("*.toml") if path.name != "models.toml")
RECIPES = tomllib.loads((FOLDER / "models.toml").read_text(encoding="utf-8"))

Happened = tuple[int, int, float]  # item row, event type, days ago


@cache
def pipeline(name: str) -> Pipeline:
    return Pipeline(PipelineSpec.read(FOLDER / f"{name}.toml"))


def fit(name: str, interactions: Any, items: Items) -> Any:
    """The shipped model called `name`, with the text encoder that needs nothing."""
    table = {key: "tfidf" if value == "${TEXT_ENCODER}" else value for key, value in RECIPES[name].items()}
    algorithm = ALGORITHMS[table.pop("algorithm")]
    of_lens, own = lens_and_rest(algorithm.Config, table)
    built = through_lens(algorithm(algorithm.Config(**own)), Lens(**of_lens))
    return built.fit(interactions, items, np.random.default_rng(1))


def served(models: Mapping[str, Any], items: Items) -> dict[str, ServedModel]:
    return {name: ServedModel.over(items, model, name=name, version=f"{name}-1") for name, model in models.items()}


def who(*happened: Happened, seeds: Rows | tuple[int, ...] = (), text: str = "", now: int = NOW) -> Query:
    """Somebody who did all that; in whatever order it is told, the latest counts as the latest."""
    latest_first = sorted(happened, key=lambda one: one[2])
    rows = np.array([row for row, _, _ in latest_first], dtype=np.int32)
    types = np.array([kind for _, kind, _ in latest_first], dtype=np.int16)
    times = np.array([now - round(days * DAY) for _, _, days in latest_first], dtype=np.int64)
    worth = WorthColumns.of(WORTH)
    weights = event_weights(types, times, np.full(len(rows), np.nan, np.float32), worth, now)
    return Query(
        history=Evidence.of_events(rows, weights, types, worth, times),
        seeds=Evidence.of_rows(seeds),
        text=text,
        now=now,
        events=PastEvents(rows, types, times, WORTH),
    )


def first(name: str, query: Query, context: Context, count: int = 10) -> list[int]:
    return pipeline(name).run(query, context).slate.rows[:count].tolist()


def of_group(world: worlds.World, group: int) -> list[int]:
    return np.flatnonzero(world.item_groups == group).tolist()
