"""Rising: the lift of an item against the hours before, drawn to 1."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.recommend.engine.algorithms.rising import Rising
from apps.recommend.engine.types import EventWorth, Interactions, Query
from tests import worlds
from tests.worlds import NOW, VIEW

HOUR = 3_600


def viewed(counts: list[tuple[int, int]]) -> Interactions:
    """As many users as said viewed each item in the last 24 hours and in the 72 before; none of them two items."""
    triples, times = [], []
    for item, (recent, before) in enumerate(counts):
        for number in range(recent + before):
            triples.append((len(triples), item, VIEW))
            times.append(NOW - HOUR if number < recent else NOW - 30 * HOUR)
    events = worlds.events(triples, times=times, n_users=max(len(triples), 1), n_items=len(counts))
    worth = {VIEW: EventWorth("view_item", True, 1.0, 1e9)}
    return Interactions(**{**vars(events), "worth": worth})


def scores(counts: list[tuple[int, int]], **config: float) -> list[float]:
    built = Rising(Rising.Config.model_validate(config))
    model = built.fit(viewed(counts), worlds.catalog(len(counts)), np.random.default_rng(1))
    return model.score(Query(), np.arange(len(counts), dtype=np.int32)).tolist()


def test_a_score_is_the_binary_logarithm_of_the_lift_by_hand() -> None:
    """44 views lately, 88 before: 10 of them lead one to expect 5. (30 + 10) / (5 + 10)."""
    assert scores([(30, 10), (14, 78)], prior=10) == pytest.approx([math.log2(40 / 15), 0.0], abs=1e-4)


def test_only_the_hours_that_count_are_looked_at() -> None:
    assert scores([(30, 10), (14, 78)], recent_hours=40, before_hours=10) == pytest.approx(
        [math.log2((40 + 10) / 10), math.log2((92 + 10) / 10)], abs=1e-4
    )


def test_the_higher_the_prior_the_less_a_few_users_lift() -> None:
    lifts = [scores([(5, 0), (100, 300)], prior=prior)[0] for prior in (1.0, 10.0, 40.0)]
    assert lifts == sorted(lifts, reverse=True)
    assert lifts[0] > 2
    assert lifts[2] < 0.3


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=6).filter(
        lambda c: any(map(sum, c))
    )
)
def test_scores_are_finite_never_negative_and_rise_with_what_is_wanted_lately(counts: list[tuple[int, int]]) -> None:
    found = scores(counts)
    assert all(math.isfinite(score) and score >= 0 for score in found)
    order = sorted(range(len(counts)), key=lambda item: counts[item][0])
    for less, more in pairwise(order):
        if counts[less][1] == counts[more][1]:
            assert found[less] <= found[more] + 1e-6
