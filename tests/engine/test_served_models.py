"""What serving makes of a model: the same answer by whatever way, over a catalog that goes on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.algorithms.category_popularity import CategoryPopularityModel
from apps.recommend.engine.algorithms.content import ContentModel
from apps.recommend.engine.algorithms.item_knn import ItemKnnModel
from apps.recommend.engine.algorithms.popularity import PopularityModel
from apps.recommend.engine.delta import Delta
from apps.recommend.engine.indexes.exact_index import ExactIndex
from apps.recommend.engine.products import unit_rows
from apps.recommend.engine.served_model import ServedModel
from apps.recommend.engine.types import Evidence, Query, Scores
from tests import worlds

N = 400
SHOP = worlds.catalog(N)
RNG = np.random.default_rng(8)
UNITS = unit_rows(RNG.normal(size=(12, 24))[RNG.integers(12, size=N)] + 0.6 * RNG.normal(size=(N, 24)))
HISTORY = Evidence(
    np.array([3, 50, 7, 120, 300], np.int32),
    np.array([1.0, 0.5, 3.0, -1.0, 2.0], np.float32),
    np.full(5, 1, np.int16),
)
ALL = np.ones(N, dtype=bool)


class Counted:
    """An index that says how much it was asked for."""

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self.exact = ExactIndex(vectors)
        self.asked: list[int] = []

    def search(self, vector: NDArray[np.float32], limit: int) -> tuple[Any, Scores]:
        self.asked.append(limit)
        return self.exact.search(vector, limit)


def content(n: int = N, **more: Any) -> ServedModel:
    model = ContentModel(SHOP.ids[:n], UNITS[:n], "test")
    return ServedModel.over(SHOP, model, name="content", version="1", **more)


def links(bias: bool) -> ItemKnnModel:
    near = RNG.integers(-1, N, size=(N, 30)).astype(np.int32)
    weights = np.where(near >= 0, RNG.random((N, 30)) - 0.1, 0).astype(np.float32)
    added = RNG.random(N).astype(np.float32) if bias else np.empty(0, np.float32)
    return ItemKnnModel(SHOP.ids, near, weights, added)


def categories() -> CategoryPopularityModel:
    """A tree: every item in a leaf, its middle and the root."""
    leaf = RNG.integers(40, size=N)
    columns = np.stack([leaf, 40 + leaf // 8, np.full(N, 45)], axis=1)
    wanted = RNG.pareto(1.0, size=N) + 0.1
    narrow = 1 / np.bincount(columns.ravel(), np.repeat(wanted, 3))
    speaks = narrow[columns] / narrow[columns].sum(axis=1, keepdims=True)
    return CategoryPopularityModel(
        item_ids=SHOP.ids,
        indptr=np.arange(N + 1, dtype=np.int32) * 3,
        indices=columns.ravel().astype(np.int32),
        data=(wanted[:, None] * narrow[columns]).ravel().astype(np.float32),
        speaks=speaks.ravel().astype(np.float32),
        n_categories=46,
    )


MODELS: dict[str, Callable[[], Any]] = {
    "links": lambda: links(False),
    "links and bias": lambda: links(True),
    "popularity": lambda: PopularityModel(SHOP.ids, RNG.integers(0, 30, size=N).astype(np.float32)),
    "categories": categories,
}


def brute(served: ServedModel, query: Query, eligible: NDArray[np.bool_], limit: int) -> list[float]:
    rows = np.flatnonzero(eligible).astype(np.int32)
    scores = served.score(query, rows)
    return sorted((float(score) for score in scores if score == score), reverse=True)[:limit]


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("shown", [1.0, 0.9, 0.3, 0.02])
@pytest.mark.parametrize("limit", [1, 10, 60])
def test_what_a_model_finds_by_itself_is_what_scoring_everything_finds(kind: str, shown: float, limit: int) -> None:
    served = ServedModel.over(SHOP, MODELS[kind](), name="m", version="1")
    served.prepare()
    eligible = np.random.default_rng(limit).random(N) < shown
    query = Query(history=HISTORY)
    found = served.best(query, eligible, limit, "m")
    expected = brute(served, query, eligible, limit)
    # Of categories the very last may be missed; see there.
    sure = len(expected) - (len(expected) // 10 if kind == "categories" else 0)
    assert len(found) == len(expected)
    np.testing.assert_allclose(found.scores[:sure], expected[:sure], rtol=1e-4)
    np.testing.assert_allclose(served.score(query, found.rows), found.scores, rtol=1e-5)
    assert eligible[found.rows].all()
    assert len(np.unique(found.rows)) == len(found)


def test_links_are_summed_alike_for_few_rows_and_for_all() -> None:
    model = links(False)
    query = Query(history=HISTORY)
    dense = np.zeros(N)
    for row, weight in zip(HISTORY.rows, HISTORY.weights, strict=True):
        for near, link in zip(model.neighbours[row], model.weights[row], strict=True):
            if near >= 0:
                dense[near] += float(link) * float(weight)
    scores = model.score(query, np.arange(N, dtype=np.int32))
    linked = np.isin(np.arange(N), model.neighbours[HISTORY.rows])
    np.testing.assert_allclose(scores[linked], dense[linked], rtol=1e-4, atol=1e-6)
    assert np.isnan(scores[~linked]).all()
    few = np.array([9, 3, 9, 77], np.int32)
    np.testing.assert_array_equal(model.score(query, few), scores[few])


def test_an_index_is_asked_for_little_more_than_is_wanted_and_again_where_too_little_can_be_shown() -> None:
    index = Counted(UNITS)
    served = content(indexes={"history": index, "seeds": index})
    query = Query(history=HISTORY)
    exact = content()
    assert served.best(query, ALL, 20, "c").rows.tolist() == exact.best(query, ALL, 20, "c").rows.tolist()
    assert index.asked == [26]
    some = np.random.default_rng(3).random(N) < 0.3
    assert served.best(query, some, 20, "c").rows.tolist() == exact.best(query, some, 20, "c").rows.tolist()
    assert index.asked[1] == 26
    assert len(index.asked) == 3
    assert index.asked[-1] <= 160


def test_where_hardly_anything_can_be_shown_everything_is_scored() -> None:
    index = Counted(UNITS)
    few = np.zeros(N, dtype=bool)
    few[np.argsort(UNITS @ UNITS[3])[:6]] = True
    found = content(indexes={"seeds": index}).best(Query(seeds=Evidence.of_rows([3])), few, 5, "c")
    assert len(found) == 5
    assert few[found.rows].all()


def test_items_that_were_appended_to_the_catalog_are_the_models_where_it_knows_them() -> None:
    before = replace_catalog(N - 50)
    model = ContentModel(np.concatenate([SHOP.ids[: N - 60], SHOP.ids[N - 20 :]]), UNITS[: N - 40], "test")
    grown = ServedModel.over(before, model, name="m", version="1").over_more(SHOP)
    anew = ServedModel.over(SHOP, model, name="m", version="1")
    np.testing.assert_array_equal(grown.to_model, anew.to_model)
    np.testing.assert_array_equal(grown.to_catalog, anew.to_catalog)
    assert grown.over_more(SHOP) is grown


def replace_catalog(n: int) -> Any:
    return replace(worlds.catalog(n), categories=sparse.csr_matrix((n, 0), dtype=np.float32))


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize("seeds", [[395], [3, 396], [3], [399, 395]])
def test_a_delta_answers_as_if_the_model_had_known_its_items(indexed: bool, seeds: list[int]) -> None:
    """Rows from 390 on are new; 5 and 9 are known by an older vector. Against one model over all vectors."""
    old = UNITS.copy()
    old[[5, 9]] = unit_rows(np.random.default_rng(1).normal(size=(2, 24)))
    rows = np.array([5, 9, *range(390, N)], np.int32)
    model = ContentModel(SHOP.ids[:390], old[:390], "test")
    index = ExactIndex(old[:390])
    indexes: Any = {"history": index, "seeds": index} if indexed else None
    served = ServedModel.over(SHOP, model, name="c", version="1", indexes=indexes).with_delta(Delta(rows, UNITS[rows]))
    whole = content()
    eligible = np.random.default_rng(2).random(N) < 0.8
    eligible[395:] = True
    for query in (Query(seeds=Evidence.of_rows(seeds)), Query(history=Evidence.of_rows([*seeds, 9, 17]))):
        found, expected = served.best(query, eligible, 60, "c"), whole.best(query, eligible, 60, "c")
        assert found.rows.tolist() == expected.rows.tolist()
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4, atol=1e-6)
        asked = np.array([5, 390, 1, 399, 9], np.int32)
        np.testing.assert_allclose(served.score(query, asked), whole.score(query, asked), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(
            served.contributions(query, asked), whole.contributions(query, asked), rtol=1e-4, atol=1e-6
        )


def test_a_delta_is_changed_row_by_row_and_forgets_what_has_no_vector_any_more() -> None:
    first = Delta.none().changed(np.array([4, 9], np.int32), np.eye(2, 3, dtype=np.float32))
    second = first.changed(np.array([2, 9], np.int32), np.array([[0, 0, 5], [0, 0, 0]], np.float32))
    assert second.rows.tolist() == [2, 4]
    assert second.vectors.tolist() == [[0, 0, 5], [1, 0, 0]]
    assert second.places(np.array([4, 3, 2, 9], np.int32)).tolist() == [1, -1, 0, -1]
    assert len(first) == 2


def test_half_precision_from_disk_answers_as_single_does(tmp_path: Path) -> None:
    np.save(tmp_path / "units.npy", UNITS.astype(np.float16))
    stored = np.load(tmp_path / "units.npy", mmap_mode="r")
    half, full = ContentModel(SHOP.ids, stored, "t"), ContentModel(SHOP.ids, stored.astype(np.float32), "t")
    query, rows = Query(history=HISTORY), np.array([0, 9, 9, 399], np.int32)
    for asked in (rows, np.arange(N, dtype=np.int32)):
        np.testing.assert_allclose(half.score(query, asked), full.score(query, asked), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(half.contributions(query, rows), full.contributions(query, rows), rtol=1e-5)
    histories = sparse.csr_matrix((HISTORY.weights, HISTORY.rows, [0, 5, 5]), shape=(2, N))
    np.testing.assert_allclose(half.score_batch(histories), full.score_batch(histories), rtol=1e-5, atol=1e-6)


def test_a_vector_is_remembered_for_its_own_history_only() -> None:
    model, rows = content(), np.arange(N, dtype=np.int32)
    other = replace(HISTORY, weights=-HISTORY.weights)
    questions = [Query(history=HISTORY), Query(history=other), Query(history=HISTORY, seeds=other), Query()]
    model = replace(model, indexes={"history": ExactIndex(UNITS), "seeds": ExactIndex(UNITS)})
    for query in [*questions, *reversed(questions), *questions]:
        found, fresh = model.best(query, ALL, 5, "s"), content().score(query, rows)
        expected = [] if np.isnan(fresh).all() else np.argsort(-fresh)[:5].tolist()
        assert found.rows.tolist() == expected
