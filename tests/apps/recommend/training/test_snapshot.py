"""Snapshots: what the database holds, as the engine reads it."""

import numpy as np
import pytest

from apps.catalog.services import items_upsert, parse_item
from apps.interactions.services import EventInput, events_record
from apps.recommend import snapshot
from apps.recommend.snapshot import Snapshot

pytestmark = pytest.mark.django_db

T = 1_700_000_000


@pytest.fixture
def shop() -> None:
    items_upsert(
        [
            parse_item({"item_id": "cup", "title": "Cup", "categories": ["Home > Kitchen"], "price": "2.50"}),
            parse_item({"item_id": "pot", "title": "Pot", "categories": ["Home"], "brand": "Brunel"}),
            parse_item({"item_id": "lid", "title": "Lid", "parent_id": "pot", "available": False}),
        ]
    )
    results = events_record(
        [
            EventInput("view", item_id="cup", user_id="ann", session_id="s1", occurred_at=T),
            EventInput("purchase", "pot", "ben", session_id="s2", occurred_at=T + 10, quantity=3, value=4.5),
            EventInput("view", item_id="pot", user_id="ann", session_id="s1", occurred_at=T + 20),
            EventInput("search", user_id="ann", occurred_at=T + 25, properties={"query": "pots"}),
            EventInput("rate", item_id="cup", user_id="ben", occurred_at=T + 30, value=5),
        ]
    )
    assert {result.status for result in results} == {"stored"}


def test_events_become_columns_over_dense_rows(shop):
    found = snapshot.interactions()
    assert len(found) == 4  # the search is about no item
    assert (found.n_users, found.n_items) == (2, 2)
    assert np.all(np.diff(found.user_ids) > 0)
    assert np.all(np.diff(found.item_ids) > 0)
    order = np.argsort(found.times)
    assert found.users[order].tolist() == [0, 1, 0, 1]
    assert found.items[order].tolist() == [0, 1, 1, 0]
    assert found.times[order].tolist() == [T, T + 10, T + 20, T + 30]
    assert found.quantities[order].tolist() == [1, 3, 1, 1]
    assert found.values[order][1] == pytest.approx(4.5)
    assert np.isnan(found.values[order][0])
    assert [found.worth[code].name for code in found.types[order]] == ["view_item", "purchase", "view_item", "rate"]


def test_sessions_are_numbered_and_events_without_one_belong_to_none(shop):
    found = snapshot.interactions()
    sessions = found.sessions[np.argsort(found.times)]
    assert sessions[0] == sessions[2]
    assert sessions[1] not in {sessions[0], -1}
    assert sessions[3] == -1
    assert sessions.max() == 1


def test_a_period_can_be_read_and_is_seen_from_its_last_event(shop):
    found = snapshot.interactions(since=T + 10, until=T + 21)
    assert sorted(found.times.tolist()) == [T + 10, T + 20]
    assert found.as_of == T + 21


def test_an_old_log_is_not_faded_to_nothing(shop):
    found = snapshot.interactions()
    assert found.as_of == T + 31
    assert found.matrix().nnz == 4


def test_no_events_give_empty_columns():
    found = snapshot.interactions()
    assert len(found) == 0
    assert found.matrix().shape == (0, 0)


def test_the_catalog_becomes_columns_with_ancestors_and_variants(shop):
    found = snapshot.items(texts=True)
    assert len(found) == 3
    cup, pot, lid = range(3)
    assert found.price[cup] == 2.5
    assert found.available.tolist() == [True, True, False]
    assert found.parents.tolist() == [-1, -1, pot]
    assert found.categories.toarray().sum(axis=1).tolist() == [2, 1, 0]
    assert "Brunel" in found.texts[pot]
    assert snapshot.items().texts is None
    assert lid == 2


def test_a_snapshot_reads_once(shop, django_assert_num_queries):
    taken = Snapshot.now()
    first = taken.interactions
    with django_assert_num_queries(0):
        assert taken.interactions is first
