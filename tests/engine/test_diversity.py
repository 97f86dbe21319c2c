"""Stages that diversify: against plain loops, brute-force determinants, and what a shelf must keep."""

from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from apps.recommend.engine.algorithms.popularity import PopularityModel
from apps.recommend.engine.category_shares import entries_of
from apps.recommend.engine.context import Context
from apps.recommend.engine.registries import STAGES
from apps.recommend.engine.served_model import ServedModel
from apps.recommend.engine.types import Evidence, Items, Query, Slate
from tests import worlds

RERANKING = ["mmr", "dpp", "calibrate", "cap"]
N = 60


@dataclass(frozen=True, eq=False)
class Described:
    """A model that is nothing but item vectors."""

    item_ids: np.ndarray
    items: np.ndarray

    def vectors(self, question: str) -> np.ndarray:
        return self.items


def context(seed: int = 0, n: int = N, n_categories: int = 7, known: int = N) -> Context:
    """Items in no, one or several categories; model `m` has vectors of the first `known`."""
    rng = np.random.default_rng(seed)
    categories = sparse.csr_matrix((rng.random((n, n_categories)) < 0.3).astype(np.float32))
    plain = worlds.catalog(n)
    items = Items(
        **{
            **vars(plain),
            "categories": categories,
            "category_ids": np.arange(n_categories, dtype=np.int64),
            "parents": np.where(np.arange(n) % 5 == 4, np.arange(n) - 1, -1).astype(np.int32),
            "brands": rng.integers(-1, 3, n),
        }
    )
    model: Any = Described(items.ids[:known], rng.normal(size=(known, 6)).astype(np.float32))
    served = ServedModel.over(items, model, name="m", version="m-1")
    return Context(items=items, eligible=np.ones(n, bool), models={"m": served})


def slate(seed: int = 0, n: int = N, length: int = 40) -> Slate:
    rng = np.random.default_rng(seed + 100)
    scores = rng.gamma(1.0, 5.0, length).astype(np.float32)
    return Slate.ranked(rng.permutation(n)[:length].astype(np.int32), scores, length, "s")


def taste(seed: int = 0, n: int = N) -> Query:
    rng = np.random.default_rng(seed + 200)
    rows = rng.permutation(n)[:9].astype(np.int32)
    return Query(history=Evidence(rows, rng.normal(1, 1, 9).astype(np.float32), np.full(9, -1, np.int16)), now=1)


def ask(name: str, slate: Slate, query: Query, context: Context, **config: Any) -> list[int]:
    return STAGES.create(name, config)(slate, query, context).rows.tolist()


def unit(scores: np.ndarray) -> np.ndarray:
    wide = scores.astype(float)
    return (wide - wide.min()) / (wide.max() - wide.min())


def cosines(slate: Slate, context: Context, model: str | None) -> np.ndarray:
    if model is None:
        described = context.items.categories.toarray()[slate.rows].astype(float)
    else:
        vectors: Any = context.models[model].model
        padded = np.vstack([vectors.items, np.zeros((len(context.items) - len(vectors.items), 6))]).astype(float)
        described = padded[slate.rows]
    lengths = np.linalg.norm(described, axis=1)
    products = described @ described.T
    return np.divide(products, np.outer(lengths, lengths), out=np.zeros_like(products), where=products != 0)


def slow_mmr(slate: Slate, alike: np.ndarray, relevance: float, count: int) -> list[int]:
    scores, chosen = unit(slate.scores), [0]
    while len(chosen) < count:
        rest = [i for i in range(len(slate)) if i not in chosen]
        chosen.append(
            max(rest, key=lambda i: relevance * scores[i] - (1 - relevance) * max(alike[i, j] for j in chosen))
        )
    return slate.rows[chosen].tolist()


@pytest.mark.parametrize("model", [None, "m"])
@pytest.mark.parametrize("relevance", [0.3, 0.8])
@pytest.mark.parametrize("seed", range(3))
def test_mmr_chooses_what_a_plain_loop_chooses(seed: int, relevance: float, model: str | None) -> None:
    ctx, candidates = context(seed, known=50), slate(seed)
    expected = slow_mmr(candidates, cosines(candidates, ctx, model), relevance, 12)
    found = ask("mmr", candidates, Query(), ctx, relevance=relevance, model=model, count=12)
    assert found[:12] == expected


