"""What a learned ranking is told of each candidate, against plain loops."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from apps.recommend.engine.part_models import queries_of
from apps.recommend.engine.ranking_features import WINDOWS, Candidates, ItemFacts, names
from apps.recommend.engine.types import DAY, Evidence, Query
from tests import worlds


@pytest.fixture(scope="module")
def shop() -> worlds.World:
    return worlds.bargains()


def test_candidates_are_the_best_of_each_part_and_stand_where_its_own_list_puts_them() -> None:
    rng = np.random.default_rng(2)
    tables = [rng.normal(size=(3, 12)).astype(np.float32), np.full((3, 12), np.nan, np.float32)]
    tables[1][0] = rng.normal(size=12)
    tables[1][0, 4:] = np.nan  # the second part speaks of four items to the first user, and to nobody else
    tables[1][2, 5:8] = 1.0  # … and to the third of three alike
    found = Candidates.of([table.copy() for table in tables], 5)
    for user in range(3):
        lists = [
            sorted((i for i in range(12) if not np.isnan(table[user, i])), key=lambda i: -table[user, i])[:5]
            for table in tables
        ]
        mine = found.queries == user
        assert set(found.rows[mine]) == set(lists[0]) | set(lists[1])
        for item, said in zip(found.rows[mine], found.said[mine], strict=True):
            for part, (table, best) in enumerate(zip(tables, lists, strict=True)):
                standing, place, silent = said[3 * part : 3 * part + 3]
                assert silent == (not best)
                if np.isnan(table[user, item]):
                    assert np.isnan(standing)
                    assert place == 0
                    continue
                spread = table[user, best].std()
                expected = (table[user, item] - table[user, best].mean()) / spread if spread > 0 else 0.0
                assert standing == pytest.approx(np.clip(expected, -8, 8), abs=2e-3)
                if spread > 0:
                    assert place == pytest.approx(1 / (best.index(item) + 1) if item in best else 0)


def test_what_the_trees_are_told_is_what_a_plain_loop_computes(shop: worlds.World) -> None:
    done = shop.interactions
    item_ids = done.item_ids[::2]
    price = shop.items.price.copy()
    price[0] = np.nan
    items = replace(shop.items, price=price, published=worlds.START + np.arange(len(shop.items)) * 3_600)
    facts = ItemFacts.of(item_ids, items, done)
    rows = np.array([0, 3, 17, 40], np.int32)
    had = np.array([3, 5, 40], np.int32)
    weights = np.array([2.0, 1.0, -3.0], np.float32)
    times = worlds.NOW - np.array([1, 10, 4]) * DAY
    query = Query(history=Evidence(had, weights, np.full(3, -1, np.int16), times), now=worlds.NOW)
    asked = queries_of(query, len(item_ids))
    found = Candidates(np.zeros(4, np.int64), rows, np.zeros((4, 0), np.float32))
    told = facts.columns(found, asked, np.zeros(3), as_of=worlds.NOW)
    table = dict(zip(names([]), told.T, strict=True))

    at = items.rows_of(item_ids)
    log_price = np.log(items.price[at])
    shelf = items.categories[at].toarray().argmax(axis=1)
    usual = np.array([np.nanmean(log_price[shelf == one]) for one in range(4)])
    level = log_price - usual[shelf]
    np.testing.assert_allclose(table["price_level"], level[rows], rtol=1e-4, atol=1e-5)
    mine = (2 * log_price[3] + 1 * log_price[5]) / 3
    np.testing.assert_allclose(table["price_gap"], log_price[rows] - mine, rtol=1e-4, atol=1e-5)
    my_level = (2 * level[3] + 1 * level[5]) / 3
    np.testing.assert_allclose(table["price_level_gap"], level[rows] - my_level, rtol=1e-4, atol=1e-5)
    share = [(2 * (shelf[3] == shelf[row]) + 1 * (shelf[5] == shelf[row])) / 3 for row in rows]
    np.testing.assert_allclose(table["category_share"], share, rtol=1e-5)
    np.testing.assert_allclose(table["item_age"], np.log1p((worlds.NOW - items.published[at][rows]) / DAY), rtol=1e-5)
    np.testing.assert_allclose(table["own_share"], [0, 2 / 3, 0, -1], rtol=1e-5)
    np.testing.assert_allclose(table["own_days"], [np.nan, np.log1p(1), np.nan, np.log1p(4)], rtol=1e-5)
    np.testing.assert_allclose(table["own_days_before_last"], [np.nan, 0, np.nan, np.log1p(4) - np.log1p(1)], rtol=1e-5)
    np.testing.assert_allclose(table["history_items"], np.log1p(3), rtol=1e-5)
    np.testing.assert_allclose(table["idle_days"], np.log1p(1), rtol=1e-5)
    np.testing.assert_array_equal(table["hour"], worlds.NOW % DAY // 3_600)
    np.testing.assert_array_equal(table["weekday"], datetime.fromtimestamp(worlds.NOW, UTC).weekday())
    for number, days in enumerate(WINDOWS):
        counts = np.zeros(done.n_items)
        for item in range(done.n_items):
            recent = (done.items == item) & (done.times >= done.as_of - days * DAY)
            counts[item] = len(set(done.users[recent]))
        relative = np.log1p(counts / counts[counts > 0].mean())
        np.testing.assert_allclose(facts.wanted[:, number], relative[::2], rtol=1e-5)
