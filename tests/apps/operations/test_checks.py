"""`manage.py check --deploy` finds what must not stay as it is on a developer's machine."""

import pytest
from pytest_django.fixtures import Settings

from recsys import checks
from recsys.env import Environment

SAFE = {"SECRET_KEY": "k" * 60, "DEBUG": False, "HTTPS": True}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch):
    def use(**values: object) -> None:
        built = Environment.model_construct(**{**SAFE, **values})
        monkeypatch.setattr(checks, "environment", lambda: built)

    return use


def _ids(found: list) -> set[str]:
    return {message.id for message in found}


def test_a_safe_configuration_passes(environment, settings: Settings) -> None:
    environment()
    settings.ALLOWED_HOSTS = ["shop.example"]
    settings.CELERY_BROKER_URL = "redis://redis:6379/1"
    assert checks.production(None) == []


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"SECRET_KEY": ""}, "recsys.W001"),
        ({"SECRET_KEY": "short"}, "recsys.W001"),
        ({"DEBUG": True}, "recsys.W002"),
        ({"HTTPS": False}, "recsys.W003"),
    ],
)
def test_each_danger_is_found_by_itself(environment, settings: Settings, values: dict, found: str) -> None:
    environment(**values)
    settings.ALLOWED_HOSTS = ["shop.example"]
    settings.CELERY_BROKER_URL = "redis://redis:6379/1"
    assert _ids(checks.production(None)) == {found}


@pytest.mark.parametrize(("hosts", "found"), [(["localhost"], "recsys.W004"), (["*"], "recsys.W005")])
def test_host_names_must_be_said(environment, settings: Settings, hosts: list[str], found: str) -> None:
    environment()
    settings.ALLOWED_HOSTS = hosts
    settings.CELERY_BROKER_URL = "redis://redis:6379/1"
    assert _ids(checks.production(None)) == {found}


def test_every_message_says_what_to_do(environment, settings: Settings) -> None:
    environment(SECRET_KEY="", DEBUG=True, HTTPS=True)
    settings.ALLOWED_HOSTS = ["localhost"]
    assert all(message.hint for message in checks.production(None))


@pytest.mark.parametrize(
    ("name", "value"), [("TIME_ZONE", "Mars/Olympus"), ("TIME_ZONE", "../etc"), ("SHOP_CURRENCY", "£")]
)
def test_a_time_zone_or_currency_that_does_not_exist_is_an_error(monkeypatch, name: str, value: str) -> None:
    from types import SimpleNamespace

    monkeypatch.setattr(
        checks, "settings", SimpleNamespace(**{"TIME_ZONE": "UTC", "SHOP_CURRENCY": "GBP", name: value})
    )
    assert len(checks.shop(None)) == 1
