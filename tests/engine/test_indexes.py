"""Indexes against exact search."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from apps.recommend.engine.indexes import choice
from apps.recommend.engine.indexes.annoy_index import AnnoyIndex
from apps.recommend.engine.indexes.exact_index import ExactIndex


def factors(n: int = 3_000, skew: float = 1.0, seed: int = 0) -> NDArray[np.float32]:
    """Clustered vectors whose lengths differ as those of learned factors do."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(30, 16))
    vectors = centres[rng.integers(30, size=n)] + 0.5 * rng.normal(size=(n, 16))
    return np.ascontiguousarray(vectors * rng.lognormal(sigma=skew, size=(n, 1)), dtype=np.float32)


QUERIES = factors(40, skew=0.0, seed=1)


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


def test_the_same_seed_writes_the_same_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    vectors = factors(400)
    for name in ("one", "two"):
        AnnoyIndex.build(vectors, tmp_path / name, seed=3)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_an_index_of_other_vectors_or_none_at_all_is_refused(tmp_path: Path) -> None:
    AnnoyIndex.build(factors(400), tmp_path / "index", seed=3)
    with pytest.raises(OSError, match="400"):
        AnnoyIndex.open(tmp_path / "index", factors(401))
    with pytest.raises(OSError, match=r"there is no index .*missing"):
        AnnoyIndex.open(tmp_path / "missing", factors(400))


@pytest.mark.parametrize("n", [1, 2, 7])
def test_more_results_than_items_gives_all_items(tmp_path: Path, n: int) -> None:
    vectors = factors(n)
    AnnoyIndex.build(vectors, tmp_path / "index", seed=3)
    for index in (ExactIndex(vectors), AnnoyIndex.open(tmp_path / "index", vectors)):
        rows, _ = index.search(QUERIES[0], 20)
        assert sorted(rows) == list(range(n))
        assert len(index.search(QUERIES[0], 0)[0]) == 0


def test_equal_vectors_and_zero_vectors_are_no_trouble(tmp_path: Path) -> None:
    vectors = np.zeros((50, 16), dtype=np.float32)
    vectors[:25] = 1.0
    AnnoyIndex.build(vectors, tmp_path / "index", seed=3)
    index = AnnoyIndex.open(tmp_path / "index", vectors)
    rows, scores = index.search(np.ones(16, np.float32), 25)
    assert sorted(rows) == list(range(25))
    assert set(scores) == {16.0}
    assert len(index.search(np.zeros(16, np.float32), 5)[0]) == 5


def test_small_catalogs_are_searched_exactly() -> None:
    assert choice.choose(99_999) == "exact"
    assert choice.choose(100_000) == "annoy"
