"""Metrics of accuracy against values worked out by hand, plain loops, and what must hold for any list; coverage."""

from math import log2
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.protocols import MetricContext
from apps.recommend.engine.registries import METRICS

# Three users, lists of four. First: hits at 1 and 3 of a truth of 3. Second: one at 4, of 1. Third: none, of 6.
HITS = np.array([[1, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]], dtype=bool)
SIZES = np.array([3, 1, 6], dtype=np.int32)
BY_HAND = {
    "recall": [2 / 3, 1.0, 0.0],
    "hit_rate": [1.0, 1.0, 0.0],
    "mrr": [1.0, 1 / 4, 0.0],
    "map": [(1 / 1 + 2 / 3) / 3, (1 / 4) / 1, 0.0],
    "ndcg": [(1 + 1 / log2(4)) / (1 + 1 / log2(3) + 1 / log2(4)), (1 / log2(5)) / 1, 0.0],
}
PER_USER = sorted(BY_HAND)


def context(n_items: int, n_users: int = 1) -> MetricContext:
    return MetricContext(np.zeros(n_items), sparse.csr_matrix((n_users, n_items)), n_items)


def per_user(name: str, hits: NDArray[np.bool_], sizes: Any) -> NDArray[np.float64]:
    recommended = np.arange(hits.size, dtype=np.int32).reshape(hits.shape)
    known = context(hits.size, len(hits))
    return np.asarray(METRICS.create(name).per_user(recommended, hits, np.asarray(sizes, dtype=np.int32), known))


@pytest.mark.parametrize("name", PER_USER)
def test_values_are_those_worked_out_by_hand(name: str) -> None:
    np.testing.assert_allclose(per_user(name, HITS, SIZES), BY_HAND[name])


def test_coverage_counts_different_items_and_no_padding() -> None:
    recommended = np.array([[0, 1, 2], [2, 1, -1], [7, -1, -1]], dtype=np.int32)
    coverage = METRICS.create("coverage")
    assert coverage.overall(recommended, context(8)) == 4 / 8
    assert coverage.overall(np.full((2, 3), -1, np.int32), context(8)) == 0
    assert coverage.overall(np.empty((0, 3), np.int32), context(0)) == 0


@st.composite
def lists(draw: st.DrawFn) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
    """Hits of some users and truths that are large enough for them."""
    k = draw(st.integers(1, 12))
    hits = np.array(draw(st.lists(st.lists(st.booleans(), min_size=k, max_size=k), min_size=1, max_size=6)))
    more = draw(st.lists(st.integers(0, 20), min_size=len(hits), max_size=len(hits)))
    return hits, np.maximum(hits.sum(axis=1) + more, 1).astype(np.int32)


def slow(name: str, hits: list[bool], size: int) -> float:
    """The definition, one list at a time."""
    k, positions = len(hits), [p for p, hit in enumerate(hits, start=1) if hit]
    if name == "recall":
        return len(positions) / size
    if name == "hit_rate":
        return float(bool(positions))
    if name == "mrr":
        return 1 / positions[0] if positions else 0.0
    if name == "map":
        return sum((n + 1) / p for n, p in enumerate(positions)) / min(k, size)
    ideal = sum(1 / log2(p + 1) for p in range(1, min(k, size) + 1))
    return sum(1 / log2(p + 1) for p in positions) / ideal


@pytest.mark.parametrize("name", PER_USER)
@given(case=lists())
def test_values_are_those_of_a_plain_loop(name: str, case: tuple[NDArray[np.bool_], NDArray[np.int32]]) -> None:
    hits, sizes = case
    expected = [slow(name, list(row), int(size)) for row, size in zip(hits, sizes, strict=True)]
    np.testing.assert_allclose(per_user(name, hits, sizes), expected, atol=1e-12)


@pytest.mark.parametrize("name", PER_USER)
@given(case=lists(), order=st.randoms(use_true_random=False))
def test_values_lie_between_0_and_1_and_follow_their_user(
    name: str, case: tuple[NDArray[np.bool_], NDArray[np.int32]], order: Any
) -> None:
    hits, sizes = case
    values = per_user(name, hits, sizes)
    assert values.dtype == np.float64
    assert ((values >= 0) & (values <= 1 + 1e-12)).all()
    assert ((values > 0) == hits.any(axis=1)).all()
    shuffled = order.sample(range(len(hits)), len(hits))
    np.testing.assert_array_equal(per_user(name, hits[shuffled], sizes[shuffled]), values[shuffled])


@pytest.mark.parametrize("name", PER_USER)
@given(case=lists())
def test_the_best_list_is_worth_one_and_moving_hits_up_never_harms(
    name: str, case: tuple[NDArray[np.bool_], NDArray[np.int32]]
) -> None:
    hits, sizes = case
    sorted_hits = -np.sort(-hits.astype(int), axis=1) > 0
    assert (per_user(name, sorted_hits, sizes) >= per_user(name, hits, sizes) - 1e-12).all()
    k = hits.shape[1]
    full = np.arange(k)[None, :] < np.minimum(sizes, k)[:, None]
    within = np.minimum(sizes, k)
    np.testing.assert_allclose(per_user(name, full, within), 1.0)
