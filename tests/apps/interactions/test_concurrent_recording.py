from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from apps.interactions.models import Event
from apps.interactions.services import EventInput, EventResult, events_record
from apps.users.models import User

pytestmark = pytest.mark.django_db(transaction=True)


def recorded_at_once(batches: list[list[EventInput]]) -> list[list[EventResult]]:
    barrier = Barrier(len(batches))

    def record(batch: list[EventInput]) -> list[EventResult]:
        try:
            barrier.wait(timeout=30)
            return events_record(batch)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(batches)) as pool:
        return list(pool.map(record, batches))


@pytest.mark.parametrize("size", [1, 20, 1_500])
def test_the_same_events_sent_twice_at_once_are_stored_exactly_once(
    items: dict[str, int], view: Callable[..., EventInput], size: int
) -> None:
    batch = [view(event_id=f"e{n}", user_id=f"u{n % 7}") for n in range(size)]
    results = recorded_at_once([batch, batch[::-1], batch])
    assert Event.objects.count() == size
    stored = Counter(r.event_id for batch_results in results for r in batch_results if r.status == "stored")
    assert stored == {f"e{n}": 1 for n in range(size)}
    assert User.objects.count() == len({event.user_id for event in batch})


def test_batches_with_the_same_users_in_other_orders_do_not_stop_each_other(
    items: dict[str, int], view: Callable[..., EventInput]
) -> None:
    users = [f"u{n}" for n in range(300)]
    batches = [[view(user_id=user) for user in users], [view(user_id=user) for user in reversed(users)]]
    for _ in range(5):
        for results in recorded_at_once(batches):
            assert {r.status for r in results} == {"stored"}
    assert set(User.objects.values_list("taste_revision", flat=True)) == {10}
