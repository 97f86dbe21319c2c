import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.catalog.models import Item
from apps.interactions.entry_token import EntryToken, sign
from apps.interactions.models import Attribution, Event
from apps.interactions.services import EventInput, events_record
from apps.users.models import User

View = Callable[..., EventInput]
pytestmark = pytest.mark.django_db


def test_an_event_is_stored_with_everything_it_says(items: dict[str, int], view: View) -> None:
    at = datetime(2024, 5, 1, 12, 30, 15, tzinfo=UTC)
    said = view(
        event_type="order",
        event_id="order-1",
        session_id="visit-7",
        occurred_at=at,
        value="2.55",
        currency="eur",
        quantity=6,
        properties={"coupon": "MAY", "größe": [1, None]},
    )
    (result,) = events_record([said])
    assert (result.status, result.event_id, result.user_id) == ("stored", "order-1", "ann")
    event = Event.objects.select_related("event_type", "user").get()
    assert (event.event_type.name, event.user.external_id, event.item_id) == ("purchase", "ann", items["lamp"])
    assert (event.occurred_at, event.session_id, event.quantity) == (at, "visit-7", 6)
    assert (event.value, event.currency) == (Decimal("2.55"), "EUR")
    assert event.properties == {"coupon": "MAY", "größe": [1, None]}
    assert event.session_key != 0


def test_a_repeated_event_id_changes_nothing(items: dict[str, int], view: View) -> None:
    events_record([view(event_id="e1", quantity=1)])
    revision = User.objects.get().taste_revision
    (again,) = events_record([view(event_id="e1", quantity=5, item_id="mug")])
    assert again.status == "duplicate"
    assert Event.objects.get().quantity == 1
    assert User.objects.get().taste_revision == revision


@pytest.mark.parametrize("size", [5, 700])
def test_a_batch_stores_what_is_new_and_knows_what_is_not(items: dict[str, int], view: View, size: int) -> None:
    events_record([view(event_id=f"e{n}") for n in range(0, size, 2)])
    statuses = [r.status for r in events_record([view(event_id=f"e{n}") for n in range(size)])]
    assert statuses == ["duplicate" if n % 2 == 0 else "stored" for n in range(size)]
    assert Event.objects.count() == size


def test_a_batch_with_one_event_twice_stores_it_once(items: dict[str, int], view: View) -> None:
    results = events_record([view(event_id="e1"), view(event_id="e2"), view(event_id="e1")])
    assert [r.status for r in results] == ["stored", "stored", "duplicate"]
    assert Event.objects.count() == 2


def test_events_without_an_id_are_all_stored(items: dict[str, int], view: View) -> None:
    results = events_record([view(), view()])
    assert [r.status for r in results] == ["stored", "stored"]
    assert len({r.event_id for r in results}) == 2


def test_taste_events_move_the_revision_once_a_call_and_impressions_never(items: dict[str, int], view: View) -> None:
    events_record([view(event_type="impression"), view(event_type="view_item_list"), view(event_type="search")])
    assert User.objects.get().taste_revision == 0
    events_record([view(), view(event_type="like"), view(event_type="impression")])
    assert User.objects.get().taste_revision == 1


def test_users_are_created_on_their_first_event(items: dict[str, int], view: View) -> None:
    events_record([view(), view(user_id="", session_id="s1"), view(user_id="v-1", anonymous=True)])
    assert dict(User.objects.values_list("external_id", "anonymous")) == {
        "ann": False,
        "session:s1": True,
        "v-1": True,
    }


def test_one_session_of_a_user_has_one_key_and_another_users_same_session_a_different_one(
    items: dict[str, int], view: View
) -> None:
    events_record(
        [view(session_id="s"), view(session_id="s"), view(session_id="s", user_id="bob"), view(), view(session_id="t")]
    )
    first, second, other, none, later = Event.objects.order_by("id").values_list("session_key", flat=True)
    assert first == second
    assert len({first, other, later, 0}) == 4
    assert none == 0


def test_good_events_are_stored_beside_bad_ones(items: dict[str, int], view: View) -> None:
    results = events_record([view(item_id="nothing"), view(), view(event_type="???"), view(item_id="mug")])
    assert [(r.status, r.field, r.code) for r in results] == [
        ("rejected", "item_id", "unknown_item"),
        ("stored", "", ""),
        ("rejected", "interaction_type", "invalid"),
        ("stored", "", ""),
    ]


def test_a_repeat_of_a_rejected_event_is_rejected_too(items: dict[str, int], view: View) -> None:
    results = events_record([view(event_id="e", item_id="nothing"), view(event_id="e", item_id="nothing")])
    assert [r.status for r in results] == ["rejected", "rejected"]


