"""The admin pages of model versions, training runs and the schedule."""

import pytest
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from apps.recommend import model_store, publish, tasks
from apps.recommend.admin.figures import pairs
from apps.recommend.admin.schedule import how_often
from apps.recommend.models import ModelVersion, TrainingRun
from recsys import schedule

pytestmark = pytest.mark.django_db

YES = {"_form_submitted": "on"}
METRICS = {
    "held_out": {"users": 9},
    "figures": {"ndcg@10": {"mean": 0.1234, "low": 0.11, "high": 0.14}, "coverage@10": {"mean": 0.5}},
    "popularity": {"ndcg@10": {"mean": 0.1, "low": 0.09, "high": 0.12}, "coverage@10": {"mean": 0.1}},
    "minus_popularity": {"ndcg@10": {"mean": 0.0234, "low": 0.01, "high": 0.04}},
    "minus_active": None,
}


@pytest.fixture
def clerk(client: Client, django_user_model) -> Client:
    """May look at everything here and change nothing."""
    from django.contrib.auth.models import Permission

    user = django_user_model.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_modelversion", "view_trainingrun"]))
    client.force_login(user)
    return client


def press(client: Client, name: str, pk: int | None = None, **fields: str):
    address = reverse(f"admin:recommend_{name}", args=[] if pk is None else [pk])
    return client.post(address, YES | fields)


def test_versions_are_listed_with_what_was_measured(admin_client, registered):
    version = registered(1)
    ModelVersion.objects.update(metrics=METRICS)
    publish.activate(version.version, "ann")
    page = admin_client.get(reverse("admin:recommend_modelversion_changelist")).content.decode()
    assert version.version in page
    assert "0.1234" in page
    assert "+0.0234 [+0.0100, +0.0400]" in page


def test_a_version_page_shows_its_manifest(admin_client, registered):
    version = registered(1)
    ModelVersion.objects.update(metrics=METRICS, manifest=model_store.read(version.version).manifest)
    page = admin_client.get(reverse("admin:recommend_modelversion_change", args=[version.pk]))
    text = page.content.decode()
    assert page.status_code == 200
    assert "popularity.npy" in text
    assert "0.1234" in text
    assert "0.1100 – 0.1400" in text
    assert "hit rate@10" not in text  # not measured
    assert "For 9 users" in text
    assert 'name="_save"' not in text


def test_facts_are_shown_as_people_write_them():
    shown = pairs({"taken_at": "2026-08-24T01:09:09+00:00", "events": 200_000, "kinds": ["view_item", "purchase"]})
    for words in ("taken at", "Aug. 24, 2026", "200,000", "view_item, purchase"):
        assert words in shown


def test_asking_shows_a_question_and_changes_nothing(admin_client, registered):
    version = registered(1)
    page = admin_client.get(reverse("admin:recommend_modelversion_activate_version", args=[version.pk]))
    assert "Activate this version?" in page.content.decode()
    assert publish.active_versions() == {}


def test_the_question_says_from_which_version_to_which(admin_client, registered):
    first, second = registered(1), registered(2)
    publish.activate(first.version, "")
    publish.activate(second.version, "")
    address = reverse("admin:recommend_modelversion_roll_back_model", args=[second.pk])
    page = admin_client.get(address).content.decode()
    assert page.index("Answering now") < page.index(second.version) < page.index("Afterwards")
    assert page.index("Afterwards") < page.index(first.version)
    publish.roll_back("popular", "")
    assert "no version" in admin_client.get(address).content.decode()


def test_a_damaged_version_says_why(admin_client, registered):
    version = registered(1)
    address = reverse("admin:recommend_modelversion_change", args=[version.pk])
    assert "Damaged" not in admin_client.get(address).content.decode()
    publish.mark_damaged(version.version, "popularity.npy is missing")
    assert "popularity.npy is missing" in admin_client.get(address).content.decode()


def test_activate_and_roll_back(admin_client, registered):
    first, second = registered(1), registered(2)
    press(admin_client, "modelversion_activate_version", first.pk)
    press(admin_client, "modelversion_activate_version", second.pk)
    assert publish.active_versions() == {"popular": second.version}
    answer = press(admin_client, "modelversion_roll_back_model", second.pk)
    assert answer.status_code == 302
    assert publish.active_versions() == {"popular": first.version}


def test_a_refusal_is_shown_and_nothing_changes(admin_client, registered):
    good, bad = registered(1), registered(2)
    publish.activate(good.version, "")
    (model_store.folder(bad.version) / "popularity.npy").unlink()
    press(admin_client, "modelversion_activate_version", bad.pk)
    page = admin_client.get(reverse("admin:recommend_modelversion_changelist")).content.decode()
    assert "popularity.npy is missing" in page
    assert "damaged" in page
    assert publish.active_versions() == {"popular": good.version}


