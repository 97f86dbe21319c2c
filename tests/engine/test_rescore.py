"""The stage that orders a slate by a model, and the times of evidence on their way to that model."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.context import Context
from apps.recommend.engine.registries import STAGES
from apps.recommend.engine.served_model import ServedModel
from apps.recommend.engine.types import Evidence, Query, Slate
from apps.recommend.engine.worth_columns import WorthColumns
from tests import worlds


@dataclass(frozen=True, eq=False)
class Fixed:
    """A model that scores as told."""

    item_ids: NDArray[np.int64]
    scores: NDArray[np.float32]

    def score(self, query: Query, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        return self.scores[rows]


def rescored(scores: list[float], keep: int) -> Slate:
    items = worlds.catalog(len(scores))
    model: Any = Fixed(items.ids, np.array(scores, np.float32))
    served = ServedModel.over(items, model, name="second", version="second-1")
    context = Context(items, np.ones(len(items), bool), {"second": served})
    slate = Slate.ranked(np.arange(len(scores), dtype=np.int32), np.linspace(9, 5, len(scores)), 100, "first")
    return STAGES.create("rescore", {"model": "second", "keep": keep})(slate, Query(), context)


def test_rescoring_orders_the_best_of_a_slate_by_the_model_and_leaves_the_rest_behind() -> None:
    slate = rescored([1.0, 3.0, 2.0, 9.0, 8.0], keep=3)
    assert slate.rows.tolist() == [1, 2, 0, 3, 4]
    np.testing.assert_allclose(slate.scores, [9, 8, 7, 6, 5])


def test_what_the_model_cannot_score_follows_in_the_order_it_was_in() -> None:
    slate = rescored([np.nan, 1.0, np.nan, 4.0, 9.0], keep=4)
    assert slate.rows.tolist() == [3, 1, 0, 2, 4]
    assert (np.diff(slate.scores) <= 0).all()


def test_a_slate_that_the_model_says_nothing_of_stays_as_it_is() -> None:
    assert rescored([np.nan, 2.0, np.nan], keep=3).rows.tolist() == [0, 1, 2]
    items = worlds.catalog(3)
    slate = Slate.ranked(np.arange(3, dtype=np.int32), np.array([3.0, 2.0, 1.0]), 3, "first")
    nobody = Context(items, np.ones(3, bool), {})
    assert STAGES.create("rescore", {"model": "second"})(slate, Query(), nobody).rows.tolist() == [0, 1, 2]


def test_evidence_keeps_the_time_of_each_items_latest_event_on_its_way_to_a_model() -> None:
    rows, types = np.array([4, 2, 4, 9], np.int32), np.full(4, worlds.VIEW, np.int16)
    times = np.array([40, 30, 20, 10], np.int64)
    evidence = Evidence.of_events(rows, np.ones(4, np.float32), types, WorthColumns.of(worlds.WORTH), times)
    assert evidence.times is not None
    assert dict(zip(evidence.rows.tolist(), evidence.times.tolist(), strict=True)) == {4: 40, 2: 30, 9: 10}
    known: Any = Fixed(worlds.catalog(5).ids, np.zeros(5, np.float32))
    served = ServedModel.over(worlds.catalog(10), known, name="few", version="few-1")
    asked = served.query(Query(history=evidence))
    assert asked is not None
    assert asked.history.times is not None
    assert dict(zip(asked.history.rows.tolist(), asked.history.times.tolist(), strict=True)) == {4: 40, 2: 30}
