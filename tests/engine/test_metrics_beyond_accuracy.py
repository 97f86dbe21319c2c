"""Metrics of novelty, diversity and fairness against values worked out by hand and against plain loops."""

from collections.abc import Callable
from itertools import combinations
from math import log, log2
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.stats import entropy

from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.protocols import MetricContext
from apps.recommend.engine.registries import METRICS
from apps.recommend.engine.types import tie_break
from tests.engine.test_metrics import BY_HAND as ACCURACY

# Items 0, 1: category A. Item 2: category B. Item 3: A and B. Item 4: in none. Rows from 5 on are strangers.
CATEGORIES = np.array([[1, 0], [1, 0], [0, 1], [1, 1], [0, 0]], dtype=float)
POPULARITY = np.array([1 / 2, 1 / 4, 1 / 8, 1 / 16, 0])
# The first user liked items 0 (a little) and 2; the second only item 1; the third nothing.
HISTORIES = np.array([[1, 0, 3, 0, 0], [0, 2, 0, 0, 0], [0, 0, 0, 0, 0]], dtype=float)
LISTS = np.array([[1, 3], [2, -1], [4, 9]], dtype=np.int32)
HITS = np.array([[0, 1], [1, 0], [1, 1]], dtype=bool)
Q = 0.99 * np.array([0.75, 0.25]) + 0.01 * np.array([0.25, 0.75])  # of the first user's list
BY_HAND = {
    "novelty": [(2 + 4) / 2, 3.0, (4 + 4) / 2],  # nobody had the last two: as rare as the rarest
    "diversity": [1 - 1 / 2**0.5, 0.0, 1.0],  # A against A and B: cosine 1 / sqrt(2)
    # expected for two places: items 1 and 3 by popularity (0 and 2 were met), 0 and 2 (1 was met), 0 and 1
    "serendipity": [0.0, 0.0, 2 / 2],
    "calibration": [0.25 * log(0.25 / Q[0]) + 0.75 * log(0.75 / Q[1]), -log(0.01), 0.0],
    "popularity_lift": [(1 / 4 + 1 / 16) / (1 / 2 + 1 / 8) - 1, (1 / 8) / (1 / 4) - 1, 0.0],
}
OVERALL = {"gini", "coverage"}
SIZES = np.full(3, 4, dtype=np.int32)


def world(
    n_items: int = 5, categories: Any = CATEGORIES, popularity: Any = POPULARITY, histories: Any = HISTORIES
) -> MetricContext:
    by_category = None if categories is None else sparse.csr_matrix(categories)
    return MetricContext(popularity, sparse.csr_matrix(histories), n_items, by_category)


def per_user(name: str, context: MetricContext, lists: Any = LISTS, hits: Any = HITS, **config: Any) -> Any:
    return METRICS.create(name, config).per_user(lists, hits, np.full(len(lists), 4, np.int32), context)