def slow_dpp(slate: Slate, alike: np.ndarray, theta: float, likeness: float, count: int) -> list[int]:
    """Every possible addition's log-determinant, computed from scratch at each step."""
    quality = np.exp(theta / (2 * (1 - theta)) * unit(slate.scores))
    kernel = np.outer(quality, quality) * (likeness * alike + (1 - likeness * np.diag(alike)) * np.eye(len(slate)))
    chosen: list[int] = []
    while len(chosen) < count:
        rest = [i for i in range(len(slate)) if i not in chosen]
        chosen.append(max(rest, key=lambda i: np.linalg.slogdet(kernel[np.ix_([*chosen, i], [*chosen, i])])[1]))
    return slate.rows[chosen].tolist()


@pytest.mark.parametrize("model", [None, "m"])
@pytest.mark.parametrize("theta", [0.2, 0.7])
@pytest.mark.parametrize("seed", range(3))
def test_dpp_maximises_the_determinant_at_each_step(seed: int, theta: float, model: str | None) -> None:
    ctx, candidates = context(seed, known=50), slate(seed)
    expected = slow_dpp(candidates, cosines(candidates, ctx, model), theta, 0.9, 12)
    assert ask("dpp", candidates, Query(), ctx, theta=theta, model=model, count=12)[:12] == expected


def slow_calibrate(slate: Slate, query: Query, context: Context, weight: float, count: int) -> list[int]:
    scores, categories = unit(slate.scores), context.items.categories.toarray()

    def mix(rows: Any, weights: Any) -> np.ndarray:
        total = np.zeros(categories.shape[1])
        for row, one in zip(rows, weights, strict=True):
            if one > 0 and categories[row].any():
                total += one * categories[row] / categories[row].sum()
        return total / max(total.sum(), 1e-300)

    p = mix(query.history.rows, query.history.weights)

    def gain(chosen: list[int]) -> float:
        q = mix(slate.rows[chosen], np.ones(len(chosen)))
        kl = sum(p[g] * log(p[g] / (0.99 * q[g] + 0.01 * p[g])) for g in range(len(p)) if p[g] > 0)
        return float((1 - weight) * sum(scores[i] for i in chosen) - weight * kl)

    chosen: list[int] = []
    while len(chosen) < count:
        rest = [i for i in range(len(slate)) if i not in chosen]
        chosen.append(max(rest, key=lambda i: gain([*chosen, i])))
    return slate.rows[chosen].tolist()


@pytest.mark.parametrize("weight", [0.3, 0.9])
@pytest.mark.parametrize("seed", range(4))
def test_calibration_chooses_what_a_plain_loop_chooses(seed: int, weight: float) -> None:
    ctx, candidates, query = context(seed), slate(seed), taste(seed)
    expected = slow_calibrate(candidates, query, ctx, weight, 15)
    assert ask("calibrate", candidates, query, ctx, weight=weight, count=15)[:15] == expected


def test_a_calibrated_list_has_the_mix_of_the_history() -> None:
    """Seven of ten from one category, three of ten from the other, although the first one's items all score more."""
    halves = np.arange(N) >= N // 2
    items = Items(
        **{**vars(context().items), "categories": sparse.csr_matrix(np.column_stack([~halves, halves]) * 1.0)}
    )
    ctx = Context(items=items, eligible=np.ones(N, bool))
    weights = np.ones(10, np.float32)
    history = Evidence(np.r_[0:7, 57:60].astype(np.int32), weights, np.full(10, -1, np.int16))
    candidates = Slate.ranked(np.arange(7, 57, dtype=np.int32), np.linspace(1, 0.5, 50, dtype=np.float32), 50, "s")
    found = ask("calibrate", candidates, Query(history=history), ctx, weight=0.95, count=10)
    assert sum(halves[found[:10]]) == 3


