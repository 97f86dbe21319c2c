"""Indexes against exact search."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from apps.recommend.engine.indexes import choice, exact_index, lists_index
from apps.recommend.engine.indexes.annoy_index import AnnoyIndex
from apps.recommend.engine.indexes.exact_index import ExactIndex, exact_best
from apps.recommend.engine.indexes.lists_index import ListsIndex
from apps.recommend.engine.products import single, unit_rows


def factors(n: int = 3_000, skew: float = 1.0, seed: int = 0) -> NDArray[np.float32]:
    """Clustered vectors whose lengths differ as those of learned factors do."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(30, 16))
    vectors = centres[rng.integers(30, size=n)] + 0.5 * rng.normal(size=(n, 16))
    return np.ascontiguousarray(vectors * rng.lognormal(sigma=skew, size=(n, 1)), dtype=np.float32)


QUERIES = factors(40, skew=0.0, seed=1)


def build(kind: str, vectors: NDArray[np.float32], path: Path) -> None:
    if kind == "lists":
        ListsIndex.build(vectors, path, seed=3, queries=QUERIES)
    else:
        AnnoyIndex.build(vectors, path, seed=3)


INDEXES = {"annoy": AnnoyIndex, "lists": ListsIndex}
each_kind = pytest.mark.parametrize("kind", INDEXES)


def test_exact_search_is_sorting_all_products() -> None:
    vectors = factors(500)
    for query in QUERIES[:5]:
        rows, scores = ExactIndex(vectors).search(query, 20)
        np.testing.assert_array_equal(rows, np.argsort(-(vectors @ query))[:20])
        np.testing.assert_allclose(scores, (vectors @ query)[rows])
        assert rows.dtype == np.int32


@pytest.mark.parametrize("skew", [0.0, 1.0])
def test_annoy_finds_nearly_all_of_the_best_also_when_lengths_differ(tmp_path: Path, skew: float) -> None:
    vectors = factors(skew=skew)
    AnnoyIndex.build(vectors, tmp_path / "index", seed=3)
    index = AnnoyIndex.open(tmp_path / "index", vectors)
    assert choice.recall(index, vectors, QUERIES, 50) > 0.9


def test_annoy_returns_exact_products_best_first(tmp_path: Path) -> None:
    vectors = factors()
    AnnoyIndex.build(vectors, tmp_path / "index", seed=3)
    rows, scores = AnnoyIndex.open(tmp_path / "index", vectors).search(QUERIES[0], 30)
    assert len(np.unique(rows)) == 30
    np.testing.assert_allclose(scores, vectors[rows] @ QUERIES[0], rtol=1e-5)
    assert (np.diff(scores) <= 0).all()


@each_kind
def test_the_same_seed_writes_the_same_file_and_leaves_nothing_beside_it(tmp_path: Path, kind: str) -> None:
    vectors = factors(400)
    for name in ("one", "two"):
        build(kind, vectors, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


@each_kind
def test_an_index_of_other_vectors_or_none_at_all_is_refused(tmp_path: Path, kind: str) -> None:
    build(kind, factors(400), tmp_path / "index")
    with pytest.raises(OSError, match="400"):
        INDEXES[kind].open(tmp_path / "index", factors(401))
    with pytest.raises(OSError, match=r"there is no index .*missing"):
        INDEXES[kind].open(tmp_path / "missing", factors(400))


def test_lists_that_are_damaged_are_refused(tmp_path: Path) -> None:
    (tmp_path / "index").write_bytes(b"nothing of the kind")
    with pytest.raises(OSError, match="is not an index"):
        ListsIndex.open(tmp_path / "index", factors(400))


@each_kind
@pytest.mark.parametrize("n", [1, 2, 7])
def test_more_results_than_items_gives_all_items(tmp_path: Path, n: int, kind: str) -> None:
    vectors = factors(n)
    build(kind, vectors, tmp_path / "index")
    for index in (ExactIndex(vectors), INDEXES[kind].open(tmp_path / "index", vectors)):
        rows, _ = index.search(QUERIES[0], 20)
        assert sorted(rows) == list(range(n))
        assert len(index.search(QUERIES[0], 0)[0]) == 0


@each_kind
def test_equal_vectors_and_zero_vectors_are_no_trouble(tmp_path: Path, kind: str) -> None:
    vectors = np.zeros((50, 16), dtype=np.float32)
    vectors[:25] = 1.0
    build(kind, vectors, tmp_path / "index")
    index = INDEXES[kind].open(tmp_path / "index", vectors)
    rows, scores = index.search(np.ones(16, np.float32), 25)
    assert sorted(rows) == list(range(25))
    assert set(scores) == {16.0}
    assert len(index.search(np.zeros(16, np.float32), 5)[0]) == 5


def test_what_is_searched_exactly_in_a_moment_gets_no_index() -> None:
    assert choice.choose(15_000, 64) == "exact"
    assert choice.choose(2_000, 384) == "exact"
    assert choice.choose(50_000, 64) == "lists"
    assert choice.choose(10_000, 384) == "lists"


def test_the_best_of_many_queries_at_once_are_those_of_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact_index, "BLOCK", 70)
    vectors = factors(500)
    for query, found in zip(QUERIES[:5], exact_best(vectors, QUERIES[:5], 20), strict=True):
        assert set(found) == set(np.argsort(-(vectors @ query))[:20])
    assert sorted(exact_best(vectors, QUERIES[:1], 900)[0]) == list(range(500))