def test_a_good_event_is_stored_though_a_rejected_one_had_its_id(items: dict[str, int], view: View) -> None:
    results = events_record(
        [
            view(event_id="e", item_id="nothing"),
            view(event_id="e"),
            view(event_id="e"),
            view(event_id="e", item_id="no"),
        ]
    )
    assert [r.status for r in results] == ["rejected", "stored", "duplicate", "rejected"]
    assert Event.objects.get().item_id == items["lamp"]


def test_rejected_events_create_no_user(items: dict[str, int], view: View) -> None:
    events_record([view(item_id="nothing")])
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"user_id": ""}, "user_id"),
        ({"user_id": " "}, "user_id"),
        ({"user_id": "a\x00b"}, "user_id"),
        ({"user_id": "a\ud800"}, "user_id"),
        ({"user_id": "x" * 256}, "user_id"),
        ({"item_id": ""}, "item_id"),
        ({"item_id": "a\nb"}, "item_id"),
        ({"session_id": "x" * 248}, "session_id"),
        ({"event_id": "x" * 129}, "event_id"),
        ({"event_id": "a\tb"}, "event_id"),
        ({"event_type": ""}, "interaction_type"),
        ({"event_type": "teleport"}, "interaction_type"),
        ({"value": "cheap"}, "value"),
        ({"value": float("nan")}, "value"),
        ({"value": "inf"}, "value"),
        ({"value": 1e11}, "value"),
        ({"value": True}, "value"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": -1}, "quantity"),
        ({"quantity": 2**31}, "quantity"),
        ({"quantity": 1.5}, "quantity"),
        ({"quantity": "many"}, "quantity"),
        ({"currency": "euro"}, "currency"),
        ({"currency": "€€€"}, "currency"),
        ({"occurred_at": "yesterday"}, "occurred_at"),
        ({"occurred_at": "1994-12-31T23:59:59Z"}, "occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at"),
        ({"occurred_at": "9999-12-31T23:59:59-14:00"}, "occurred_at"),
        ({"occurred_at": float("nan")}, "occurred_at"),
        ({"occurred_at": 1_700_000_000_000}, "occurred_at"),
        ({"properties": {"a": float("inf")}}, "properties"),
        ({"properties": {"a": "\x00"}}, "properties"),
        ({"properties": {"a": "\ud800"}}, "properties"),
        ({"properties": {"a": object()}}, "properties"),
        ({"properties": {"a": 2**70}}, "properties"),
        ({"properties": {"a": "x" * 20_000}}, "properties"),
        ({"token": "no-token"}, "token"),
    ],
)
def test_what_cannot_be_stored_is_rejected_by_field(
    items: dict[str, int], view: View, said: dict[str, object], field: str
) -> None:
    (result,) = events_record([view(**said)])
    assert (result.status, result.field) == ("rejected", field)
    assert result.reason
    assert not Event.objects.exists()


@pytest.mark.parametrize("kind", ["search", "render_item_list", "view_item_list"])
def test_lists_and_searches_need_no_item(items: dict[str, int], view: View, kind: str) -> None:
    assert events_record([view(event_type=kind, item_id="")])[0].status == "stored"
    assert Event.objects.get().item_id is None


def test_a_deleted_item_still_takes_events(items: dict[str, int], view: View) -> None:
    Item.objects.filter(external_id="lamp").update(deleted_at=timezone.now())
    assert events_record([view(event_type="refund")])[0].status == "stored"


def test_a_time_without_zone_is_the_shops(items: dict[str, int], view: View, settings: object) -> None:
    settings.TIME_ZONE = "America/New_York"
    timezone.get_default_timezone.cache_clear()
    try:
        events_record([view(occurred_at="2024-07-01 08:00:00"), view(occurred_at=datetime(2024, 1, 1, 8))])  # noqa: DTZ001
    finally:
        settings.TIME_ZONE = "UTC"
        timezone.get_default_timezone.cache_clear()
    times = list(Event.objects.order_by("id").values_list("occurred_at", flat=True))
    assert times == [datetime(2024, 7, 1, 12, tzinfo=UTC), datetime(2024, 1, 1, 13, tzinfo=UTC)]


@pytest.mark.parametrize("when", ["2024-05-01T12:00:00Z", "2024-05-01T14:00:00+02:00", 1_714_564_800, 1_714_564_800.0])
def test_one_moment_may_be_written_in_many_ways(items: dict[str, int], view: View, when: object) -> None:
    events_record([view(occurred_at=when)])
    assert Event.objects.get().occurred_at == datetime(2024, 5, 1, 12, tzinfo=UTC)


