"""What each way of splitting lets models learn, tells them of the tested users, and asks."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.evaluation.evaluate import measure
from apps.recommend.engine.evaluation.ranking import evidence_of
from apps.recommend.engine.evaluation.splits import (
    Split,
    given_split,
    items_as_of,
    leave_last_out,
    strong_generalisation,
    temporal_split,
)
from apps.recommend.engine.evaluation.tasks import Task, latest_items, new_item_ids, rolling_cutoffs, task_split
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.types import DAY, Interactions, Items
from tests import worlds

CUT = worlds.NOW - 10 * DAY
BEFORE, AFTER = CUT - 1, CUT


def small() -> Any:
    """User 0 buys 0, then 0 and 1; user 1 views 2, then buys 2; user 2 is new; user 3 never comes back."""
    rows = [
        (0, 0, worlds.PURCHASE, BEFORE),
        (0, 0, worlds.PURCHASE, AFTER),
        (0, 1, worlds.PURCHASE, AFTER),
        (1, 2, worlds.VIEW, BEFORE),
        (1, 2, worlds.PURCHASE, AFTER),
        (2, 1, worlds.PURCHASE, AFTER),
        (3, 1, worlds.PURCHASE, BEFORE),
        (3, 2, worlds.DISLIKE, AFTER),
        (0, 2, worlds.IMPRESSION, AFTER),
    ]
    return bought(rows)


def bought(rows: list[tuple[int, int, int, int]], **sizes: int) -> Interactions:
    return worlds.events([row[:3] for row in rows], times=[row[3] for row in rows], **sizes)


def purchases(*days: tuple[int, int, int], **sizes: int) -> Interactions:
    """Purchases of (user, item, days before now)."""
    return bought([(user, item, worlds.PURCHASE, worlds.NOW - day * DAY) for user, item, day in days], **sizes)


def sets(split: Split, matrix: sparse.csr_matrix) -> dict[int, set[int]]:
    return {int(user): set(matrix[place].indices.tolist()) for place, user in enumerate(split.users)}


def truth(split: Split) -> dict[int, set[int]]:
    return sets(split, split.truth)


def told(split: Split) -> dict[int, set[int]]:
    return sets(split, evidence_of(split, None))


def test_truth_is_what_known_users_newly_wanted_after_the_cut() -> None:
    assert truth(temporal_split(small(), at=CUT, events=["purchase"])) == {0: {1}, 1: {2}}
    assert truth(temporal_split(small(), at=CUT)) == {0: {1}}  # user 1 had viewed it
    assert truth(temporal_split(small(), at=CUT, new_only=False)) == {0: {0, 1}, 1: {2}}


def test_the_training_part_ends_before_the_cut_and_is_seen_from_it() -> None:
    split = temporal_split(small(), at=CUT)
    assert split.train.times.max() == BEFORE
    assert split.train.as_of == CUT
    assert split.train.n_items == small().n_items
    assert split.known is split.train


def test_the_window_can_end_early() -> None:
    with pytest.raises(NotEnoughData, match="before and after"):
        temporal_split(small(), at=CUT, until=CUT)


def test_no_past_and_no_future_are_both_refused() -> None:
    with pytest.raises(NotEnoughData, match="before the split"):
        temporal_split(small(), at=BEFORE)
    with pytest.raises(NotEnoughData, match="before and after"):
        temporal_split(small(), at=worlds.NOW)


def test_rolling_cutoffs_are_evenly_spaced_and_their_windows_meet() -> None:
    interactions = purchases((0, 0, 50), (0, 1, 0))
    assert rolling_cutoffs(interactions, count=3, days=7) == [worlds.NOW + 1 - weeks * 7 * DAY for weeks in (3, 2, 1)]


def test_items_that_did_not_exist_yet_are_hidden() -> None:
    items = worlds.catalog(4, ["a", "b", "c", "d"])
    published = items.published.copy()
    published[[1, 2, 3]] = [CUT, CUT + 1, CUT + 1]
    parents = np.array([-1, -1, 1, 0], np.int32)
    items = Items(**{**vars(items), "published": published, "parents": parents, "brands": np.arange(4)})
    past = items_as_of(items, small(), CUT)
    np.testing.assert_array_equal(past.ids, worlds.item_ids(4)[:3])  # row 2: an event before, so it did exist
    np.testing.assert_array_equal(past.parents, [-1, -1, 1])
    assert past.texts == ["a", "b", "c"]
    np.testing.assert_array_equal(past.brands, [0, 1, 2])
    everything = items_as_of(items, small(), CUT, also=worlds.item_ids(4)[3:])
    assert len(everything) == 4


def test_leaving_the_last_item_out_keeps_what_came_before_it() -> None:
    interactions = purchases((0, 0, 3), (0, 1, 2), (0, 2, 1), (1, 3, 5), (1, 0, 4))
    split = leave_last_out(interactions)
    assert truth(split) == {0: {2}, 1: {0}}
    assert told(split) == {0: {0, 1}, 1: {3}}
    assert split.train is split.known


def test_a_user_with_one_item_is_learned_from_but_not_tested() -> None:
    split = leave_last_out(purchases((0, 0, 3), (0, 1, 2), (1, 1, 1)))
    assert truth(split) == {0: {1}}
    assert set(split.train.users.tolist()) == {0, 1}


def test_a_last_item_the_user_had_counts_only_where_repetition_does() -> None:
    interactions = purchases((0, 0, 3), (0, 1, 2), (0, 0, 1), (1, 0, 3), (1, 1, 1))
    assert truth(leave_last_out(interactions)) == {1: {1}}
    repeated = leave_last_out(interactions, new_only=False)
    assert truth(repeated) == {0: {0}, 1: {1}}
    assert told(repeated)[0] == {0, 1}  # the earlier purchase stays


def test_what_follows_the_last_item_is_not_told() -> None:
    rows = [
        (0, 0, worlds.PURCHASE, CUT),
        (0, 1, worlds.PURCHASE, CUT + 1),
        (0, 1, worlds.VIEW, CUT + 1),  # the same second
        (0, 1, worlds.REFUND, CUT + 2),
    ]
    split = leave_last_out(bought(rows), events=["purchase"])
    assert truth(split) == {0: {1}}
    assert told(split) == {0: {0}}


def test_leaving_the_last_item_out_agrees_with_a_plain_loop(world: worlds.World) -> None:
    split = leave_last_out(world.interactions)
    events = world.interactions
    weights = events.weights()
    expected = {}
    for user in range(events.n_users):
        mine = np.flatnonzero((events.users == user) & (weights > 0))
        order = sorted(mine.tolist(), key=lambda event: (events.times[event], event))
        before = {int(events.items[event]) for event in order if events.times[event] < events.times[order[-1]]}
        if before and events.items[order[-1]] not in before:
            expected[user] = {int(events.items[order[-1]])}
    assert truth(split) == expected
    assert len(expected) > 30


def test_nobody_learns_from_users_that_are_held_out_as_a_whole(world: worlds.World) -> None:
    split = strong_generalisation(world.interactions, users=15, rng=np.random.default_rng(0))
    assert len(split.users) == 15
    assert not np.isin(split.train.users, split.users).any()
    assert set(split.known.users.tolist()) == set(split.users.tolist())
    everything = world.interactions.matrix()
    for user, mine in told(split).items():
        assert mine
        assert not mine & truth(split)[user]
        assert mine | truth(split)[user] == set(everything[user].indices.tolist())
        assert len(mine) == min(np.ceil(0.8 * everything[user].nnz), everything[user].nnz - 1)


def test_held_out_users_are_recommended_to_by_what_they_told(world: worlds.World) -> None:
    split = strong_generalisation(world.interactions, users=20, rng=np.random.default_rng(1))
    scores = {
        name: measure(
            ALGORITHMS.create(name).fit(split.train.compact(), world.items, np.random.default_rng(0)), split, n_items=80
        )
        .per_user["recall", 10]
        .mean()
        for name in ("item_knn", "popularity")
    }
    assert scores["item_knn"] > 1.5 * scores["popularity"]


def test_users_to_hold_out_can_be_named_and_those_with_one_item_are_left_alone() -> None:
    interactions = purchases((0, 0, 3), (0, 1, 2), (1, 1, 1), (2, 0, 1), (2, 1, 1), (2, 2, 1))
    split = strong_generalisation(interactions, users=np.array([1, 2], np.int32), rng=np.random.default_rng(0))
    assert split.users.tolist() == [2]
    assert set(split.train.users.tolist()) == {0, 1}


def test_holding_out_everybody_is_refused() -> None:
    with pytest.raises(NotEnoughData, match="not held out"):
        strong_generalisation(purchases((0, 0, 2), (0, 1, 1)), users=5, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="share"):
        strong_generalisation(purchases((0, 0, 2), (0, 1, 1)), users=1, rng=np.random.default_rng(0), share=1.0)


def test_a_given_split_is_taken_as_it_is() -> None:
    sizes = {"n_users": 3, "n_items": 3}
    train, test = purchases((0, 0, 1), (1, 1, 1), **sizes), purchases((0, 1, 1), (0, 0, 1), (2, 2, 1), **sizes)
    assert truth(given_split(train, test)) == {0: {1}}  # user 2 is unknown
    assert truth(given_split(train, test, new_only=False)) == {0: {0, 1}}
    with pytest.raises(ValueError, match="over the same"):
        given_split(train, purchases((0, 1, 1), n_users=3, n_items=4))


def test_an_empty_test_part_is_refused() -> None:
    train = purchases((0, 0, 1), n_users=2, n_items=2)
    with pytest.raises(NotEnoughData, match="before and after"):
        given_split(train, train.select(np.zeros(len(train), bool)))


def test_the_latest_items_are_those_of_the_latest_events() -> None:
    interactions = purchases((0, 0, 9), (0, 1, 8), (0, 2, 7), (0, 0, 6), (1, 1, 3))
    assert sorted(latest_items(interactions, 1).items.tolist()) == [0, 0, 1]  # all events with them
    assert sorted(latest_items(interactions, 2).items.tolist()) == [0, 0, 1, 2]
    assert len(latest_items(interactions, 9)) == len(interactions)


def test_a_user_known_by_one_item_may_want_what_they_had_before_it() -> None:
    interactions = purchases((0, 0, 30), (0, 1, 20), (0, 0, 5), (0, 1, 5), (0, 2, 5), (1, 2, 30))
    split = task_split(interactions, interactions.before(CUT), Task(known_items=1), at=CUT)
    assert told(split) == {0: {1}}
    assert truth(split) == {0: {0, 2}}
    assert len(split.train) == 3  # models learn from everything


def new_items_world() -> tuple[Interactions, Items]:
    """Item 0 is old; 1 came two days before the cut and was bought once; 2 likewise, never bought; 3 comes later."""
    interactions = purchases((0, 0, 40), (1, 0, 39), (1, 1, 11), (0, 1, 5), (0, 2, 5), (1, 3, 5), (1, 0, 5))
    items = worlds.catalog(4)
    published = np.array([0, CUT - 2 * DAY, CUT - 2 * DAY, CUT + DAY])
    return interactions, replace(items, published=published)


def test_new_items_are_asked_for_and_ranked_alone() -> None:
    interactions, items = new_items_world()
    ids = worlds.item_ids(4)
    assert new_item_ids(interactions, items, at=CUT, days=3).tolist() == ids[[1, 2]].tolist()
    assert new_item_ids(interactions, items, at=CUT, days=1).tolist() == ids[[2]].tolist()  # no event yet
    split = task_split(interactions, interactions.before(CUT), Task(new_items_days=3), at=CUT, items=items)
    assert truth(split) == {0: {1, 2}}
    model = ALGORITHMS.create("popularity").fit(split.train.compact(), items, np.random.default_rng(0))
    found = measure(model, split, n_items=2)
    assert found.recommended[0].tolist() == [1, *[-1] * 9]


def test_hidden_new_items_are_unknown_to_whoever_learns() -> None:
    interactions, items = new_items_world()
    task = Task(new_items_days=3, hide_new_items=True)
    split = task_split(interactions, interactions.before(CUT), task, at=CUT, items=items)
    assert set(split.train.items.tolist()) == {0}
    assert truth(split) == {0: {1, 2}}
    with pytest.raises(NotEnoughData):
        task_split(interactions, interactions.before(CUT), Task(new_items_days=0.5), at=CUT, items=None)


def test_a_sample_of_users_keeps_what_belongs_to_each() -> None:
    split = temporal_split(small(), at=CUT, new_only=False)
    some = split.sample(1, np.random.default_rng(0))
    assert len(some.users) == 1
    (user,) = some.users.tolist()
    assert truth(some)[user] == truth(split)[user]
    assert sets(some, some.had)[user] == sets(split, split.had)[user]
    assert split.sample(9, np.random.default_rng(0)) is split


@pytest.mark.parametrize(
    "make", [leave_last_out, lambda events: strong_generalisation(events, users=1, rng=np.random.default_rng(0))]
)
def test_no_events_and_one_item_are_refused(make: Any) -> None:
    one = purchases((0, 0, 1))
    for events in (one, one.select(np.zeros(1, bool))):
        with pytest.raises(NotEnoughData):
            make(events)