def test_who_may_only_look_cannot_press(clerk, registered):
    version = registered(1)
    assert clerk.get(reverse("admin:recommend_modelversion_changelist")).status_code == 200
    assert press(clerk, "modelversion_activate_version", version.pk).status_code == 403
    assert press(clerk, "trainingrun_train_now", model="popular").status_code == 403
    assert publish.active_versions() == {}
    assert TrainingRun.objects.count() == 0


def test_train_now_opens_one_run_a_model(admin_client):
    press(admin_client, "trainingrun_train_now", model="popular")
    press(admin_client, "trainingrun_train_now", model="popular")
    run = TrainingRun.objects.get()
    assert (run.model, run.status, run.requested_by) == ("popular", "queued", "admin")
    press(admin_client, "trainingrun_train_now", model="")
    assert TrainingRun.objects.filter(status="queued").count() == len(tasks.recipes.all_recipes())


def test_train_again_asks_for_the_same_model(admin_client):
    ended = TrainingRun.objects.create(model="als", status="failed", message="Out of paper.")
    press(admin_client, "trainingrun_train_again", ended.pk)
    assert TrainingRun.objects.filter(model="als", status="queued").count() == 1


def test_the_list_of_runs_follows_open_ones(admin_client):
    address = reverse("admin:recommend_trainingrun_changelist")
    run = TrainingRun.objects.create(model="als", status="running", step="learning from everything", progress=0.53)
    page = admin_client.get(address).content.decode()
    assert "learning from everything" in page
    assert 'aria-valuenow="53"' in page
    assert 'id="open-runs"' in page
    assert admin_client.get(reverse("admin:recommend_trainingrun_change", args=[run.pk])).status_code == 200
    TrainingRun.objects.update(status="failed", message="Out of paper.")
    page = admin_client.get(address).content.decode()
    assert "Out of paper." in page
    assert 'id="open-runs"' not in page  # which ends the asking


def test_the_schedule_is_seeded_once_and_can_be_edited(admin_client, settings):
    settings.MODEL_UPDATE_INTERVAL = 7200
    assert len(schedule.seed()) == len(schedule.entries())
    task = PeriodicTask.objects.get(task="apps.recommend.tasks.train_scheduled")
    assert task.interval.every == 7200
    PeriodicTask.objects.filter(pk=task.pk).update(enabled=False)
    settings.MODEL_UPDATE_INTERVAL = 60
    assert schedule.seed() == []
    task.refresh_from_db()
    assert not task.enabled
    assert task.interval.every == 7200
    listing = admin_client.get(reverse("admin:django_celery_beat_periodictask_changelist")).content.decode()
    assert "Train every model" in listing
    assert "wrong" not in listing.lower()
    page = admin_client.get(reverse("admin:django_celery_beat_periodictask_change", args=[task.pk]))
    assert page.status_code == 200
    assert "apps.recommend.tasks.train_scheduled" in page.content.decode()
    assert "every 2 hours" in page.content.decode()
    intervals = admin_client.get(reverse("admin:django_celery_beat_intervalschedule_changelist")).content.decode()
    assert "every 2 hours" in intervals
    assert "Train every model" in intervals


def test_editing_a_task_keeps_what_the_form_does_not_show(admin_client):
    schedule.seed()
    task = PeriodicTask.objects.get(task="apps.recommend.tasks.train_scheduled")
    half_a_day = IntervalSchedule.objects.create(every=12, period="hours")
    said = {
        "name": task.name, "enabled": "on", "interval": half_a_day.pk, "task": task.task, "args": "[]",
        "kwargs": "{}", "expire_seconds": task.expire_seconds, "start_time_0": "", "start_time_1": "",
    }  # fmt: skip
    PeriodicTask.objects.filter(pk=task.pk).update(headers='{"x": 1}')
    answer = admin_client.post(reverse("admin:django_celery_beat_periodictask_change", args=[task.pk]), said)
    assert answer.status_code == 302, answer.context["adminform"].errors
    task.refresh_from_db()
    assert (task.interval, task.enabled, task.headers) == (half_a_day, True, '{"x": 1}')


@pytest.mark.parametrize(
    ("every", "period", "words"),
    [(3600, "seconds", "every hour"), (90, "seconds", "every 90 seconds"), (172_800, "seconds", "every 2 days"),
     (1, "days", "every day"), (5, "minutes", "every 5 minutes")],
)  # fmt: skip
def test_intervals_are_said_in_words(every: int, period: str, words: str):
    assert how_often(IntervalSchedule(every=every, period=period)) == words


def test_every_scheduled_task_exists(db):
    from recsys.celery import app

    app.loader.import_default_modules()
    assert {entry.task for entry in schedule.entries()} <= set(app.tasks)
