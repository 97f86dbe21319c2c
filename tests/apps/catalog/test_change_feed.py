from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from django.db import connection, transaction

from apps.catalog.change_feed import announce
from apps.catalog.models import ItemChange
from apps.catalog.selectors import changed_since, item_ids_of, latest_revision
from apps.catalog.services import item_delete, relay_changes
from tests.factories import make_items

pytestmark = pytest.mark.django_db(transaction=True)


def in_thread(pool: ThreadPoolExecutor, work: Callable[[], object]) -> object:
    def run() -> object:
        try:
            return work()
        finally:
            connection.close()

    return pool.submit(run)


def test_a_write_has_its_revision_as_soon_as_it_is_committed() -> None:
    [a, b] = make_items({}, {})
    assert [item for _, item in changed_since(0)] == [a, b]
    revision = latest_revision()
    item_delete("item-1")
    assert changed_since(revision) == [(revision + 1, a)]
    assert changed_since(latest_revision()) == []


def test_an_item_that_changed_often_is_in_the_feed_once_at_its_latest_revision() -> None:
    for title in "abcde":
        make_items({"title": title}, {"item_id": "other"})
    ids = item_ids_of(["item-1", "other"])
    assert [item for _, item in changed_since(0)] == [ids["other"], ids["item-1"]]
    assert latest_revision() == 6
    assert ItemChange.objects.count() == 2


def test_a_page_of_the_feed_ends_where_the_next_begins() -> None:
    make_items(*[{} for _ in range(5)])
    first = changed_since(0, limit=2)
    assert [*first, *changed_since(first[-1][0])] == changed_since(0)


def test_a_write_that_is_rolled_back_leaves_no_trace() -> None:
    with transaction.atomic():
        make_items({})
        transaction.set_rollback(True)
    relay_changes()
    assert changed_since(0) == []


def test_what_a_relay_that_died_left_behind_the_next_one_numbers() -> None:
    ItemChange.objects.create(item_id=1)
    assert changed_since(0) == []
    assert relay_changes() == 1
    assert relay_changes() == 0
    assert changed_since(0) == [(1, 1)]


def test_the_change_committed_last_gets_the_later_revision_though_it_was_inserted_first() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL in DATABASE_URL: SQLite has one writer at a time, so writes never overlap")
    inserted, may_commit = Event(), Event()

    def slow() -> None:
        with transaction.atomic():
            announce([1])
            inserted.set()
            assert may_commit.wait(30)

    with ThreadPoolExecutor(1) as pool:
        slow_one = in_thread(pool, slow)
        assert inserted.wait(30)
        with transaction.atomic():
            announce([2])
        assert changed_since(0) == [(1, 2)], "the open transaction is not in the feed"
        may_commit.set()
        slow_one.result()  # type: ignore[attr-defined]
    assert changed_since(1) == [(2, 1)], "whoever read up to revision 1 still gets it"
    first, second = ItemChange.objects.order_by("id").values_list("item_id", flat=True)
    assert (first, second) == (1, 2), "it was inserted first"


def test_relays_at_once_number_every_change_exactly_once() -> None:
    ItemChange.objects.bulk_create([ItemChange(item_id=n) for n in range(1, 201)])
    with ThreadPoolExecutor(4) as pool:
        counts = [in_thread(pool, relay_changes) for _ in range(8)]
        assert sum(one.result() for one in counts) == 200  # type: ignore[attr-defined]
    assert changed_since(0) == [(n, n) for n in range(1, 201)]


def test_two_batches_over_the_same_items_wait_for_each_other() -> None:
    names = [f"i{n}" for n in range(300)]

    def write(order: list[str]) -> None:
        for title in "ab":
            make_items(*[{"item_id": name, "title": title, "categories": [f"C{name} > D"]} for name in order])

    with ThreadPoolExecutor(2) as pool:
        for done in [in_thread(pool, lambda: write(names)), in_thread(pool, lambda: write(names[::-1]))]:
            done.result()  # type: ignore[attr-defined]
    assert len(changed_since(0)) == 300
