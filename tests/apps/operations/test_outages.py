"""Cache, broker and database out of reach: one caller pays for finding out, and requests are answered all the same."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.core.cache.backends.base import BaseCache
from django.db import OperationalError, connection
from django.test import Client
from kombu.exceptions import OperationalError as BrokerError

from apps.users.services import api_key_create
from recsys.celery import Application, broker, configuration
from recsys.circuit import Circuit
from recsys.postgresql.base import DatabaseWrapper
from tests.processes import free_port, until

LONG = 3600.0


class Silent:
    """A server that accepts connections, reads what it is sent and never answers."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.connections = 0
        self._stack = ExitStack()
        self._socket = self._stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._stack.enter_context(client)
            threading.Thread(target=self._listen, args=(client,), daemon=True).start()

    def _listen(self, client: socket.socket) -> None:
        try:
            while data := client.recv(65536):
                self.heard.append(data)
        except OSError:
            return

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    server = Silent()
    yield server
    server.close()


def test_while_a_dependency_is_left_alone_nobody_tries() -> None:
    circuit = Circuit("test", pause=LONG)
    assert circuit.may_try()
    circuit.failed(OSError("gone"))
    assert not circuit.may_try()


def test_after_the_pause_one_tries_and_everybody_once_that_worked() -> None:
    circuit = Circuit("test", pause=0)
    circuit.failed(OSError("gone"))
    circuit.pause = LONG
    assert circuit.may_try()
    assert not circuit.may_try()
    circuit.worked()
    assert circuit.may_try()
    assert circuit.may_try()


def test_an_outage_is_two_lines_in_the_log_however_many_meet_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    circuit = Circuit("the printer", pause=0)
    for _ in range(5):
        circuit.failed(OSError("out of paper"))
    for _ in range(5):
        circuit.worked()
    assert ["the printer" in line for line in caplog.text.splitlines()] == [True, True]
    assert "out of paper" in caplog.text


def redis_cache(port: int) -> BaseCache:
    """The cache of these settings, at another address."""
    from django_redis.cache import RedisCache

    options = {
        "SOCKET_CONNECT_TIMEOUT": 0.25,
        "SOCKET_TIMEOUT": 0.25,
        "IGNORE_EXCEPTIONS": True,
        "REDIS_CLIENT_CLASS": "recsys.redis_cache.Client",
        "CONNECTION_POOL_CLASS": "recsys.redis_cache.Pool",
    }
    cache: BaseCache = RedisCache(f"redis://127.0.0.1:{port}/0", {"OPTIONS": options})
    cache.client.get_client().connection_pool.circuit.pause = LONG
    return cache


def test_a_cache_that_hangs_is_asked_once_and_then_left_alone(silent: Silent) -> None:
    cache = redis_cache(silent.port)
    assert cache.get("first") is None
    connections, heard = silent.connections, len(silent.heard)
    for number in range(20):
        cache.set(f"key {number}", number, 60)
        assert cache.get(f"key {number}", "nothing") == "nothing"
    assert (silent.connections, len(silent.heard)) == (connections, heard)


def test_a_cache_that_is_not_there_is_no_error() -> None:
    cache = redis_cache(free_port())
    cache.set("key", 1, 60)
    assert cache.get("key") is None


def test_the_settings_use_the_client_that_leaves_a_dead_server_alone(settings: Any) -> None:
    if "redis" not in settings.CACHES["default"]["BACKEND"]:
        pytest.skip("needs Redis (REDIS_URL)")
    from django.core.cache import cache

    from recsys.redis_cache import Client

    assert isinstance(cache.client.get_client(), Client)
    cache.set("here", 1, 60)
    assert cache.get("here") == 1


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Application]:
    """Makes an application like ours with another broker and a circuit of its own."""
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)  # Celery itself lets it go before all settings
    return _application


def _application(**settings: Any) -> Application:
    policy = configuration()["task_publish_retry_policy"]
    app = Application("test", set_as_current=False, changes={"task_publish_retry_policy": policy, **settings})
    app._broker = Circuit("broker of the test", pause=LONG)
    return app


