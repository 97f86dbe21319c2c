"""A pipeline as one model answers as the pipeline itself would."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from apps.plugins import ComponentConfig
from apps.recommend.engine.blend import Blend, BlendPart, blend_of
from apps.recommend.engine.context import Context
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.evaluation.evaluate import measure
from apps.recommend.engine.evaluation.splits import temporal_split
from apps.recommend.engine.lens import Lens, through_lens
from apps.recommend.engine.pipeline import Pipeline, PipelineSpec
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.served_model import ServedModel
from apps.recommend.engine.types import DAY, Evidence, Queries, Query
from tests import worlds

RNG = np.random.default_rng(1)


@dataclass(frozen=True)
class Recipe:
    """What a shop's recipe is to a blend."""

    name: str
    lens: Lens = field(default_factory=Lens)

    def build(self) -> Any:
        return through_lens(ALGORITHMS.create(self.name), self.lens)


RECIPES = {name: Recipe(name) for name in ("als", "item_knn", "content", "popularity")}

HOME = {
    "name": "home",
    "label": "Home",
    "history_half": 3.0,
    "sources": [
        {"use": "nearest_to_user", "model": "item_knn", "weight": 1.0, "cold_weight": 0.2, "limit": 12},
        {"use": "nearest_to_user", "model": "als", "weight": 0.7, "limit": 15},
        {"use": "nearest_to_user", "model": "content", "weight": 0.1, "cold_weight": 0.5, "limit": 20},
        {"use": "most_wanted", "model": "popularity", "weight": 0.0, "cold_weight": 1.0, "limit": 10},
        {"use": "newest", "weight": 0.05, "limit": 5},
    ],
    "stages": [{"use": "drop_seen"}],
}


def spec(**changes: Any) -> PipelineSpec:
    return PipelineSpec(**(HOME | changes))


@pytest.fixture(scope="module")
def shop() -> worlds.World:
    """The planted world, each item published on a day of its own."""
    world = worlds.planted()
    days = np.random.default_rng(5).permutation(len(world.items))
    return replace(world, items=replace(world.items, published=worlds.START - days * DAY))


def histories(world: worlds.World) -> sparse.csr_matrix:
    """All users' evidence, and last somebody unknown."""
    matrix = world.interactions.matrix()
    return sparse.vstack([matrix, sparse.csr_matrix((1, matrix.shape[1]), dtype=np.float32)]).tocsr()


@pytest.mark.parametrize("calibration", ["spread", "range", "rank"])
@pytest.mark.parametrize("stages", [[{"use": "drop_seen"}], []], ids=["new only", "seen too"])
def test_a_blend_answers_many_users_as_the_pipeline_answers_each(
    shop: worlds.World, calibration: str, stages: list[dict[str, str]]
) -> None:
    pipeline = Pipeline(spec(calibration=calibration, stages=stages))
    blend = blend_of(pipeline.spec, RECIPES)
    model = blend.fit(shop.interactions, shop.items, RNG)
    np.testing.assert_array_equal(model.item_ids, shop.items.ids)
    models = {
        name: ServedModel.over(shop.items, fitted, name=name, version="1")
        for name, fitted in model.models.items()
        if name in RECIPES
    }
    context = Context(items=shop.items, eligible=np.ones(len(shop.items), bool), models=models)
    asked = histories(shop)
    together = model.score_batch(asked)
    for user in [*range(0, asked.shape[0], 20), asked.shape[0] - 1]:
        mine = slice(asked.indptr[user], asked.indptr[user + 1])
        rows = asked.indices[mine].astype(np.int32)
        evidence = Evidence(rows, asked.data[mine], np.full(len(rows), -1, np.int16))
        slate = pipeline.run(Query(history=evidence, now=shop.interactions.as_of), context).slate
        expected = np.full(len(shop.items), np.nan, np.float32)
        expected[slate.rows] = slate.scores
        np.testing.assert_allclose(together[user], expected, rtol=1e-3, atol=1e-4)
        alone = model.score(Query(history=evidence), np.arange(len(shop.items), dtype=np.int32))
        np.testing.assert_allclose(alone, together[user], rtol=1e-3, atol=1e-4)


def test_somebody_unknown_gets_what_everybody_wants(shop: worlds.World) -> None:
    model = blend_of(spec(), RECIPES).fit(shop.interactions, shop.items, RNG)
    scores = model.score_batch(histories(shop))[-1]
    best = np.nanargmax(scores)
    popularity = model.models["popularity"]
    assert popularity is not None
    assert best == np.argmax(popularity.score(Query(), np.arange(len(shop.items), dtype=np.int32)))
    assert np.isfinite(scores).sum() <= 15


def test_with_more_history_the_cold_parts_count_less(shop: worlds.World) -> None:
    """Popularity counts only for the cold: its share of a list falls as the history grows."""
    model = blend_of(spec(), RECIPES).fit(shop.interactions, shop.items, RNG)
    popularity = model.models["popularity"]
    assert popularity is not None
    everything = np.arange(len(shop.items), dtype=np.int32)
    popular = set(np.argsort(-popularity.score(Query(), everything))[:5].tolist())
    whole = shop.interactions.matrix()
    shares = []
    for kept in (0, 1, 8):
        cut = sparse.lil_matrix(whole.shape, dtype=np.float32)
        for user in range(whole.shape[0]):
            for item in whole.indices[whole.indptr[user] : whole.indptr[user + 1]][:kept]:
                cut[user, item] = whole[user, item]
        scores = np.nan_to_num(model.score_batch(cut.tocsr()), nan=-1)
        best = np.argsort(-scores, axis=1)[:, :5]
        shares.append(np.mean([len(popular & set(row)) / 5 for row in best.tolist()]))
    assert shares[0] == 1.0
    assert shares[0] > shares[1] > shares[2]