@pytest.mark.parametrize("query", [Query(), Query(history=Evidence.none(), seeds=Evidence.of_rows([1]))])
def test_calibration_leaves_the_list_of_somebody_without_history_alone(query: Query) -> None:
    assert ask("calibrate", slate(), query, context()) == slate().rows.tolist()


def test_calibration_ignores_what_the_user_dislikes() -> None:
    disliked = Evidence(np.array([1, 2], np.int32), np.array([-3, -1], np.float32), np.full(2, -1, np.int16))
    assert ask("calibrate", slate(), Query(history=disliked), context()) == slate().rows.tolist()


@pytest.mark.parametrize("per", ["category", "brand", "parent"])
@pytest.mark.parametrize("most", [1, 3])
def test_a_cap_lets_through_what_a_plain_loop_lets_through(per: str, most: int) -> None:
    ctx, candidates = context(3), slate(3)
    categories = ctx.items.categories.toarray()
    sizes = categories.sum(axis=0)
    assert ctx.items.brands is not None

    def group(row: int) -> int:
        if per == "brand":
            return int(ctx.items.brands[row])  # type: ignore[index]
        if per == "parent":
            return int(ctx.items.parents[row]) if ctx.items.parents[row] >= 0 else row
        mine = np.flatnonzero(categories[row])
        return int(min(mine, key=lambda c: (sizes[c], c))) if len(mine) else -1

    through, counted = [], dict[int, int]()
    for row in candidates.rows.tolist():
        counted[group(row)] = counted.get(group(row), 0) + 1
        if group(row) < 0 or counted[group(row)] <= most:
            through.append(row)
    first = through[:10]
    assert ask("cap", candidates, Query(), ctx, per=per, most=most, count=10) == first + [
        row for row in candidates.rows.tolist() if row not in first
    ]


def test_where_too_few_other_items_are_left_those_beyond_the_cap_follow() -> None:
    ctx = context()
    items = Items(**{**vars(ctx.items), "brands": np.zeros(N, np.int64)})
    same = Context(items=items, eligible=ctx.eligible)
    assert ask("cap", slate(), Query(), same, per="brand", most=1, count=10) == slate().rows.tolist()


def test_a_catalog_without_brands_is_not_capped_by_brand() -> None:
    items = Items(**{**vars(context().items), "brands": None})
    ctx = Context(items=items, eligible=np.ones(N, bool))
    assert ask("cap", slate(), Query(), ctx, per="brand", most=1) == slate().rows.tolist()


@pytest.mark.parametrize("name", RERANKING)
@pytest.mark.parametrize("count", [1, 2, 39, 40, 1000])
def test_every_candidate_stays_once_with_its_own_score_and_those_behind_keep_their_order(name: str, count: int) -> None:
    before = slate()
    after = STAGES.create(name, {"count": count})(before, taste(), context())
    scores = dict(zip(before.rows.tolist(), before.scores.tolist(), strict=True))
    assert sorted(after.rows.tolist()) == sorted(before.rows.tolist())
    assert [scores[row] for row in after.rows.tolist()] == after.scores.tolist()
    behind = after.rows[count:].tolist()
    assert behind == [row for row in before.rows.tolist() if row in set(behind)]


@pytest.mark.parametrize(
    ("name", "config"), [("mmr", {"relevance": 1.0}), ("calibrate", {"weight": 0.0}), ("dpp", {"theta": 0.999})]
)
def test_where_only_scores_count_nothing_moves(name: str, config: dict[str, float]) -> None:
    descending = Slate.ranked(np.arange(40, dtype=np.int32), np.linspace(9, 1, 40, dtype=np.float32), 40, "s")
    assert ask(name, descending, taste(), context(), **config) == descending.rows.tolist()


@pytest.mark.parametrize("name", RERANKING)
@pytest.mark.parametrize("scores", [[2.0] * 5, [np.nan] * 5, [np.nan, 3.0, 2.0, np.nan, 1.0]], ids=str)
def test_identical_and_unknown_scores_have_an_answer(name: str, scores: list[float]) -> None:
    rows = np.array([4, 9, 2, 7, 30], np.int32)
    odd = Slate(rows, np.array(scores, np.float32), np.zeros(5, np.int16), ("s",))
    assert sorted(ask(name, odd, taste(), context())) == sorted(rows.tolist())


