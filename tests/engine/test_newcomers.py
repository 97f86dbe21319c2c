"""What the source `newcomers` remembers from request to request never shows."""

import gc
from dataclasses import replace
from weakref import ref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.recommend.engine.algorithms.content import ContentModel
from apps.recommend.engine.algorithms.popularity import PopularityModel
from apps.recommend.engine.context import Context
from apps.recommend.engine.delta import Delta
from apps.recommend.engine.products import unit_rows
from apps.recommend.engine.registries import SOURCES
from apps.recommend.engine.served_model import ServedModel
from apps.recommend.engine.types import DAY, Evidence, Query
from tests import worlds

N = 40
ADDED = 20
NOW = worlds.NOW
UNITS = unit_rows(np.random.default_rng(1).normal(size=(N, 8)))
HISTORY = Evidence.of_rows([1, 5])


def shop(published: list[int], known: int = N) -> Context:
    """The items added last were published at these times; the model knows the first `known`."""
    times = np.full(N, NOW - 900 * DAY)
    times[N - len(published) :] = published
    items = replace(worlds.catalog(N), published=times)
    model = ContentModel(items.ids[:known], UNITS[:known], "test")
    served = ServedModel.over(items, model, name="content", version="1")
    return Context(items, np.ones(N, bool), {"content": served})


def propose(source: object, context: Context, now: int, history: Evidence = HISTORY) -> dict[int, float]:
    slate = source.propose(Query(history=history, now=now), context, N)  # type: ignore[attr-defined]
    return dict(zip(slate.rows.tolist(), slate.scores.tolist(), strict=True))


@given(
    ages=st.lists(st.integers(-40, 200), min_size=1, max_size=25),
    moments=st.lists(st.integers(-120, 120), min_size=1, max_size=12),
    days=st.sampled_from([60 / DAY, 60.5 / DAY]),
)
def test_however_time_goes_the_new_are_those_published_lately(ages: list[int], moments: list[int], days: float) -> None:
    context = shop([NOW - age for age in ages])
    source = SOURCES.create("newcomers", {"model": "content", "added": ADDED, "days": days})
    for moment in moments:
        now = NOW + moment
        published = context.items.published
        expected = {row for row in range(N - ADDED, N) if 0 <= now - published[row] <= days * DAY}
        assert set(propose(source, context, now)) == expected


def test_what_may_not_be_shown_any_more_and_another_catalog_or_model_is_noticed_at_once() -> None:
    source = SOURCES.create("newcomers", {"model": "content", "added": ADDED})
    context = shop([NOW - 5] * 4)
    assert set(propose(source, context, NOW)) == {36, 37, 38, 39}
    hidden = context.eligible.copy()
    hidden[37] = False
    assert set(propose(source, replace(context, eligible=hidden), NOW)) == {36, 38, 39}
    assert set(propose(source, replace(context, eligible=np.zeros(N, bool)), NOW)) == set()
    assert set(propose(source, shop([NOW - 5] * 2), NOW)) == {38, 39}
    told = context.models["content"].with_delta(Delta(np.array([36], np.int32), UNITS[[5]]))
    scores = propose(source, replace(context, models={"content": told}), NOW, Evidence.of_rows([5]))
    assert scores[36] == pytest.approx(1.0)
    assert max(scores, key=lambda row: scores[row]) == 36


@pytest.mark.parametrize("known", [N, N - 2])
def test_scores_are_the_models_for_the_history_that_is_asked_with(known: int) -> None:
    source = SOURCES.create("newcomers", {"model": "content", "added": ADDED})
    context = shop([NOW - 5] * 6, known)
    for history in (HISTORY, Evidence.of_rows([7]), HISTORY):
        found = propose(source, context, NOW, history)
        model = context.models["content"]
        rows = np.arange(34, known, dtype=np.int32)
        expected = model.score(Query(history=history, now=NOW), rows)
        assert set(found) == set(rows.tolist())
        np.testing.assert_allclose([found[row] for row in rows.tolist()], expected, rtol=1e-5)


def test_a_model_without_vectors_is_asked_as_any_other() -> None:
    context = shop([NOW - 5] * 3)
    wanted = PopularityModel(context.items.ids, np.arange(N, dtype=np.float32))
    served = ServedModel.over(context.items, wanted, name="popular", version="1")
    source = SOURCES.create("newcomers", {"model": "popular"})
    assert propose(source, replace(context, models={"popular": served}), NOW) == {39: 39.0, 38: 38.0, 37: 37.0}


def test_a_catalog_and_a_model_that_are_gone_are_not_kept_in_memory() -> None:
    source = SOURCES.create("newcomers", {"model": "content"})
    context = shop([NOW - 5] * 3)
    assert propose(source, context, NOW)
    gone = ref(context.items), ref(context.models["content"])
    del context
    gc.collect()
    assert [one() for one in gone] == [None, None]
