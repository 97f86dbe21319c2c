"""The test run keeps to itself, and in CI nothing is skipped quietly."""

import socket
from types import SimpleNamespace

import pytest
from django.conf import settings

from tests.isolation import NetworkForbidden, refuse_needless_skip


def test_tests_cannot_reach_other_machines() -> None:
    with pytest.raises(NetworkForbidden), socket.socket() as sock:
        sock.connect(("192.0.2.1", 80))
    with pytest.raises(NetworkForbidden):
        socket.create_connection(("example.com", 80), timeout=1)


def test_tests_can_reach_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


def test_tests_write_to_a_folder_of_their_own() -> None:
    assert "recsys-tests-" in str(settings.VAR_DIR)


def _skip(reason: str) -> SimpleNamespace:
    return refuse_needless_skip(SimpleNamespace(outcome="skipped", longrepr=("file", 1, f"Skipped: {reason}")))


@pytest.mark.parametrize("reason", ["needs chromium", "Needs the shared data folder"])
def test_where_everything_must_run_an_unmet_need_fails(reason: str) -> None:
    assert _skip(reason).outcome == "failed"


def test_a_skip_that_is_no_unmet_need_stays_one() -> None:
    assert _skip("only SQLite has a busy timeout").outcome == "skipped"


@pytest.mark.parametrize(
    ("variable", "url", "outcome"),
    [("DATABASE_URL", "", "skipped"), ("DATABASE_URL", "postgres://h/d", "failed"), ("REDIS_URL", "", "skipped")],
)
def test_a_need_for_a_service_counts_in_runs_that_have_it(
    monkeypatch: pytest.MonkeyPatch, variable: str, url: str, outcome: str
) -> None:
    monkeypatch.setenv(variable, url)
    assert _skip("needs PostgreSQL" if variable == "DATABASE_URL" else "needs Redis").outcome == outcome
