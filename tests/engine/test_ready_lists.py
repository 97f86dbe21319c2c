"""Recently viewed, buy it again, trending and best sellers: the shipped pipelines in small planted worlds."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from apps.recommend.engine.context import Context
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.types import DAY, Query
from tests import worlds
from tests.engine.shipped import first, fit, served, who
from tests.worlds import CART, DISLIKE, NOW, PURCHASE, REFUND, VIEW

HOUR = 3_600


# Recently viewed


@pytest.fixture
def bare() -> Context:
    return Context(worlds.catalog(12), np.ones(12, bool))


def test_recently_viewed_holds_each_item_once_the_latest_view_first(bare: Context) -> None:
    query = who((4, VIEW, 5), (5, VIEW, 4), (6, VIEW, 3), (4, VIEW, 2))
    assert first("recently-viewed", query, bare) == [4, 6, 5]


@pytest.mark.parametrize(
    ("since", "stays"),
    [
        ([], True),
        ([(CART, 1)], True),
        ([(PURCHASE, 1)], False),
        ([(PURCHASE, 2), (REFUND, 1)], True),
        ([(DISLIKE, 1)], False),
        ([(PURCHASE, 2), (VIEW, 1)], True),
        ([(PURCHASE, 9)], True),
    ],
)
def test_what_was_bought_after_it_was_viewed_is_not_shown_again(
    bare: Context, since: list[tuple[int, float]], stays: bool
) -> None:
    found = first("recently-viewed", who((4, VIEW, 5), *((4, kind, ago) for kind, ago in since)), bare)
    assert found == ([4] if stays else [])


def test_recently_viewed_leaves_out_what_may_not_be_shown_and_what_was_never_viewed(bare: Context) -> None:
    gone = replace(bare, eligible=np.arange(12) != 4)
    assert first("recently-viewed", who((4, VIEW, 2), (5, VIEW, 3), (6, CART, 1)), gone) == [5]
    assert first("recently-viewed", Query(now=NOW), bare) == []


# Buy it again

COFFEE, FILTERS, KETTLE = 0, 1, 2


@pytest.fixture(scope="module")
def pantry() -> Context:
    """Everybody buys coffee every 10 days and filters every 40; a kettle is bought once, and returned by some."""
    triples, times = [], []
    for user in range(40):
        for item, every in ((COFFEE, 10), (FILTERS, 40)):
            for day in range(user % 10, 120, every):
                triples.append((user, item, PURCHASE))
                times.append(NOW - (120 - day) * DAY)
        triples.append((user, KETTLE, PURCHASE))
        times.append(NOW - (100 - user) * DAY)
    items = worlds.catalog(6)
    model = fit("buy_again", worlds.events(triples, times=times, n_items=6), items)
    return Context(items, np.ones(6, bool), served({"buy_again": model}, items))


def test_what_others_buy_again_comes_before_what_is_bought_once(pantry: Context) -> None:
    query = who((KETTLE, PURCHASE, 8), (FILTERS, PURCHASE, 8), (COFFEE, PURCHASE, 8))
    assert first("buy-again", query, pantry) == [COFFEE, FILTERS, KETTLE]


def test_what_was_just_bought_waits_until_it_is_due(pantry: Context) -> None:
    assert first("buy-again", who((COFFEE, PURCHASE, 0.01), (FILTERS, PURCHASE, 30)), pantry) == [FILTERS, COFFEE]
    assert first("buy-again", who((COFFEE, PURCHASE, 9), (FILTERS, PURCHASE, 1)), pantry) == [COFFEE, FILTERS]


def test_who_has_not_come_back_for_long_has_probably_stopped(pantry: Context) -> None:
    assert first("buy-again", who((COFFEE, PURCHASE, 200), (FILTERS, PURCHASE, 35)), pantry) == [FILTERS, COFFEE]


def test_a_users_own_rhythm_counts_more_the_longer_it_is_known(pantry: Context) -> None:
    """Everybody's coffee is due after 10 days; who bought it every 40 days, eleven times, is not waiting for it yet."""
    slow = [(COFFEE, PURCHASE, 8 + 40 * n) for n in range(11)]
    filters = (FILTERS, PURCHASE, 20)
    assert first("buy-again", who((COFFEE, PURCHASE, 8), filters), pantry)[0] == COFFEE
    assert first("buy-again", who(*slow, filters), pantry)[0] == FILTERS


