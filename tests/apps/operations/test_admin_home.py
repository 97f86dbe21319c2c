"""The admin's first page, and what all its lists share."""

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from apps.recommend.models import ModelVersion, Placement, TrainingRun
from apps.users.services import api_key_create
from tests.factories import make_events, make_items

pytestmark = pytest.mark.django_db

HOME = "/admin/"
LISTS = (
    "catalog/item", "catalog/category", "users/user", "users/apikey", "interactions/event", "interactions/eventtype",
    "recommend/placement", "recommend/modelversion", "recommend/trainingrun", "django_celery_beat/periodictask",
    "django_celery_beat/intervalschedule", "django_celery_beat/crontabschedule", "auth/user", "auth/group",
)  # fmt: skip


@pytest.fixture
def make_rows(django_user_model):
    """Makes `count` new rows for every list."""

    def make(tag: str, count: int) -> None:
        make_items(*[{"item_id": f"{tag}-{n}", "categories": [f"A > {tag}{n}"]} for n in range(count)])
        for n in range(count):
            make_events(f"{tag}-user-{n}", [f"{tag}-{n}"])
            api_key_create(name=f"{tag}-{n}")
            version = ModelVersion.objects.create(
                model=f"{tag}{n}", version=f"{tag}{n}-1", algorithm="als", active=True
            )
            TrainingRun.objects.create(
                model=f"{tag}{n}", status="activated", version=version, finished_at=timezone.now()
            )
            Placement.objects.create(key=f"{tag}-{n}", label=f"{tag} {n}", pipeline="home", fallback=["popular"])
            every = IntervalSchedule.objects.create(every=100 + IntervalSchedule.objects.count(), period="seconds")
            PeriodicTask.objects.create(name=f"{tag}-{n}", task="x", interval=every)
            django_user_model.objects.create_user(f"{tag}-{n}", is_staff=True)

    return make


@pytest.mark.parametrize("page", ["", *[f"{name}/" for name in LISTS]], ids=["home", *LISTS])
def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(
    admin_client: Client, make_rows, page: str
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get(f"/admin/{page}").status_code == 200
        return len(captured)

    make_rows("a", 1)
    queries()
    few = queries()
    make_rows("b", 6)
    assert queries() == few


def test_the_first_page_shows_what_is_there_and_what_answers(admin_client: Client, make_rows) -> None:
    make_rows("a", 3)
    ModelVersion.objects.update(metrics={"figures": {"ndcg@10": {"mean": 0.1234}}})
    TrainingRun.objects.create(model="als", status="running")
    response = admin_client.get(HOME)
    counted = {count["name"]: count["counted"] for count in response.context["counts"]}
    assert counted == {"Items": "3", "Users": "3", "Events today": "3"}
    text = response.content.decode()
    assert "a0-1" in text
    assert "0.1234" in text
    assert "none: not trained yet" in text
    assert "running" in text
    assert f"/admin/recommend/placement/{Placement.objects.get(key='home').pk}/change/" in text


def test_the_first_page_counts_no_further_than_it_has_to(admin_client: Client, monkeypatch) -> None:
    monkeypatch.setattr("apps.recommend.admin.home.COUNTED_MAX", 2)
    make_items({}, {}, {})
    assert admin_client.get(HOME).context["counts"][0]["counted"] == "2+"


def test_the_first_page_shows_only_what_one_may_see(client: Client, django_user_model) -> None:
    clerk = django_user_model.objects.create_user("clerk", is_staff=True)
    client.force_login(clerk)
    assert "Ask an administrator" in client.get(HOME).content.decode()
    clerk.user_permissions.set(Permission.objects.filter(codename="view_placement"))
    response = client.get(HOME)
    assert set(response.context["home"]) == {"placements"}
    assert "Ask an administrator" not in response.content.decode()


def test_signing_in_leads_to_the_first_page(client: Client, django_user_model) -> None:
    django_user_model.objects.create_superuser("ann", password="shelf-life-9")
    answer = client.post("/admin/login/", {"username": "ann", "password": "shelf-life-9"})
    assert answer.headers["Location"] == HOME


@pytest.mark.parametrize("name", LISTS)
def test_every_list_begins_with_what_it_is(admin_client: Client, name: str) -> None:
    response = admin_client.get(f"/admin/{name}/")
    about = response.context["cl"].model_admin.about
    assert f'<p class="mb-4 text-sm">{about.partition(".")[0]}.' in response.content.decode().replace("&#x27;", "'")
