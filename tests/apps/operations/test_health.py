"""Health answers, and what they promise to load balancers."""

import threading

import pytest
from django.test import Client
from django.utils import timezone

from apps.recommend.models import ModelVersion
from recsys.health import PROBES, Finding, Probe, findings

pytestmark = pytest.mark.django_db(transaction=True)


def test_live_depends_on_nothing(client: Client, django_assert_num_queries) -> None:
    with django_assert_num_queries(0):
        response = client.get("/health/live")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_without_a_model_the_deployment_is_degraded_and_still_ready(client: Client) -> None:
    ModelVersion.objects.update(active=False)
    response = client.get("/health/ready")
    assert response.status_code == 200
    document = response.json()
    assert document["status"] == "degraded"
    assert set(document["checks"]) == {"database", "cache", "model", "events"}
    assert document["checks"]["database"]["status"] == "ok"
    assert document["checks"]["cache"]["status"] == "ok"
    assert "manage.py train" in document["checks"]["model"]["detail"]
    assert all(check["took_ms"] >= 0 for check in document["checks"].values())


def test_with_an_active_model_everything_is_well(client: Client) -> None:
    ModelVersion.objects.create(
        model="popularity", version="popularity-1", algorithm="popularity", active=True, created_at=timezone.now()
    )
    document = client.get("/health/ready").json()
    assert document["status"] == "ok"
    assert document["checks"]["model"]["detail"] == "popularity-1"


def test_the_summary_names_versions_and_may_be_asked_by_any_name(client: Client) -> None:
    response = client.get("/health", headers={"host": "10.1.2.3:8000"})
    assert response.status_code == 200
    assert {"status", "version", "python", "django", "time_zone", "checks"} <= set(response.json())


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
def test_health_is_never_cached_and_only_read(client: Client, path: str) -> None:
    assert "no-store" in client.get(path)["Cache-Control"]
    assert client.post(path).status_code == 405


def test_a_database_that_is_down_means_503(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> Finding:
        raise ConnectionRefusedError("no one there")

    monkeypatch.setitem(PROBES, "database", Probe(refused, worst="down"))
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["checks"]["database"]["detail"] == "ConnectionRefusedError"


def test_a_cache_that_is_down_only_degrades() -> None:
    def refused() -> Finding:
        raise ConnectionRefusedError

    state, found = findings({"cache": Probe(refused, worst="degraded")})
    assert state == found["cache"].status == "degraded"


def test_a_dependency_that_hangs_costs_one_thread_and_no_more_than_our_patience(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("recsys.health.PATIENCE", 0.2)
    release = threading.Event()
    asked: list[int] = []

    def hang() -> Finding:
        asked.append(1)
        release.wait(30)
        return Finding("ok", "at last")

    probe = Probe(hang, worst="down")
    try:
        for _ in range(2):
            state, found = findings({"database": probe})
            assert (state, found["database"].detail) == ("down", "no answer within 0.2 s")
        assert len(asked) == 1
    finally:
        release.set()
    assert probe.wait(probe.start(), 5).status == "ok"