@pytest.mark.parametrize("end", [REFUND, DISLIKE])
def test_what_was_given_back_or_disliked_is_not_offered_again(pantry: Context, end: int) -> None:
    assert first("buy-again", who((COFFEE, PURCHASE, 12), (COFFEE, end, 11), (FILTERS, PURCHASE, 9)), pantry) == [
        FILTERS
    ]
    again = who((COFFEE, PURCHASE, 12), (COFFEE, end, 11), (COFFEE, PURCHASE, 9))
    assert first("buy-again", again, pantry) == [COFFEE]


def test_what_was_only_viewed_is_nothing_to_buy_again(pantry: Context) -> None:
    assert first("buy-again", who((COFFEE, VIEW, 3), (FILTERS, CART, 2)), pantry) == []


def test_before_the_model_is_trained_what_was_bought_more_often_comes_first(bare: Context) -> None:
    query = who((3, PURCHASE, 9), (3, PURCHASE, 20), (4, PURCHASE, 1), (5, PURCHASE, 4))
    assert first("buy-again", query, bare) == [3, 4, 5]


def test_what_the_model_does_not_know_yet_follows(pantry: Context) -> None:
    items = worlds.catalog(8)
    grown = Context(items, np.ones(8, bool), served({"buy_again": pantry.models["buy_again"].model}, items))
    query = who((7, PURCHASE, 5), (7, PURCHASE, 15), (6, PURCHASE, 3), (KETTLE, PURCHASE, 8))
    assert first("buy-again", query, grown) == [KETTLE, 7, 6]


# Trending and best sellers


def sold(counts: Mapping[int, tuple[int, int]]) -> Context:
    """Items with as many buyers as said in the last 24 hours and in the 72 before; nobody buys two."""
    triples, times = [], []
    for item, (recent, before) in counts.items():
        for number in range(recent + before):
            triples.append((len(triples), item, PURCHASE))
            times.append(NOW - (number % 24) * HOUR if number < recent else NOW - (25 + number % 70) * HOUR)
    items = worlds.catalog(len(counts))
    events = worlds.events(triples, times=times, n_items=len(counts))
    return Context(items, np.ones(len(items), bool), served({"trending": fit("trending", events, items)}, items))


def test_trending_is_what_rises_not_what_sells_most() -> None:
    assert first("trending", who(), sold({0: (100, 300), 1: (40, 30), 2: (60, 70)})) == [1, 2]


def test_one_sale_in_a_night_does_not_top_the_list() -> None:
    found = first("trending", who(), sold({0: (1, 0), 1: (30, 30), 2: (400, 1200), 3: (2, 1)}))
    assert found[0] == 1


def test_a_busy_day_of_the_whole_shop_lifts_nothing() -> None:
    assert first("trending", who(), sold({0: (100, 30), 1: (200, 60), 2: (50, 15)})) == []


def test_a_shop_in_its_first_day_shows_what_is_wanted_most() -> None:
    assert first("trending", who(), sold({0: (3, 0), 1: (9, 0), 2: (5, 0)})) == [1, 2, 0]


def test_best_sellers_go_by_what_is_bought_in_7_days() -> None:
    """Item 0 is looked at by many, 1 is bought by some this week, 2 was bought by all a month ago, 3 was returned."""
    triples = [(user, 0, VIEW) for user in range(60)] + [(user, 1, PURCHASE) for user in range(5)]
    times = [NOW - DAY] * len(triples)
    for user in range(50):
        triples += [(user, 2, PURCHASE), (user, 3, PURCHASE), (user, 3, REFUND)]
        times += [NOW - 20 * DAY, NOW - DAY, NOW - DAY]
    items = worlds.catalog(4)
    events = worlds.events(triples, times=times, n_items=4)
    models = {name: fit(name, events, items) for name in ("popular_7d", "popular_30d")}
    context = Context(items, np.ones(4, bool), served(models, items))
    assert first("popular", who(), context) == [1, 0]
    assert first("popular-30d", who(), context)[0] == 2


def test_without_purchases_best_sellers_are_what_is_viewed_most() -> None:
    triples = [(user, item, VIEW) for item, count in ((0, 2), (1, 7), (2, 4)) for user in range(count)]
    items = worlds.catalog(3)
    model = fit("popular_7d", worlds.events(triples), items)
    context = Context(items, np.ones(3, bool), served({"popular_7d": model}, items))
    assert first("popular", who(), context) == [1, 2, 0]


def test_a_model_without_anything_to_learn_from_says_so() -> None:
    nothing = worlds.events([], n_users=1, n_items=1)
    for name in ("trending", "buy_again"):
        with pytest.raises(NotEnoughData):
            fit(name, nothing, worlds.catalog(1))