def random_world(seed: int, n_users: int = 12, n_items: int = 30, k: int = 6) -> tuple[MetricContext, Any, Any]:
    """A context, lists (some short, some with strangers) and their hits."""
    rng = np.random.default_rng(seed)
    histories = np.where(rng.random((n_users, n_items)) < 0.2, rng.normal(1, 1, (n_users, n_items)), 0)
    histories[0] = 0
    context = MetricContext(
        popularity=np.round(rng.random(n_items), 1),
        histories=sparse.csr_matrix(histories),
        n_items=n_items + 3,
        categories=sparse.csr_matrix((rng.random((n_items, 5)) < 0.3).astype(float)),
        vectors=rng.normal(size=(n_items, 4)).astype(np.float32),
    )
    lists = np.array([rng.permutation(n_items + 3)[:k] for _ in range(n_users)], dtype=np.int32)
    for user, length in enumerate(rng.integers(0, k + 1, n_users // 2)):
        lists[user, length:] = -1
    return context, lists, (rng.random(lists.shape) < 0.5) & (lists >= 0)


def test_every_metric_is_tested_by_hand_here_or_among_those_of_accuracy() -> None:
    assert set(METRICS) == set(ACCURACY) | set(BY_HAND) | OVERALL


@pytest.mark.parametrize("name", sorted(BY_HAND))
def test_values_are_those_worked_out_by_hand(name: str) -> None:
    np.testing.assert_allclose(per_user(name, world()), BY_HAND[name], atol=1e-12)


def test_gini_is_0_when_all_items_are_shown_alike_and_high_when_one_is_always_shown() -> None:
    gini = METRICS.create("gini")
    assert gini.overall(np.array([[0, 1], [2, 3]], np.int32), world(4)) == 0
    assert gini.overall(np.zeros((9, 1), np.int32), world(100)) == pytest.approx(0.99)
    assert gini.overall(np.array([[0, 1], [0, -1]], np.int32), world(4)) == pytest.approx(
        sum(abs(a - b) for a in (2, 1, 0, 0) for b in (2, 1, 0, 0)) / (2 * 4 * 3)
    )


def test_gini_is_the_mean_difference_of_all_pairs() -> None:
    context, lists, _ = random_world(1)
    shown = [int((lists == item).sum()) for item in range(context.n_items)]
    direct = sum(abs(a - b) for a in shown for b in shown) / (2 * len(shown) * sum(shown))
    assert METRICS.create("gini").overall(lists, context) == pytest.approx(direct)


def test_gini_of_no_lists_is_0() -> None:
    gini = METRICS.create("gini")
    assert gini.overall(np.full((3, 2), -1, np.int32), world()) == 0
    assert gini.overall(np.empty((0, 2), np.int32), world(0)) == 0


def slow_novelty(context: MetricContext, user: int, row: list[int], hits: list[bool]) -> float:
    rarest = min(p for p in context.popularity if p > 0)
    bits = [-log2(max(context.popularity[i], rarest) if i < len(context.popularity) else rarest) for i in row]
    return sum(bits) / len(bits) if bits else 0.0


def slow_diversity(context: MetricContext, user: int, row: list[int], hits: list[bool]) -> float:
    described = context.categories.toarray()
    alike = []
    for a, b in combinations(row, 2):
        both = max(a, b) < len(described) and described[a].any() and described[b].any()
        lengths = np.linalg.norm(described[a]) * np.linalg.norm(described[b]) if both else 1.0
        alike.append(described[a] @ described[b] / lengths if both else 0.0)
    return 1 - sum(alike) / len(alike) if alike else 0.0


def slow_serendipity(context: MetricContext, user: int, row: list[int], hits: list[bool], k: int = 6) -> float:
    met = set(context.histories[[user]].indices.tolist())
    hashes = tie_break(np.arange(len(context.popularity)))
    popular = sorted(range(len(context.popularity)), key=lambda item: (-context.popularity[item], hashes[item]))
    expected = met | set([item for item in popular if item not in met][:k])
    return sum(hit and item not in expected for item, hit in zip(row, hits, strict=True)) / k


def slow_calibration(context: MetricContext, user: int, row: list[int], hits: list[bool]) -> float:
    categories = context.categories.toarray()
    history = context.histories[[user]].toarray()[0]
    p, q = np.zeros(5), np.zeros(5)
    for item, weight in enumerate(history):
        if weight > 0 and categories[item].any():
            p += weight * categories[item] / categories[item].sum()
    for item in row:
        if item < len(categories) and categories[item].any():
            q += categories[item] / categories[item].sum()
    if not p.any():
        return 0.0
    p, q = p / p.sum(), q / max(q.sum(), 1e-300)
    if not q.any():
        return -log(0.01)
    return float(entropy(p, 0.99 * q + 0.01 * p))


def slow_popularity_lift(context: MetricContext, user: int, row: list[int], hits: list[bool]) -> float:
    listed = [context.popularity[i] if i < len(context.popularity) else 0.0 for i in row]
    liked = context.popularity[context.histories[[user]].toarray()[0] > 0]
    return float(np.mean(listed) / liked.mean() - 1) if listed and liked.any() else 0.0


SLOW: dict[str, Callable[..., float]] = {
    "novelty": slow_novelty,
    "diversity": slow_diversity,
    "serendipity": slow_serendipity,
    "calibration": slow_calibration,
    "popularity_lift": slow_popularity_lift,
}


@pytest.mark.parametrize("name", sorted(SLOW))
@pytest.mark.parametrize("seed", range(5))
def test_values_are_those_of_a_plain_loop(name: str, seed: int) -> None:
    context, lists, hits = random_world(seed)
    rows = [[int(item) for item in row if item >= 0] for row in lists]
    expected = [
        SLOW[name](context, user, row, [bool(hit) for hit in hits[user, : len(row)]]) for user, row in enumerate(rows)
    ]
    np.testing.assert_allclose(per_user(name, context, lists, hits), expected, atol=1e-9)


def test_calibration_by_rank_counts_the_first_place_more() -> None:
    wants_a = world(histories=np.array([[1.0, 0, 0, 0, 0]] * 2))
    first, last = per_user("calibration", wants_a, np.array([[1, 2], [2, 1]], np.int32), HITS[:2], by_rank=True)
    q = 1 / (1 + 1 / log2(3))
    assert first == pytest.approx(-log(0.99 * q + 0.01))
    assert last == pytest.approx(-log(0.99 * (1 - q) + 0.01))


def test_lists_as_diverse_as_vectors_that_point_apart() -> None:
    context = MetricContext(
        POPULARITY, sparse.csr_matrix(HISTORIES), 5, vectors=np.array([[1, 0], [0, 3], [-2, 0]], np.float32)
    )
    found = per_user("diversity", context, np.array([[0, 1], [0, 2], [0, 0]], np.int32), by="vectors")
    np.testing.assert_allclose(found, [1, 2, 0], atol=1e-12)


@pytest.mark.parametrize("name", ["calibration", "diversity"])
def test_without_categories_there_is_no_figure_and_the_error_says_what_is_missing(name: str) -> None:
    with pytest.raises(NotEnoughData, match="items with categories"):
        per_user(name, world(categories=None))


def test_diversity_by_vectors_needs_vectors() -> None:
    with pytest.raises(NotEnoughData, match="items with vectors"):
        per_user("diversity", world(), by="vectors")


@pytest.mark.parametrize("name", sorted({*BY_HAND, *ACCURACY}))
def test_values_follow_their_user_and_are_never_undefined(name: str) -> None:
    context, lists, hits = random_world(3)
    values = per_user(name, context, lists, hits)
    order = np.random.default_rng(0).permutation(len(lists))
    turned = MetricContext(context.popularity, context.histories[order], context.n_items, context.categories)
    assert values.dtype == np.float64
    assert np.isfinite(values).all()
    np.testing.assert_allclose(per_user(name, turned, lists[order], hits[order]), values[order], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", sorted({*BY_HAND, *ACCURACY}))
def test_empty_lists_of_users_without_history_have_a_value(name: str) -> None:
    empty = world(n_items=0, popularity=np.zeros(5), histories=np.zeros((2, 5)))
    nothing = np.full((2, 3), -1, np.int32)
    assert per_user(name, empty, nothing, nothing >= 0).tolist() == [0.0, 0.0]
