from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.interactions.models import Event, EventType
from apps.interactions.selectors import event_columns, event_lag_seconds, event_worth, recent_taste
from apps.interactions.services import EventInput, events_record
from apps.users.models import User

View = Callable[..., EventInput]
pytestmark = pytest.mark.django_db
START = 1_700_000_000


def test_worth_is_what_merchandisers_set(db: None) -> None:
    EventType.objects.filter(name="like").update(weight=4.5, half_life_days=90)
    worth = {w.name: w for w in event_worth().values()}
    assert tuple(worth["like"]) == ("like", True, 4.5, 90.0)
    assert not worth["view_item_list"].taste


def test_recent_taste_is_newest_first_and_without_impressions(items: dict[str, int], view: View) -> None:
    kinds = ["view_item", "render_item_list", "like", "view_item_list", "search", "purchase"]
    events_record([view(event_type=kind, occurred_at=START + n) for n, kind in enumerate(kinds)])
    events_record([view(user_id="bob")])
    ann = User.objects.get(external_id="ann").pk
    names = {code: worth.name for code, worth in event_worth().items()}
    taste = recent_taste(ann)
    assert [names[code] for code in taste.types.tolist()] == ["purchase", "like", "view_item"]
    assert taste.times.tolist() == [START + 5, START + 2, START]
    assert taste.item_ids.tolist() == [items["lamp"]] * 3
    assert recent_taste(ann, limit=2).times.tolist() == [START + 5, START + 2]


def test_of_events_at_one_moment_the_last_stored_comes_first(items: dict[str, int], view: View) -> None:
    events_record([view(event_type=kind, occurred_at=START) for kind in ("add_to_cart", "purchase", "like")])
    names = {code: worth.name for code, worth in event_worth().items()}
    taste = recent_taste(User.objects.get(external_id="ann").pk)
    assert [names[code] for code in taste.types.tolist()] == ["like", "purchase", "add_to_cart"]


def test_an_unknown_user_has_no_taste(db: None) -> None:
    taste = recent_taste(12345)
    assert (len(taste), taste.item_ids.dtype, taste.types.dtype, taste.times.dtype) == (0, np.int64, np.int16, np.int64)


def test_recent_taste_is_answered_by_its_index(items: dict[str, int], view: View) -> None:
    events_record([view(user_id=f"u{n % 50}", occurred_at=START + n) for n in range(2_000)])
    user = User.objects.first()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE interactions_event")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        recent_taste(user.pk)
    (query,) = queries.captured_queries
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN "
        cursor.execute(explain + query["sql"].replace("%", "%%"), [])
        plan = str(cursor.fetchall())
    assert "event_user_taste" in plan
    assert "B-TREE FOR ORDER BY" not in plan  # SQLite's words for sorting everything, not only equal times


def _all(**where: object) -> dict[str, list[object]]:
    chunks = list(event_columns(**where))
    names = ["ids", "user_ids", "item_ids", "types", "times", "session_keys", "quantities", "values"]
    return {name: [value for chunk in chunks for value in getattr(chunk, name).tolist()] for name in names}


@pytest.mark.parametrize("chunk", [1, 2, 5, 6, 1_000])
def test_columns_say_what_the_rows_say(items: dict[str, int], view: View, chunk: int) -> None:
    events_record(
        [
            view(occurred_at=START, value="2.55", quantity=6, session_id="a"),
            view(occurred_at=START + 0.75, user_id="bob", item_id="mug", event_type="rate", value=-4),
            view(occurred_at=START + 1, event_type="search", item_id=""),
            view(occurred_at=datetime(1999, 12, 31, 23, 59, 59, 999_999, UTC), session_id="b"),
            view(occurred_at=START + 2, quantity=2**31 - 1),
            view(occurred_at=START + 3, value=99_999_999_999.1234),
        ]
    )
    columns = _all(chunk=chunk)
    rows = list(Event.objects.order_by("id"))
    assert columns["ids"] == [row.pk for row in rows]
    assert columns["user_ids"] == [row.user_id for row in rows]
    assert columns["item_ids"] == [row.item_id or 0 for row in rows]
    assert columns["types"] == [row.event_type_id for row in rows]
    assert columns["times"] == [int(row.occurred_at.timestamp()) for row in rows]
    assert columns["session_keys"] == [row.session_key for row in rows]
    assert columns["quantities"] == [row.quantity for row in rows]
    for read, row in zip(columns["values"], rows, strict=True):
        assert np.isnan(read) if row.value is None else read == np.float32(row.value)


def test_columns_have_the_promised_types(items: dict[str, int], view: View) -> None:
    events_record([view()])
    (chunk,) = event_columns()
    assert chunk.types.dtype == np.int16
    assert chunk.quantities.dtype == np.int32
    assert chunk.values.dtype == np.float32
    assert chunk.values.dtype.isnative
    assert {c.dtype for c in (chunk.ids, chunk.user_ids, chunk.item_ids, chunk.times, chunk.session_keys)} == {
        np.dtype(np.int64)
    }


def test_columns_start_after_an_id_and_keep_to_a_period(items: dict[str, int], view: View) -> None:
    events_record([view(occurred_at=START + n) for n in range(10)])
    assert _all(since=START + 3, until=START + 6)["times"] == [START + 3, START + 4, START + 5]
    assert _all(until=START + 2, chunk=1)["times"] == [START, START + 1]
    assert len(_all(after_id=_all()["ids"][6])["ids"]) == 3


def test_fractions_of_a_second_count_in_a_period(items: dict[str, int], view: View) -> None:
    events_record([view(occurred_at=START + 0.5)])
    assert _all(since=START + 1)["ids"] == []
    assert _all(until=START)["ids"] == []
    assert len(_all(since=START, until=START + 1)["ids"]) == 1


def test_without_events_there_are_no_columns(db: None) -> None:
    assert list(event_columns()) == []
    assert event_lag_seconds() == 0


def test_wide_gaps_between_ids_cost_no_reading(items: dict[str, int], view: View) -> None:
    events_record([view(), view(), view()])
    last = Event.objects.order_by("-id").first()
    Event.objects.filter(pk=last.pk).update(id=10**15)
    assert _all(chunk=1)["ids"][-1] == 10**15