def test_a_part_with_too_little_to_learn_from_is_silent(shop: worlds.World) -> None:
    bare = replace(shop.items, texts=None)
    with_content = blend_of(spec(), RECIPES).fit(shop.interactions, bare, np.random.default_rng(1))
    assert with_content.models["content"] is None
    scores = with_content.score_batch(histories(shop))
    assert np.isfinite(scores).any(axis=1).all()
    only = spec(sources=[{"use": "nearest_to_user", "model": "content"}])
    with pytest.raises(NotEnoughData, match="items with a text"):
        blend_of(only, RECIPES).fit(shop.interactions, bare, RNG)


def test_what_a_blend_cannot_ask_is_named_and_a_pipeline_of_nothing_else_refused() -> None:
    seeds = {"use": "goes_with_seeds", "model": "item_knn"}
    blend = blend_of(spec(sources=[*HOME["sources"], seeds], stages=[{"use": "drop_seeds"}]), RECIPES)
    assert len(blend.parts) == len(HOME["sources"])
    assert ["goes_with_seeds" in note or "drop_seeds" in note for note in blend.notes] == [True, True]
    assert not blend.drops_seen
    with pytest.raises(ValueError, match="home has no source"):
        blend_of(spec(sources=[seeds]), RECIPES)


def test_two_sources_may_ask_the_same_model() -> None:
    twice = [{"use": "nearest_to_user", "model": "item_knn"}, {"use": "most_wanted", "model": "item_knn"}]
    assert list(blend_of(spec(sources=twice), RECIPES).parts) == ["item_knn", "item_knn_2"]


def test_a_blend_is_measured_like_any_model(shop: worlds.World) -> None:
    split = temporal_split(shop.interactions, at=worlds.START + 45 * DAY)
    train = split.train.compact()
    model = blend_of(spec(), RECIPES).fit(train, shop.items, np.random.default_rng(1))
    popular = Recipe("popularity").build().fit(train, shop.items, RNG)
    ndcg = [
        measure(one, split, n_items=len(shop.items), metrics=("ndcg",)).per_user["ndcg", 10].mean()
        for one in (model, popular)
    ]
    assert ndcg[0] > 1.5 * ndcg[1]


def test_a_part_that_knows_people_and_times_is_told_both() -> None:
    """Its best item is the user's number, its second the hour of the latest event, counted from now."""

    class Told:
        item_ids = worlds.item_ids(30)
        score = None

        def score_queries(self, asked: Queries) -> np.ndarray:
            scores = np.zeros((len(asked), 30), np.float32)
            latest = asked.times.max(axis=1).toarray().ravel()
            scores[np.arange(len(asked)), asked.users] = 2
            scores[np.arange(len(asked)), ((asked.now - latest) // 3600).astype(int)] = 1
            return scores

    class Telling:
        reads_texts = False

        def fit(self, interactions: Any, items: Any, rng: np.random.Generator) -> Any:
            return Told()

    blend = Blend({"told": BlendPart(Telling(), limit=2)}, drops_seen=False)
    model = blend.fit(worlds.events([(0, 0, worlds.VIEW)]), worlds.catalog(30), RNG)
    history = sparse.csr_matrix(([1.0, 1.0, 1.0], ([0, 0, 1], [5, 9, 5])), shape=(2, 30), dtype=np.float32)
    hours = sparse.csr_matrix(([3600.0 * 90, 3600.0 * 93, 3600.0 * 80], ([0, 0, 1], [5, 9, 5])), shape=(2, 30))
    scores = model.score_queries(Queries(history, hours, np.array([4, 2]), np.full(2, 3600 * 100)))
    assert [np.argsort(-np.nan_to_num(row, nan=-1))[:2].tolist() for row in scores] == [[4, 7], [2, 20]]
    assert np.isfinite(scores).sum(axis=1).tolist() == [2, 2]


def test_parts_draw_from_generators_of_their_own() -> None:
    """Adding a part must not change what the others learn."""

    class Drawing:
        Config = ComponentConfig
        Model = None
        collaborative = reads_texts = False

        def fit(self, interactions: Any, items: Any, rng: np.random.Generator) -> Any:
            self.drew = rng.random()
            return ALGORITHMS.create("popularity").fit(interactions, items, rng)

    events = worlds.events([(0, 0, worlds.VIEW)])
    drawn = []
    for count in (1, 2):
        parts = {f"p{n}": BlendPart(Drawing()) for n in range(count)}
        Blend(parts).fit(events, worlds.catalog(1), np.random.default_rng(3))
        drawn.append([part.algorithm.drew for part in parts.values()])
    assert drawn[0][0] == drawn[1][0] != drawn[1][1]
