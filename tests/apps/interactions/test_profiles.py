"""A profile says who asks, as of now, wherever it is kept."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.db import OperationalError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from apps.interactions import profiles
from apps.interactions.profiles import Profile, ProfileOutOfReach, profile
from apps.interactions.selectors import recent_taste
from apps.interactions.services import EventInput, events_record
from apps.interactions.taste import TASTE_MAX
from apps.users.services import user_erase, user_prefer, user_put, users_merge, users_unmerge
from tests.factories import make_events, make_items, make_user

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def known(name: str) -> Profile:
    found = profile(name)
    assert found is not None
    return found


def assert_as_stored(name: str) -> None:
    """The profile's taste is what the events say."""
    found = known(name)
    stored = recent_taste(found.id, TASTE_MAX)
    for column in ("item_ids", "types", "times", "values"):
        kept, expected = getattr(found.taste, column), getattr(stored, column)
        assert kept.dtype == expected.dtype
        np.testing.assert_array_equal(kept, expected)


def views(user: str, items: list[str], times: list[datetime]) -> list[EventInput]:
    return [
        EventInput(event_type="view", user_id=user, item_id=item, occurred_at=time)
        for item, time in zip(items, times, strict=True)
    ]


def refuse(*args: Any) -> None:
    raise OperationalError("the server closed the connection unexpectedly")


def test_a_profile_says_who_it_is_and_what_they_wanted_lately() -> None:
    ids = make_items({}, {})
    make_events("ann", ["item-1", "item-2"])
    make_events("ann", ["item-1"], "rate", value=4.5)
    found = known("ann")
    assert (found.external_id, found.anonymous, found.personalised, found.segments) == ("ann", False, True, ())
    assert found.taste.item_ids.tolist() == [ids[0], ids[1], ids[0]]
    assert found.taste.values[0] == 4.5
    assert_as_stored("ann")


@pytest.mark.parametrize("name", ["nobody", "", "a\x00b", "x" * 10_000])
def test_whom_nobody_knows_has_no_profile(name: str) -> None:
    assert profile(name) is None
    assert profile(name) is None


def test_a_user_without_events_has_an_empty_taste() -> None:
    make_user("ann")
    assert len(known("ann").taste) == 0


def test_the_very_next_profile_has_the_event_whether_late_or_not() -> None:
    make_items({}, {}, {})
    assert profile("ann") is None
    for item, time in [("item-1", NOON), ("item-2", NOON + timedelta(seconds=1)), ("item-3", NOON - timedelta(days=9))]:
        before = profile("ann")
        events_record(views("ann", [item], [time]))
        assert before is None or known("ann").revision > before.revision
        assert_as_stored("ann")
        assert_as_stored("ann")


def test_of_a_long_history_only_the_latest_events_are_kept() -> None:
    make_items({}, {})
    known_before = [NOON + timedelta(minutes=n) for n in range(TASTE_MAX + 20)]
    events_record(views("ann", ["item-1"] * len(known_before), known_before))
    assert len(known("ann").taste) == TASTE_MAX
    later = [NOON + timedelta(minutes=30, seconds=n) for n in range(50)] + [NOON - timedelta(days=1)]
    events_record(views("ann", ["item-2"] * len(later), later))
    assert_as_stored("ann")


def test_what_says_nothing_about_taste_changes_no_profile() -> None:
    make_items({})
    make_events("ann", ["item-1"])
    before = known("ann")
    make_events("ann", ["item-1"], "impression")
    assert known("ann").revision == before.revision
    assert_as_stored("ann")


def test_what_a_shop_or_a_user_says_is_in_the_very_next_profile() -> None:
    user_put("ann", attributes={"segments": ["vip", "wholesale", "vip", 7, ""]})
    assert known("ann").segments == ("vip", "wholesale")
    before = known("ann").revision
    user_put("ann", attributes={"segments": "none", "city": "Leeds"})
    assert known("ann").segments == ()
    user_prefer("ann", personalised=False)
    after = known("ann")
    assert not after.personalised
    assert after.revision > before


def test_somebody_unknown_a_moment_ago_is_known_at_once() -> None:
    assert profile("ann") is None
    user_prefer("ann", personalised=False)
    assert not known("ann").personalised


def test_a_merged_visitor_is_the_person_and_after_the_undo_the_visitor_again() -> None:
    make_items({}, {}, {})
    make_events("v", ["item-1"], anonymous=True)
    make_events("ann", ["item-2"])
    before = {name: known(name) for name in ("v", "ann")}
    users_merge("v", "ann")
    for name in ("v", "ann", "v"):
        assert known(name).external_id == "ann"
        assert len(known(name).taste) == 2
    make_events("v", ["item-3"], anonymous=True)
    assert len(known("ann").taste) == len(known("v").taste) == 3
    assert known("ann").revision > before["ann"].revision
    users_unmerge("v", "ann")
    assert known("v").external_id == "v"
    assert known("v").anonymous
    assert len(known("v").taste) == 2
    assert len(known("ann").taste) == 1
    assert known("v").revision > before["v"].revision
    for name in ("v", "ann"):
        assert_as_stored(name)


def test_an_erased_user_has_no_profile_and_their_id_is_free_again() -> None:
    make_items({})
    make_events("v", ["item-1"], anonymous=True)
    users_merge("v", "ann")
    old = known("v").id
    user_erase("ann")
    assert profile("ann") is None
    assert profile("v") is None
    make_events("ann", ["item-1"])
    assert known("ann").id != old
    assert_as_stored("ann")


def test_a_transaction_that_is_undone_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "_when_committed", transaction.on_commit)
    make_items({})
    make_user("ann")
    before = known("ann")
    with transaction.atomic():
        make_events("ann", ["item-1"])
        transaction.set_rollback(True)
    assert known("ann").revision == before.revision
    assert len(known("ann").taste) == 0


class TestWithoutRedis:
    @pytest.fixture(autouse=True)
    def _no_redis(self, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        settings.REDIS_URL = ""
        monkeypatch.setattr(profiles, "_redis", None)

    def test_a_profile_costs_one_query_whether_known_changed_or_new(self, django_assert_num_queries: Any) -> None:
        make_items({})
        make_events("ann", ["item-1"])
        with django_assert_num_queries(1):
            assert len(known("ann").taste) == 1
        first = known("ann")
        with django_assert_num_queries(1):
            assert known("ann") is first
        make_events("ann", ["item-1"])
        with django_assert_num_queries(1):
            assert len(known("ann").taste) == 2

    def test_while_the_database_is_away_who_is_remembered_is_known(self) -> None:
        make_user("ann")
        first = known("ann")
        with connection.execute_wrapper(refuse):
            assert known("ann") is first
            with pytest.raises(ProfileOutOfReach, match="closed the connection"):
                profile("bob")


numbers = itertools.count()
histories = st.lists(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 3), st.integers(0, 9), st.booleans()), max_size=60),
    max_size=5,
)


@given(histories)
def test_whatever_comes_in_whatever_order_the_profile_is_what_the_events_say(
    batches: list[list[tuple[str, int, int, bool]]],
) -> None:
    make_items({}, {}, {})
    example = next(numbers)  # users of its own
    for batch in batches:
        events = [
            EventInput(
                event_type="view" if taste else "impression",
                user_id=f"{user}-{example}",
                item_id=f"item-{item}",
                occurred_at=NOON + timedelta(milliseconds=400 * time),
            )
            for user, item, time, taste in batch
        ]
        assert {result.status for result in events_record(events)} <= {"stored"}
        for name in {event.user_id for event in events}:
            assert_as_stored(name)
