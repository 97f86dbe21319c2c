"""Popularity within categories, and what a user wants again: worlds with planted answers."""

from dataclasses import replace

import numpy as np
from scipy import sparse

from apps.recommend.engine.algorithms.category_popularity import CategoryPopularity, CategoryPopularityModel
from apps.recommend.engine.algorithms.own_history import OwnHistory, OwnHistoryModel
from apps.recommend.engine.algorithms.popularity import Popularity
from apps.recommend.engine.context import Context
from apps.recommend.engine.lens import Lens, through_lens
from apps.recommend.engine.served_model import ServedModel
from apps.recommend.engine.sources.most_wanted import MostWanted
from apps.recommend.engine.types import DAY, Evidence, Items, Query, Slate
from tests import worlds
from tests.worlds import NOW, PURCHASE, VIEW

RNG = np.random.default_rng(1)
ROOT, TEA, BIKES = 0, 1, 2


def shelves() -> Items:
    """Items 0 to 3 are tea, 4 to 7 bikes, all below one root; 8 and 9 are in no category."""
    members = np.zeros((10, 3), np.float32)
    members[:8, ROOT] = members[:4, TEA] = members[4:8, BIKES] = 1
    categories = sparse.csr_matrix(members)
    return replace(worlds.catalog(10), categories=categories, category_ids=np.array([3, 5, 9], np.int64))


def sales(counts: dict[int, int]) -> list[tuple[int, int, int]]:
    """As many users as said bought each item, none of them two."""
    users = iter(range(1000))
    return [(next(users), item, PURCHASE) for item, count in counts.items() for _ in range(count)]


# Bikes sell ten times as much as tea, so that overall popularity knows only bikes.
COUNTS = {0: 4, 1: 2, 2: 1, 3: 1, 4: 40, 5: 20, 6: 10, 7: 10, 8: 5, 9: 1}


def category_model() -> CategoryPopularityModel:
    algorithm = CategoryPopularity(CategoryPopularity.Config())
    return algorithm.fit(worlds.events(sales(COUNTS), n_items=10), shelves(), RNG)


def ranking(model: CategoryPopularityModel | OwnHistoryModel, *liked: int) -> list[int]:
    scores = model.score(Query(history=Evidence.of_rows(liked)), np.arange(10, dtype=np.int32))
    order = np.argsort(-np.nan_to_num(scores, nan=-1), kind="stable")
    return [int(row) for row in order if scores[row] > 0]


def test_who_likes_tea_gets_the_best_selling_teas_first_though_bikes_sell_ten_times_as_much() -> None:
    model = category_model()
    assert ranking(model, 3)[:2] == [0, 1]
    assert ranking(model, 7)[:2] == [4, 5]
    assert ranking(model, 9) == [8, 9]


def test_a_score_is_the_shares_in_the_items_categories_the_narrow_ones_spoken_for_most() -> None:
    scores = category_model().score(Query(history=Evidence.of_rows([3])), np.arange(10, dtype=np.int32))
    tea = (1 / 8) / (1 / 8 + 1 / 88)  # of what tea lovers say; the rest is for everything below the root
    np.testing.assert_allclose(scores[0], tea * 4 / 8 + (1 - tea) * 4 / 88, rtol=1e-5)
    np.testing.assert_allclose(scores[4], (1 - tea) * 40 / 88, rtol=1e-5)
    assert scores[8] == 0


def test_a_broader_taste_mixes_its_categories_by_how_strongly_they_are_liked() -> None:
    model = category_model()
    history = Evidence(np.array([3, 7], np.int32), np.array([5.0, 0.1], np.float32), np.array([-1, -1], np.int16))
    strong_tea = model.score(Query(history=history), np.arange(10, dtype=np.int32))
    assert strong_tea[0] > strong_tea[4]
    dislike = replace(history, weights=np.array([-5.0, 0.1], np.float32))
    assert np.argmax(model.score(Query(history=dislike), np.arange(10, dtype=np.int32))) == 4


def test_a_category_page_shows_what_sells_best_within_the_category() -> None:
    items = shelves()
    events = worlds.events(sales(COUNTS), n_items=10)
    popular = Popularity(Popularity.Config()).fit(events, items, RNG)
    served = ServedModel.over(items, popular, name="popular", version="1")
    for category, best in ((5, [0, 1]), (9, [4, 5]), (3, [4, 5])):
        context = Context(items=items, eligible=items.in_category(category), models={"popular": served})
        assert propose(context).rows[:2].tolist() == best


def propose(context: Context) -> Slate:
    return MostWanted(MostWanted.Config(model="popular")).propose(Query(now=NOW), context, 5)


def test_trending_in_a_category_is_a_matter_of_the_lens() -> None:
    """Item 0 sold best until a month ago, item 3 sells now."""
    triples = [*sales({0: 9, 1: 3}), (500, 3, PURCHASE), (501, 3, PURCHASE)]
    times = [NOW - 40 * DAY] * 12 + [NOW, NOW]
    events = worlds.events(triples, times=times, n_items=10)
    best = []
    for lens in (Lens(half_life_days=1e6), Lens(window_days=7)):
        model = through_lens(CategoryPopularity(CategoryPopularity.Config()), lens).fit(events, shelves(), RNG)
        best.append(int(np.argmax(model.score(Query(history=Evidence.of_rows([1])), np.arange(10, dtype=np.int32)))))
    assert best == [0, 3]


def coming_back() -> OwnHistoryModel:
    """Everybody who bought item 0 came back for it on another day, nobody for item 1, though they viewed it twice."""
    triples, times = [], []
    for user in range(30):
        for item, day in ((0, 1), (0, 20), (1, 3), (1, 3)):
            triples.append((user, item, VIEW))
            times.append(NOW - 50 * DAY + day * DAY)
    events = worlds.events(triples, times=times, n_items=3)
    return OwnHistory(OwnHistory.Config(prior=10)).fit(events, worlds.catalog(3), RNG)


def test_how_often_others_came_back_decides_between_equally_liked_items() -> None:
    model = coming_back()
    scores = model.score(Query(history=Evidence.of_rows([0, 1])), np.arange(3, dtype=np.int32))
    assert scores[0] > 3 * scores[1] > 0
    assert np.isnan(scores[2])


def test_the_share_that_came_back_is_drawn_to_the_average() -> None:
    average = 31 / 62
    expected = [(30 + 10 * average) / 40, (0 + 10 * average) / 40, average]
    np.testing.assert_allclose(coming_back().again, expected, rtol=1e-5)


def test_the_users_own_weight_decides_where_others_are_alike() -> None:
    model = OwnHistoryModel(worlds.item_ids(3), np.array([0.5, 0.5, 0.5], np.float32))
    history = Evidence(np.array([0, 1, 0], np.int32), np.array([1.0, 1.5, 1.0], np.float32), np.zeros(3, np.int16))
    assert model.score(Query(history=history), np.array([0, 1], np.int32)).tolist() == [1.0, 0.75]