def test_half_precision_becomes_single_exactly() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)].reshape(-1, 8)
    np.testing.assert_array_equal(single(finite), finite.astype(np.float32))
    np.testing.assert_array_equal(np.signbit(single(finite)), np.signbit(finite))
    already = np.ones((2, 2), np.float32)
    assert single(already) is already


@pytest.mark.parametrize("skew", [0.0, 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_lists_find_nearly_all_of_the_best_also_when_lengths_differ(tmp_path: Path, skew: float, dtype: Any) -> None:
    vectors = factors(6_000, skew=skew).astype(dtype)
    ListsIndex.build(vectors, tmp_path / "index", seed=3, queries=QUERIES)
    index = ListsIndex.open(tmp_path / "index", vectors)
    unseen = factors(40, skew=0.0, seed=2)
    assert choice.recall(index, vectors, unseen, 50) > 0.93
    assert index.lists_read <= index.lists // 2


def test_lists_return_what_lies_in_them_best_first_with_its_product(tmp_path: Path) -> None:
    vectors = factors()
    ListsIndex.build(vectors, tmp_path / "index", seed=3, queries=QUERIES)
    rows, scores = ListsIndex.open(tmp_path / "index", vectors).search(QUERIES[0], 30)
    assert len(np.unique(rows)) == 30
    np.testing.assert_allclose(scores, vectors[rows] @ QUERIES[0], rtol=2e-3)
    assert (np.diff(scores) <= 0).all()
    assert rows.dtype == np.int32
    assert scores.dtype == np.float32


def test_lists_of_bytes_tell_the_best_exactly_and_other_cosines_nearly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists_index, "HALF_UP_TO", 1_000)
    monkeypatch.setattr(lists_index, "LOOKED_UP", 15)
    rng = np.random.default_rng(4)
    centres = rng.normal(size=(20, 200))
    units = unit_rows(centres[rng.integers(20, size=2_000)] + 0.7 * rng.normal(size=(2_000, 200)))
    stored = units.astype(np.float16)
    queries = units[::100]
    ListsIndex.build(stored, tmp_path / "index", seed=3, queries=queries)
    index = ListsIndex.open(tmp_path / "index", stored)
    for query in queries:
        rows, scores = index.search(query, 40)
        exact = stored[rows].astype(np.float32) @ query
        np.testing.assert_allclose(scores, exact, atol=4e-3)
        assert (np.diff(scores) <= 0).all()
        assert np.isclose(scores, exact, rtol=1e-6).sum() >= 15
        assert rows[0] == np.argmax(units @ query)


def test_lists_give_all_items_where_more_are_asked_for_than_promising_lists_hold(tmp_path: Path) -> None:
    vectors = factors(900)
    ListsIndex.build(vectors, tmp_path / "index", seed=3, queries=QUERIES)
    index = ListsIndex.open(tmp_path / "index", vectors)
    assert sorted(index.search(QUERIES[0], 899)[0]) != list(range(900))
    assert sorted(index.search(QUERIES[0], 2_000)[0]) == list(range(900))


def test_searches_of_several_threads_do_not_disturb_each_other(tmp_path: Path) -> None:
    vectors = factors()
    ListsIndex.build(vectors, tmp_path / "index", seed=3, queries=QUERIES)
    index = ListsIndex.open(tmp_path / "index", vectors)
    limits = [20, 900] * 20
    alone = [index.search(query, limit)[0].tolist() for query, limit in zip(QUERIES, limits, strict=True)]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda one: index.search(*one)[0].tolist(), zip(QUERIES, limits, strict=True)))
    assert together == alone
