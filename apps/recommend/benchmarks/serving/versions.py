"""Model versions of a `World`, written straight into the model store: what training would have left, without training.

The models that training needs long for are made from the world's own vectors and clusters; those that only count are
fitted to the events in the database. Everything after the fit is as in training: indexes built and checked by
`model_indexes`, the store's own writer, rows in the database.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone

from apps.recommend import model_indexes, model_store, publish, recipes
from apps.recommend.benchmarks.serving.world import FACTORS, World
from apps.recommend.engine.algorithms.als import AlsModel
from apps.recommend.engine.algorithms.content import ContentModel
from apps.recommend.engine.algorithms.item_knn import ItemKnnModel
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.products import unit_rows
from apps.recommend.models import ModelVersion, Placement
from apps.recommend.pipelines import pipelines
from apps.recommend.snapshot import Snapshot

SWAPPED = ("als", "content", "item_knn")  # the home page's large ones; each has a second version
_LINKED = ("item_knn", "bought_together", "viewed_together")
_NEIGHBOURS = 50

Say = Callable[[str], None]


def write_versions(world: World, *, twice: bool, say: Say) -> None:
    """A first version of every model that a placement asks, active; with `twice` a second one of SWAPPED, not active.

    Search is left out: its model reads texts.
    """
    asked = {name for placement in Placement.objects.all() for name in pipelines()[placement.pipeline].spec.models}
    for name, model in _models(world, asked, say):
        first = _write(name, model)
        with transaction.atomic():
            publish.switch(first, by="", reason="trained")
        say(f"model {first}")
        if twice and name in SWAPPED:
            say(f"model {_write(name, model)}")


def _models(world: World, asked: set[str], say: Say) -> Iterator[tuple[str, Any]]:
    """Each model only when it is its turn: the large ones are not needed at the same time."""
    yield from _counted(sorted(asked - {"als", "content", *_LINKED}), say)
    ids = np.arange(1, len(world) + 1, dtype=np.int64)
    neighbours, weights = world.links(_NEIGHBOURS)
    links = ItemKnnModel(ids, neighbours, weights, np.empty(0, np.float32))
    for name in _LINKED:
        yield name, links
    yield "als", als_model(world)
    yield "content", ContentModel(ids, world.content(), "benchmark")


def _counted(names: list[str], say: Say) -> Iterator[tuple[str, Any]]:
    snapshot = Snapshot.now()
    for name in names:
        recipe = recipes.recipe(name)
        if recipe.reads_texts:
            continue
        algorithm = recipe.build()
        try:
            model = algorithm.fit(snapshot.interactions_for(algorithm), snapshot.items, np.random.default_rng(1))
        except NotEnoughData as lack:
            say(f"no model {name}: it {lack}")
        else:
            yield name, model


def als_model(world: World) -> AlsModel:
    """The world's factors as ALS would have found them."""
    wide = world.factors.astype(np.float64)
    return AlsModel(
        item_ids=np.arange(1, len(world) + 1, dtype=np.int64),
        factors=world.factors,
        unit_factors=unit_rows(world.factors),
        gram=wide.T @ wide + np.eye(FACTORS),
        alpha=0.5,
    )


def _write(name: str, model: Any) -> str:
    recipe = recipes.recipe(name)
    taken = list(ModelVersion.objects.filter(model=name).values_list("version", flat=True))
    version = model_store.next_version(name, taken, timezone.localtime().strftime("%Y%m%d"))
    with model_store.workspace(name, 0) as folder:
        indexes = model_indexes.build(model, folder, seed=1, rng=np.random.default_rng(1))
        manifest = model_store.write(
            version=version,
            algorithm=recipe.algorithm,
            model=model,
            indexes=indexes,
            facts={"recipe": {"digest": recipe.digest, "parameters": recipe.parameters}, "metrics": {}},
        )
    ModelVersion.objects.create(model=name, version=version, algorithm=recipe.algorithm, manifest=manifest, metrics={})
    return version