def test_a_clock_slightly_ahead_counts_as_now_and_the_future_is_rejected(items: dict[str, int], view: View) -> None:
    now = timezone.now()
    ahead, future = (view(occurred_at=now + timedelta(minutes=minutes)) for minutes in (4, 6))
    stored, rejected = events_record([ahead, future], received_at=now)
    assert (stored.status, rejected.status, rejected.field) == ("stored", "rejected", "occurred_at")
    assert Event.objects.get().occurred_at == now


def test_a_merged_visitors_events_count_for_the_person(items: dict[str, int], view: View) -> None:
    from apps.users.services import users_merge

    events_record([view(user_id="v-1", anonymous=True)])
    users_merge("v-1", "ann")
    events_record([view(user_id="v-1", anonymous=True)])
    assert set(Event.objects.values_list("user__external_id", flat=True)) == {"ann"}


@pytest.fixture
def token(items: dict[str, int]) -> EntryToken:
    return EntryToken(uuid4(), items["lamp"], 4, "home", "ab" * 8, "b", "als-20261121-1", "als", 0.125, 9)


@pytest.mark.parametrize("size", [1, 300])
def test_an_entry_token_says_which_recommendation_led_to_an_event(view: View, token: EntryToken, size: int) -> None:
    events_record(
        [view() for _ in range(size - 1)] + [view(event_id="bought", event_type="purchase", token=sign(token))]
    )
    row = Attribution.objects.get()
    assert row.event.event_id == "bought"
    assert (row.recomm_id, row.placement, row.plan_digest, row.variant) == (token.recomm_id, "home", "ab" * 8, "b")
    assert (row.model_version, row.position, row.source) == ("als-20261121-1", 4, "als")
    assert (row.propensity, row.policy_state) == (0.125, 9)


def test_a_duplicate_adds_no_attribution(view: View, token: EntryToken) -> None:
    events_record([view(event_id="e")])
    events_record([view(event_id="e", token=sign(token))])
    assert not Attribution.objects.exists()


def test_a_token_stands_for_its_item(view: View, token: EntryToken, items: dict[str, int]) -> None:
    events_record([view(item_id="", event_type="click", token=sign(token))])
    assert Event.objects.get().item_id == items["lamp"]


def test_a_token_of_another_item_or_out_of_date_is_rejected(view: View, token: EntryToken) -> None:
    expired = sign(dataclasses.replace(token, issued=1_000_000_000))
    results = events_record([view(item_id="mug", token=sign(token)), view(token=expired), view(token="A" * 120)])
    assert [(r.status, r.field, r.code) for r in results] == [("rejected", "token", "bad_token")] * 3


def test_a_plain_recomm_id_is_attributed_without_propensity(view: View, items: dict[str, int]) -> None:
    recomm_id = uuid4()
    events_record([view(token=str(recomm_id))])
    row = Attribution.objects.get()
    assert (row.recomm_id, row.propensity, row.position) == (recomm_id, None, None)


def test_a_shelf_that_reports_an_entry_again_is_counted_once(view: View, token: EntryToken) -> None:
    seen = view(event_type="view_item_list", token=sign(token))
    assert [events_record([seen])[0].status for _ in range(2)] == ["stored", "duplicate"]
    clicked = view(event_type="click", token=sign(token))
    assert [events_record([clicked])[0].status for _ in range(2)] == ["stored", "stored"]


anything = st.one_of(st.none(), st.text(), st.floats(), st.integers(), st.booleans(), st.datetimes())


@given(
    event_type=st.one_of(st.text(), st.sampled_from(["view", "rate", "search"])),
    user_id=st.text(),
    item_id=st.one_of(st.text(), st.just("lamp")),
    session_id=st.text(),
    event_id=st.text(),
    occurred_at=anything,
    value=st.one_of(st.none(), st.text(), st.floats(), st.decimals(), st.integers()),
    currency=st.text(),
    quantity=st.one_of(st.integers(), st.text(), st.floats()),
    token=st.text(),
    properties=st.one_of(st.none(), st.dictionaries(st.text(), st.recursive(anything, st.lists, max_leaves=5))),
)
@settings(max_examples=100)
def test_whatever_is_said_has_a_result_and_never_an_error(**said: object) -> None:
    (result,) = events_record([EventInput(**said)])
    assert result.status in {"stored", "duplicate", "rejected"}
    assert bool(result.field) == (result.status == "rejected")
