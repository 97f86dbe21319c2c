import json
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from apps.interactions.models import Attribution, Event
from apps.interactions.services import EventInput, events_record
from apps.users.selectors import export_user
from apps.users.services import user_erase, users_merge

pytestmark = pytest.mark.django_db
View = Callable[..., EventInput]


def test_an_export_holds_every_event_of_the_user_and_nobody_elses(items: dict[str, int], view: View) -> None:
    recomm_id = str(uuid4())
    events_record(
        [
            view(event_type="purchase", value="2.55", token=recomm_id, event_id="bought"),
            view(event_type="search", item_id="", properties={"query": "lamps"}),
            view(user_id="bob"),
        ]
    )
    events = export_user("ann")["interactions"]["events"]
    assert [(e["interaction_type"], e["item_id"]) for e in events] == [("purchase", "lamp"), ("search", None)]
    assert (events[0]["event_id"], events[0]["value"]) == ("bought", "2.5500")
    assert events[0]["recommendation"]["recomm_id"] == recomm_id
    assert events[1]["properties"] == {"query": "lamps"}
    json.dumps(events)


def test_an_erased_users_events_stay_and_nobody_can_say_whose_they_were(items: dict[str, int], view: View) -> None:
    recomm_id = str(uuid4())
    events_record(
        [
            view(
                event_type="purchase", value="2.55", currency="GBP", quantity=3, event_id="order-7", session_id="till-4"
            ),
            view(event_type="add_to_cart", session_id="till-4", token=recomm_id),
            view(session_id="walk-9", token=recomm_id),
            view(event_type="impression", token=recomm_id),
            view(event_type="search", item_id="", properties={"query": "gift for ann"}),
        ]
    )
    before = list(Event.objects.order_by("id").values())
    user_erase("ann")
    after = list(Event.objects.order_by("id").values())
    counted = ("user_id", "item_id", "event_type_id", "occurred_at", "value", "currency", "quantity")
    assert [[row[name] for name in counted] for row in after] == [[row[name] for name in counted] for row in before]
    assert export_user("ann") is None
    everything = str(after) + str(list(Attribution.objects.values()))
    known = {row[name] for row in before for name in ("event_id", "session_id", "session_key")} - {"", 0}
    assert not [one for one in [*known, "ann", "gift", recomm_id, UUID(recomm_id)] if str(one) in everything]


def test_of_an_erased_user_what_belonged_together_still_does(items: dict[str, int], view: View) -> None:
    tokens = [str(uuid4()), str(uuid4())]
    visits = ["a", "a", "b", ""]
    events_record([view(session_id=visit, token=tokens[visit == "b"]) for visit in visits])
    user_erase("ann")
    keys = list(Event.objects.order_by("id").values_list("session_key", flat=True))
    assert keys[0] == keys[1] != keys[2]
    assert keys[3] == 0
    assert Attribution.objects.values("recomm_id").distinct().count() == 2


def test_erasing_a_user_touches_nobody_else(items: dict[str, int], view: View) -> None:
    token = str(uuid4())
    events_record([view(token=token), view(user_id="bob", token=token, session_id="s", event_id="bobs")])
    bobs = Event.objects.filter(event_id="bobs").values().get()
    user_erase("ann")
    assert Event.objects.filter(event_id="bobs").values().get() == bobs
    assert Attribution.objects.get(event_id=bobs["id"]).recomm_id == UUID(token)


def test_merging_a_visitor_gives_the_person_all_of_their_events(items: dict[str, int], view: View) -> None:
    events_record(
        [view(user_id="v-1", anonymous=True), view(user_id="v-1", anonymous=True, event_type="impression"), view()]
    )
    users_merge("v-1", "ann")
    assert list(Event.objects.values_list("user__external_id", flat=True)) == ["ann"] * 3
