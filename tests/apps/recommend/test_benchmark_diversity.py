"""The benchmarks of diversity: what they measure is so, on a world whose categories were planted."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from apps.recommend.benchmarks import diversity, rerank
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.protocols import MetricContext
from apps.recommend.engine.registries import METRICS
from apps.recommend.engine.types import Interactions, Items
from apps.recommend.snapshot import Snapshot
from tests import worlds


@dataclass(frozen=True)
class Shop:
    interactions: Interactions
    items_with_texts: Items


def open_shop(monkeypatch: pytest.MonkeyPatch, *, categories: bool) -> None:
    world = worlds.planted(users_per_group=25, visits=8, noise=0.3)
    columns = world.item_groups if categories else np.empty(0, np.int32)
    items = replace(
        world.items,
        categories=sparse.csr_matrix(
            (np.ones(len(columns), np.float32), (np.arange(len(columns)), columns)), shape=(len(world.items), 4)
        ),
        category_ids=np.arange(4, dtype=np.int64),
    )
    monkeypatch.setattr(Snapshot, "now", lambda: Shop(world.interactions, items))


def test_figures_agree_with_each_other_and_repeat_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    open_shop(monkeypatch, categories=True)
    monkeypatch.setattr(diversity, "USERS", 30)
    families = {name: diversity.GRIDS[name] for name in ("calibrate", "dpp", "less_popular, calibrate")}
    monkeypatch.setattr(diversity, "GRIDS", families)
    said: list[str] = []
    first, again = diversity.measure(said.append), diversity.measure(lambda _: None)
    assert first == again
    assert first.users == 30
    assert [outcome.name for outcome in first.outcomes] == list(families)
    calibrated = first.outcomes[0]
    assert calibrated.calibration_change.high < 0
    assert calibrated.figures["calibration"] == pytest.approx(
        first.before["calibration"] * (1 + calibrated.calibration_change.mean)
    )
    for outcome in first.outcomes:
        assert outcome.gini_change.low <= outcome.gini_change.mean <= outcome.gini_change.high
        assert outcome.name in str(first)
    assert sum(line.startswith("calibrate weight=0.5: NDCG@10") for line in said) == 1


class Tried:
    """Candidates whose figures are known for each weight of `calibrate`; None is the list as it was."""

    def __init__(self, figures: dict[float | None, tuple[float, float]]) -> None:
        self.figures = figures

    def lists(self, stages: Any, k: int) -> float | None:
        return stages[0].config.weight if stages else None

    def measured(self, weight: float | None, metrics: Any) -> dict[str, float]:
        ndcg, calibration = self.figures[weight]
        return {"ndcg": ndcg, "calibration": calibration}


@pytest.mark.parametrize(
    ("dear", "expected"),
    [
        ({0.3: 0.999, 0.5: 0.996, 0.9: 0.98}, 0.5),  # the best calibrated of those that cost at most half a per cent
        ({0.3: 0.97, 0.5: 0.96, 0.9: 0.90}, 0.3),  # where all cost too much, the cheapest
        ({0.3: 1.1, 0.5: 1.0, 0.9: 1.0}, 0.9),  # accuracy gained buys nothing
    ],
)
def test_the_choice_is_the_best_of_those_that_cost_little(
    dear: dict[float, float], expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diversity, "GRIDS", {"calibrate": {"calibrate": {"weight": tuple(dear)}}})
    candidates: Any = Tried(
        {None: (0.2, 0.5), **{weight: (0.2 * ndcg, 0.5 - weight / 2) for weight, ndcg in dear.items()}}
    )
    assert diversity._choice(candidates, "calibrate", lambda _: None) == (("calibrate", {"weight": expected}),)


def test_a_shop_without_categories_is_told_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    open_shop(monkeypatch, categories=False)
    with pytest.raises(NotEnoughData, match="categories"):
        diversity.measure(lambda _: None)


def test_where_nothing_recommended_was_wanted_there_is_nothing_to_choose_by() -> None:
    candidates: Any = Tried({None: (0.0, 0.5)})
    with pytest.raises(NotEnoughData, match="wanted items"):
        diversity._choice(candidates, "calibrate", lambda _: None)


def test_a_change_is_the_paired_difference_as_a_share_of_what_was() -> None:
    before = np.array([0.2, 0.4, 0.0, 0.6])
    change = diversity._change(before + 0.03, before)
    assert (change.mean, change.low, change.high) == (pytest.approx(0.1),) * 3


def test_exposure_of_some_users_is_that_of_the_metric() -> None:
    rng = np.random.default_rng(1)
    lists = np.array([rng.permutation(30)[:5] for _ in range(12)], np.int32)
    lists[3, 2:] = -1
    counted = rng.integers(0, 3, (4, 12)).astype(float)
    context: Any = MetricContext(np.zeros(30), sparse.csr_matrix((12, 30)), 40)
    gini = METRICS.create("gini")
    expected = [gini.overall(np.repeat(lists, row.astype(int), axis=0), context) for row in counted]
    np.testing.assert_allclose(diversity._ginis(lists, counted, 40), expected)


def test_lists_that_do_not_change_change_no_exposure() -> None:
    lists = np.arange(60, dtype=np.int32).reshape(12, 5) % 17
    change = diversity._gini_change(lists, lists, 40)
    assert (change.mean, change.low, change.high) == (0, 0, 0)


def test_every_reranking_stage_is_timed_beside_plain_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rerank, "CATALOG", 1_000)
    figures = rerank.measure(2, lambda _: None)
    assert [stage.stage for stage in figures.stages] == list(rerank.STAGES_MEASURED)
    assert all(0 < stage.median_ms <= stage.p99_ms and stage.ratio > 0 for stage in figures.stages)


@pytest.mark.parametrize("label", list(rerank.STAGES_MEASURED))
def test_plain_python_chooses_what_the_stage_chooses(label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise its time says nothing."""
    monkeypatch.setattr(rerank, "CATALOG", 1_000)
    rng = np.random.default_rng(3)
    context = rerank._context(rng)
    slate, query = rerank._request(rng)
    name, config = rerank.STAGES_MEASURED[label]
    stage = rerank.STAGES.create(name, {**config, "count": rerank.PLACES})
    plain = rerank._PLAIN[name](slate, query, context, config)[: rerank.PLACES]
    assert stage(slate, query, context).rows[: rerank.PLACES].tolist() == slate.rows[plain].tolist()
