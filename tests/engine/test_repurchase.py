"""Repurchase: how likely who bought an item buys it again within a day."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from apps.recommend.engine.algorithms.repurchase import Repurchase, RepurchaseModel
from apps.recommend.engine.types import DAY, Evidence, Interactions, Query
from tests import worlds
from tests.worlds import NOW, PURCHASE, REFUND, VIEW

RNG = np.random.default_rng(1)


def model(again: float = 0.6, interval: float = 20.0, prior: float = 5.0) -> RepurchaseModel:
    return RepurchaseModel(
        worlds.item_ids(2), np.array([again, 0.1], np.float32), np.array([interval, 30.0], np.float32), prior
    )


def asked(*days_ago: float) -> Query:
    n = len(days_ago)
    times = np.array([NOW - round(days * DAY) for days in days_ago], dtype=np.int64)
    evidence = Evidence(np.zeros(n, np.int32), np.ones(n, np.float32), np.full(n, PURCHASE, np.int16), times)
    return Query(history=evidence, now=NOW)


def score(found: RepurchaseModel, query: Query) -> float:
    return float(found.score(query, np.zeros(1, np.int32))[0])


@given(st.floats(0.05, 0.95), st.floats(2, 200), st.floats(0.1, 400))
def test_a_score_is_the_hazard_of_an_erlang_interval_that_may_never_end(p: float, m: float, since: float) -> None:
    """Against SciPy's gamma distribution of shape 2."""
    interval = stats.gamma(a=2, scale=m / 2)
    since = round(since * DAY) / DAY
    expected = p * interval.pdf(since) / (1 - p * interval.cdf(since))
    assert score(model(p, m), asked(since)) == pytest.approx(expected, rel=1e-3, abs=1e-12)


def test_a_users_own_purchases_draw_share_and_interval_to_themselves() -> None:
    """Bought 3 times over 80 days: 2 returns to a prior of 5, so p = (5 · .6 + 2) / 7 and m = (5 · 20 + 80) / 7."""
    drawn = model((5 * 0.6 + 2) / 7, (5 * 20 + 80) / 7)
    assert score(model(), asked(15, 60, 95)) == pytest.approx(score(drawn, asked(15)), rel=1e-5)


def test_two_purchases_of_one_day_are_no_return() -> None:
    noon = (NOW // DAY + 0.5) * DAY - NOW  # seconds until then
    assert score(model(), asked(10 - noon / DAY, 10.1 - noon / DAY)) == pytest.approx(
        score(model(), asked(10 - noon / DAY)), rel=1e-6
    )


def test_without_times_it_is_the_chance_on_any_day() -> None:
    assert score(model(), Query(history=Evidence.of_rows([0]))) == pytest.approx(0.6 / 20, rel=1e-6)
    assert np.isnan(model().score(Query(history=Evidence.of_rows([0])), np.ones(1, np.int32))).all()


def bought(*events: tuple[int, int, int, int]) -> Interactions:
    """(user, item, type, day) of each event."""
    return worlds.events(
        [(user, item, kind) for user, item, kind, _ in events],
        times=[NOW - 100 * DAY + day * DAY for *_, day in events],
        n_items=3,
    )


def fitted(*events: tuple[int, int, int, int], prior: float = 2.0) -> RepurchaseModel:
    return Repurchase(Repurchase.Config(prior=prior)).fit(bought(*events), worlds.catalog(3), RNG)


def test_shares_and_intervals_are_drawn_to_the_shops_by_hand() -> None:
    """Item 0: two buyers, one of whom came back after 10 and after 20 days; item 1: one buyer, who did not."""
    found = fitted(
        (0, 0, PURCHASE, 0), (0, 0, PURCHASE, 10), (0, 0, PURCHASE, 30), (1, 0, PURCHASE, 3), (1, 1, PURCHASE, 3)
    )
    share, mean = (1 + 1) / (3 + 2), (30 + 30) / (2 + 1)
    np.testing.assert_allclose(found.again, [(1 + 2 * share) / 4, (0 + 2 * share) / 3, share], rtol=1e-6)
    np.testing.assert_allclose(found.interval, [(30 + 2 * mean) / 4, mean, mean], rtol=1e-6)


def test_what_was_given_back_is_no_purchase_and_what_was_only_viewed_neither() -> None:
    kept = ((0, 0, PURCHASE, 0), (1, 0, PURCHASE, 5))
    returned = ((2, 0, PURCHASE, 1), (2, 0, PURCHASE, 9), (2, 0, REFUND, 12), (3, 1, VIEW, 1), (3, 1, VIEW, 8))
    with_returns, without = fitted(*kept, *returned), fitted(*kept)
    np.testing.assert_array_equal(with_returns.again, without.again)
    np.testing.assert_array_equal(with_returns.interval, without.interval)


def test_a_purchase_after_a_refund_counts() -> None:
    found = fitted((0, 0, PURCHASE, 0), (0, 0, REFUND, 2), (0, 0, PURCHASE, 4), (0, 0, PURCHASE, 14))
    np.testing.assert_allclose(found.interval[0], (10 + 2 * 20) / 3, rtol=1e-6)
