"""PostgreSQL and Redis for one run: the ones the settings name, else private ones. Nothing of anybody's is touched."""

import os
import pwd
import secrets
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
import redis
from django.conf import settings
from psycopg import sql

from apps.recommend.benchmarks.serving.processes import Processes, program
from apps.recommend.engine.progress import report

_PATIENCE = 60.0


@dataclass(frozen=True)
class Backends:
    """Addresses of an empty database and an empty Redis database, the run's own; `about` says what they run on."""

    database_url: str
    redis_url: str
    about: dict[str, str]


@contextmanager
def backends(processes: Processes, scratch: Path) -> Iterator[Backends]:
    """A database made for this run and dropped again, and an empty Redis database, emptied again."""
    with ExitStack() as stack:
        report("PostgreSQL", 0, 1)
        server = _configured_postgresql()
        private_database = server is None
        if server is None:
            server = _start_postgresql(processes, scratch)
        name = f"recsys_benchmark_{secrets.token_hex(4)}"
        stack.enter_context(_own_database(server, name))
        report("Redis", 0, 1)
        address = _configured_redis()
        private_redis = address is None
        if address is None:
            address = _start_redis(processes, scratch)
        stack.enter_context(_own_redis(address))
        with psycopg.connect(server) as connection:
            version = connection.info.parameter_status("server_version") or ""
        with redis.Redis.from_url(address) as client:
            redis_version = str(client.info("server")["redis_version"])
        yield Backends(
            database_url=f"{server.rpartition('/')[0]}/{name}",
            redis_url=address,
            about={
                "postgresql": f"{version.split()[0]}{', private' if private_database else ''}",
                "redis": f"{redis_version}{', private' if private_redis else ''}",
            },
        )


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _configured_postgresql() -> str | None:
    said = settings.DATABASES["default"]
    if "postgresql" not in said["ENGINE"]:
        return None
    account = quote(said["USER"]) + (f":{quote(said['PASSWORD'], safe='')}" if said["PASSWORD"] else "")
    host = quote(said["HOST"] or "localhost", safe="")
    # Its own database may be a test's, and not there yet: every server has this one.
    return f"postgres://{account}@{host}:{said['PORT'] or 5432}/postgres"


def _start_postgresql(processes: Processes, scratch: Path) -> str:
    places = "usr/lib/postgresql/*/bin/"
    initdb = program("initdb", "postgresql", f"{places}initdb")
    server = program("postgres", "postgresql", f"{places}postgres")
    data = scratch / "postgresql"
    data.mkdir(mode=0o700)
    account = "postgres" if os.getuid() == 0 else ""  # it refuses to run as root
    if account:
        scratch.chmod(0o711)
        os.chown(data, *_ids_of(account))
    made = processes.start("initdb", [initdb, "-D", str(data), "-U", "postgres", "--auth=trust"], user=account)
    if made.process.wait() != 0:
        made.check()
    processes.stop(made)
    port = free_port()
    child = processes.start(
        "postgresql",
        [server, "-D", str(data), "-k", "", "-h", "127.0.0.1", "-p", str(port)],
        ends_by=signal.SIGINT,  # its fast shutdown: it waits for nobody
        user=account,
    )
    address = f"postgres://postgres@127.0.0.1:{port}/postgres"
    _wait(lambda: psycopg.connect(address, connect_timeout=2).close(), psycopg.OperationalError, child.check)
    return address


def _ids_of(account: str) -> tuple[int, int]:
    try:
        found = pwd.getpwnam(account)
    except KeyError:
        raise FileNotFoundError(f"There is no user {account!r}, and PostgreSQL does not run as root.") from None
    return found.pw_uid, found.pw_gid


@contextmanager
def _own_database(server: str, name: str) -> Iterator[None]:
    def run(statement: str) -> None:
        with psycopg.connect(server, autocommit=True, connect_timeout=5) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))

    run("CREATE DATABASE {}")
    try:
        yield
    finally:
        run("DROP DATABASE IF EXISTS {} WITH (FORCE)")


def _configured_redis() -> str | None:
    """The address of an empty database on the server the settings name. Raises ValueError when it has none."""
    location = settings.CACHES["default"].get("LOCATION", "")
    if not isinstance(location, str) or not location.startswith(("redis://", "rediss://")):
        return None
    with redis.Redis.from_url(location) as client:
        room = int(client.config_get("databases")["databases"])
        taken = {int(name.removeprefix("db")) for name in client.info("keyspace")}
    free = [number for number in reversed(range(room)) if number not in taken]
    if not free:
        raise ValueError(f"REDIS_URL: all {room} databases of that server hold something; the benchmark needs one.")
    return urlsplit(location)._replace(path=f"/{free[0]}").geturl()


def _start_redis(processes: Processes, scratch: Path) -> str:
    server = program("redis-server", "redis-server")
    port = free_port()
    data = scratch / "redis"
    data.mkdir()
    address_options = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(data)]
    # As docker-compose.yml starts it.
    as_composed = ["--save", "", "--appendonly", "no", "--maxmemory", "256mb", "--maxmemory-policy", "volatile-lru"]
    child = processes.start("redis", [server, *address_options, *as_composed])
    address = f"redis://127.0.0.1:{port}/0"
    _wait(lambda: redis.Redis.from_url(address).ping(), redis.ConnectionError, child.check)
    return address


@contextmanager
def _own_redis(address: str) -> Iterator[None]:
    try:
        yield
    finally:
        with redis.Redis.from_url(address) as client:
            client.flushdb()


def _wait(attempt: Callable[[], object], not_yet: type[Exception], check: Callable[[], None]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            attempt()
        except not_yet:
            check()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