def counts(items: Items, values: Any) -> dict[str, ServedModel]:
    known = len(values)
    model: Any = PopularityModel(items.ids[:known], np.asarray(values, np.float32))
    return {"popular": ServedModel.over(items, model, name="popular", version="1")}


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_less_popular_mixes_scores_and_self_information_as_a_plain_loop_does(weight: float) -> None:
    items, candidates = context().items, slate()
    popularity = np.random.default_rng(4).gamma(1, 50, 50)  # nobody ever met the last ten
    ctx = Context(items=items, eligible=np.ones(N, bool), models=counts(items, popularity))
    bits = [-log(1 + np.float32(popularity[row])) if row < 50 else 0.0 for row in candidates.rows]
    scores = unit(candidates.scores)
    mixed = [
        (1 - weight) * score + weight * (bit - min(bits)) / (max(bits) - min(bits))
        for score, bit in zip(scores, bits, strict=True)
    ]
    found = STAGES.create("less_popular", {"model": "popular", "weight": weight})(candidates, Query(), ctx)
    by_row = dict(zip(candidates.rows.tolist(), mixed, strict=True))
    ours = [by_row[row] for row in found.rows.tolist()]
    np.testing.assert_allclose(ours, sorted(mixed, reverse=True), atol=1e-6)
    low, high = candidates.scores.min(), candidates.scores.max()
    np.testing.assert_allclose(found.scores, low + (high - low) * np.array(ours), rtol=1e-4)


def test_of_equal_scores_the_least_popular_comes_first_and_what_nobody_met_before_all() -> None:
    items = worlds.catalog(4)
    ctx = Context(items=items, eligible=np.ones(4, bool), models=counts(items, [5.0, 900.0, 1.0]))
    same = Slate(np.arange(4, dtype=np.int32), np.ones(4, np.float32), np.zeros(4, np.int16), ("s",))
    found = STAGES.create("less_popular", {"model": "popular"})(same, Query(), ctx)
    assert found.rows.tolist() == [3, 2, 0, 1]
    assert found.scores.tolist() == [1.0] * 4


def test_less_popular_waits_for_its_model_to_be_trained() -> None:
    assert ask("less_popular", slate(), taste(), context(), model="popular") == slate().rows.tolist()


@pytest.mark.parametrize("name", RERANKING)
@pytest.mark.parametrize("length", [0, 1, 2])
def test_a_shop_without_categories_and_short_slates_are_no_trouble(name: str, length: int) -> None:
    bare = Context(items=worlds.catalog(N), eligible=np.ones(N, bool))
    assert ask(name, slate(length=length), taste(), bare) == slate(length=length).rows.tolist()


@pytest.mark.parametrize("name", ["mmr", "dpp"])
def test_of_two_alike_items_the_second_makes_room_for_a_different_one(name: str) -> None:
    plain = worlds.catalog(3)
    categories = sparse.csr_matrix(np.array([[1.0, 0], [1, 0], [0, 1]]))
    ctx = Context(items=Items(**{**vars(plain), "categories": categories}), eligible=np.ones(3, bool))
    candidates = Slate.ranked(np.arange(3, dtype=np.int32), np.array([1.0, 0.9, 0.8], np.float32), 3, "s")
    assert ask(name, candidates, Query(), ctx, **({"relevance": 0.5} if name == "mmr" else {"theta": 0.3})) == [0, 2, 1]


def test_entries_of_rows_are_those_of_the_sparse_matrix() -> None:
    matrix = context().items.categories
    rows = np.array([5, 0, 5, 59, 17])
    owners, columns = entries_of(matrix, rows)
    dense = np.zeros((5, matrix.shape[1]))
    dense[owners, columns] = 1
    np.testing.assert_array_equal(dense, matrix.toarray()[rows])
    assert len(owners) == int(matrix.toarray()[rows].sum())
