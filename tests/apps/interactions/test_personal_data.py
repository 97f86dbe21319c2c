import json
from collections.abc import Callable
from uuid import uuid4

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


def test_erasing_a_user_removes_their_events_and_nobody_elses(items: dict[str, int], view: View) -> None:
    token = str(uuid4())
    events_record([view(token=token), view(event_type="impression", token=token), view(user_id="bob", token=token)])
    user_erase("ann")
    assert Event.objects.get().user.external_id == "bob"
    assert Attribution.objects.count() == 1


def test_merging_a_visitor_gives_the_person_all_of_their_events(items: dict[str, int], view: View) -> None:
    events_record(
        [view(user_id="v-1", anonymous=True), view(user_id="v-1", anonymous=True, event_type="impression"), view()]
    )
    users_merge("v-1", "ann")
    assert list(Event.objects.values_list("user__external_id", flat=True)) == ["ann"] * 3