def test_a_broker_that_hangs_is_asked_once_and_then_left_alone(
    silent: Silent, application: Callable[..., Application]
) -> None:
    options = {"socket_connect_timeout": 0.25, "socket_timeout": 0.25}
    app = application(broker_url=f"redis://127.0.0.1:{silent.port}/0", broker_transport_options=options)
    with pytest.raises(BrokerError):
        app.send_task("any")
    until(lambda: silent.connections)
    connections, heard = silent.connections, len(silent.heard)
    for _ in range(10):
        with pytest.raises(BrokerError, match="left alone"):
            app.send_task("any")
    assert (silent.connections, len(silent.heard)) == (connections, heard)


def test_whoever_sends_to_redis_has_a_timeout() -> None:
    options = broker("redis://localhost/1")["broker_transport_options"]
    assert 0 < options["socket_connect_timeout"] <= options["socket_timeout"] <= 10


def test_a_broker_folder_that_cannot_be_written_is_a_broker_out_of_reach(
    tmp_path: Path, application: Callable[..., Application]
) -> None:
    (tmp_path / "file").touch()
    folder = str(tmp_path / "file" / "broker")
    options = {"data_folder_in": folder, "data_folder_out": folder, "control_folder": folder}
    app = application(broker_url="filesystem://", broker_transport_options=options)
    with pytest.raises(BrokerError):
        app.send_task("any")


class Elsewhere(DatabaseWrapper):
    """The backend under test, with a circuit of its own."""

    _circuit = Circuit("database of the test", pause=LONG)


def wrapper(**changes: Any) -> DatabaseWrapper:
    said = connection.settings_dict | {"CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True} | changes
    return Elsewhere(said, alias="elsewhere")


@pytest.mark.django_db
def test_a_database_that_is_gone_is_asked_for_once_and_then_left_alone() -> None:
    pool = {"min_size": 1, "max_size": 2, "timeout": 0.5, "reconnect_timeout": 0.1}
    gone = wrapper(HOST="127.0.0.1", PORT=free_port(), NAME="x", USER="x", PASSWORD="x", OPTIONS={"pool": pool})
    try:
        with pytest.raises(OperationalError, match="couldn't get a connection"):
            gone.ensure_connection()
        for _ in range(5):
            with pytest.raises(OperationalError, match="left alone"):
                gone.ensure_connection()
    finally:
        gone.close_pool()
        Elsewhere._circuit.worked()


@pytest.mark.django_db(transaction=True)
def test_a_pool_that_is_merely_used_up_is_no_outage() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL (DATABASE_URL)")
    options = connection.settings_dict["OPTIONS"] | {"pool": {"min_size": 0, "max_size": 1, "timeout": 1}}
    first, second = wrapper(OPTIONS=options), wrapper(OPTIONS=options)
    try:
        first.ensure_connection()
        with pytest.raises(OperationalError, match="couldn't get a connection"):
            second.ensure_connection()
        first.close()
        second.ensure_connection()
    finally:
        first.close()
        second.close()
        first.close_pool()


def refuse(*args: Any) -> None:
    raise OperationalError("the server closed the connection unexpectedly")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api/v1/items", "application/problem+json"),
        ("/api/v1/recommendations/user/1", "application/problem+json"),
        ("/shop/", "text/html"),
        ("/admin/", "text/html"),
    ],
)
def test_while_the_database_is_away_requests_are_told_to_come_back(
    path: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    _, key = api_key_create(name="tests", kind="secret")
    client = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {key}"})
    client.cookies["sessionid"] = "somebody"
    with connection.execute_wrapper(refuse):
        response = client.get(path)
    assert response.status_code == 503
    assert response["Content-Type"].startswith(kind)
    assert int(response["Retry-After"]) > 0
    assert b"closed the connection" not in response.content
    (line,) = [record for record in caplog.records if record.name == "django.request"]
    assert line.exc_info is None
    assert "closed the connection" in line.getMessage()
