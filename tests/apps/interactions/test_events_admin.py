from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User as Staff
from django.test import Client

from apps.interactions.models import Attribution, Event, EventType
from apps.interactions.services import EventInput, events_record

pytestmark = pytest.mark.django_db
EVENTS = "/admin/interactions/event/"


@pytest.fixture
def admin_client() -> Client:
    client = Client()
    client.force_login(Staff.objects.create_superuser("merchandiser", password="x"))
    return client


@pytest.fixture
def events(items: dict[str, int], view: Callable[..., EventInput]) -> None:
    events_record(
        [
            view(event_id="first"),
            view(event_id="second", user_id="bob", item_id="mug", event_type="like"),
            view(event_id="third", user_id="bob", item_id="clock", event_type="impression"),
        ]
    )


def listed(client: Client, **query: Any) -> set[str]:
    response = client.get(EVENTS, query)
    assert response.status_code == 200
    return {event.event_id for event in response.context["cl"].result_list}


def test_events_are_listed_and_filtered(admin_client: Client, events: None) -> None:
    assert listed(admin_client) == {"first", "second", "third"}
    like = EventType.objects.get(name="like").pk
    assert listed(admin_client, event_type__id__exact=like) == {"second"}


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("first", {"first"}),
        ("bob", {"second", "third"}),
        ("mug", {"second"}),
        ("fir", set()),
        ("", {"first", "second", "third"}),
    ],
)
def test_a_search_finds_whole_ids_of_events_users_and_items(
    admin_client: Client, events: None, term: str, found: set[str]
) -> None:
    assert listed(admin_client, q=term) == found


def test_an_event_can_be_read_but_not_written(admin_client: Client, events: None) -> None:
    row = Event.objects.get(event_id="first")
    assert admin_client.get(f"{EVENTS}{row.pk}/change/").status_code == 200
    assert admin_client.post(f"{EVENTS}{row.pk}/change/", {"quantity": 9}).status_code == 403
    assert admin_client.post(f"{EVENTS}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert admin_client.get(f"{EVENTS}add/").status_code == 403
    assert Event.objects.count() == 3


def test_the_worth_of_a_type_can_be_set_and_its_name_cannot(admin_client: Client) -> None:
    like = EventType.objects.get(name="like")
    url = f"/admin/interactions/eventtype/{like.pk}/change/"
    response = admin_client.post(url, {"name": "love", "weight": "4.5", "half_life_days": "90"})
    assert response.status_code == 302
    like.refresh_from_db()
    assert (like.name, like.weight, like.half_life_days) == ("like", 4.5, 90)
    assert admin_client.post(url, {"weight": "4", "half_life_days": "0"}).status_code == 200  # shown again, refused
    like.refresh_from_db()
    assert like.half_life_days == 90


def test_of_a_type_that_moves_nothing_there_is_nothing_to_set(admin_client: Client) -> None:
    search = EventType.objects.get(name="search")
    url = f"/admin/interactions/eventtype/{search.pk}/change/"
    assert admin_client.post(url, {"weight": "4.5", "half_life_days": "90"}).status_code == 302
    assert EventType.objects.get(name="search").weight == search.weight


def test_an_event_shows_what_was_sent_besides_and_what_led_to_it(admin_client: Client, events: None) -> None:
    row = Event.objects.get(event_id="first")
    url = f"{EVENTS}{row.pk}/change/"
    heading = "The recommendation that led to it"
    assert heading not in admin_client.get(url).content.decode()
    Event.objects.filter(pk=row.pk).update(properties={"query": "<mugs>"})
    Attribution.objects.create(event=row, recomm_id=uuid4(), placement="home", position=3)
    page = admin_client.get(url).content.decode()
    assert "query: &lt;mugs&gt;" in page
    assert heading in page


def test_types_cannot_be_added_or_deleted(admin_client: Client) -> None:
    assert admin_client.get("/admin/interactions/eventtype/add/").status_code == 403
    like = EventType.objects.get(name="like")
    assert admin_client.post(f"/admin/interactions/eventtype/{like.pk}/delete/", {"post": "yes"}).status_code == 403
