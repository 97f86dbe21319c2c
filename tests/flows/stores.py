"""A Redis and a PostgreSQL of a test's own, to be frozen, killed and started again; and a shop in them."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
import redis

from apps.recommend.benchmarks.serving.processes import Child, Processes, program
from tests.flows.webs import ROOT
from tests.processes import free_port, until

# What fills the database: the tables, the shop that the flow tests know, some models, a key. Prints the key.
_SHOP = """
import sys, django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from apps.catalog.services import items_upsert, parse_item
from apps.interactions.services import events_record
from apps.recommend.train import train_model
from apps.users.services import api_key_create
from tests.flows.conftest import item_rows, taste_events
items_upsert([parse_item(row) for row in item_rows()])
events_record(list(taste_events()))
for name in sys.argv[1:]:
    assert train_model(name, force=True).version
print("key:" + api_key_create(name="flow", kind="secret")[1])
"""


@dataclass
class Store:
    """A server on a port of its own."""

    name: str
    command: list[str]
    port: int
    processes: Processes
    user: str = ""
    _child: Child | None = field(default=None, init=False)

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._child = self.processes.start(self.name, self.command, user=self.user, ends_by=signal.SIGINT)
        until(self._answers, otherwise=lambda: self._child.last_lines() if self._child else "")

    def up(self) -> None:
        """Start it, or let it go on, if need be."""
        if self._child is None:
            self.start()
        else:
            self.thaw()

    def freeze(self) -> None:
        """It keeps its connections and says nothing any more."""
        assert self._child is not None
        self._child.signal(signal.SIGSTOP)
        for pid in self._others():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on as if nothing had been."""
        assert self._child is not None
        for pid in [self._child.process.pid, *self._others()]:
            os.kill(pid, signal.SIGCONT)

    def kill(self) -> None:
        """It is gone at once, and all it had in memory with it."""
        assert self._child is not None
        others = self._others()
        for pid in [self._child.process.pid, *others]:
            os.kill(pid, signal.SIGKILL)
        self.processes.stop(self._child)
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in others))
        self._child = None

    def _others(self) -> list[int]:
        """What it has started: PostgreSQL's are in sessions of their own."""
        assert self._child is not None
        pid = self._child.process.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def _answers(self) -> bool:
        try:
            if self.name == "redis":
                with redis.Redis(port=self.port, socket_timeout=2) as client:
                    return bool(client.ping())
            psycopg.connect(f"postgres://postgres@127.0.0.1:{self.port}/postgres", connect_timeout=2).close()
        except (redis.RedisError, psycopg.OperationalError):
            return False
        return True


@dataclass
class Stores:
    """Both of them, and how to reach them."""

    redis: Store
    postgresql: Store
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a process of this shop runs with."""
        return {
            "DATABASE_URL": f"postgres://postgres@127.0.0.1:{self.postgresql.port}/postgres",
            "REDIS_URL": f"redis://127.0.0.1:{self.redis.port}/0",
            "CELERY_BROKER_URL": "",
            "REDIS_TIMEOUT_MS": "50",
            "VAR_DIR": str(self.folder / "var"),
            "DJANGO_SETTINGS_MODULE": "recsys.settings",
        }

    def run(self, statement: str) -> None:
        """One statement on the database."""
        with psycopg.connect(self.environment["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def private_stores() -> Iterator[Stores]:
    """Both servers, empty. Skips where they are not installed."""
    try:
        places = "usr/lib/postgresql/*/bin/"
        initdb, postgres = (program(name, "postgresql", places + name) for name in ("initdb", "postgres"))
        redis_server = program("redis-server", "redis-server")
    except FileNotFoundError as missing:
        pytest.skip(f"needs servers to stop: {missing}")
    folder = Path(tempfile.mkdtemp(prefix="recsys-stores-"))
    folder.chmod(0o711)
    data = folder / "postgresql"
    data.mkdir(mode=0o700)
    user = "postgres" if os.getuid() == 0 else ""  # PostgreSQL refuses to run as root
    if user:
        account = pwd.getpwnam(user)
        os.chown(data, account.pw_uid, account.pw_gid)
    processes = Processes(ROOT, folder)
    try:
        made = processes.start(
            "initdb", [initdb, "-D", str(data), "-U", "postgres", "--auth=trust", "--no-sync"], user=user
        )
        assert made.process.wait() == 0, made.last_lines()
        ports = free_port(), free_port()
        options = ["-k", "", "-h", "127.0.0.1", "-p", str(ports[0]), "-c", "fsync=off"]
        stores = Stores(
            redis=Store(
                "redis",
                [redis_server, "--bind", "127.0.0.1", "--port", str(ports[1]), "--save", ""],
                ports[1],
                processes,
            ),
            postgresql=Store("postgresql", [postgres, "-D", str(data), *options], ports[0], processes, user),
            folder=folder,
        )
        stores.postgresql.start()
        stores.redis.start()
        yield stores
    finally:
        processes.stop_all()
        shutil.rmtree(folder, ignore_errors=True)


def make_shop(stores: Stores, *models: str) -> str:
    """The shop of the flow tests in that database, these models trained; returns a secret key."""
    said = subprocess.run(
        [sys.executable, "-c", _SHOP, *models],
        cwd=ROOT,
        env=os.environ | stores.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr[-5000:]
    return said.stdout.rpartition("key:")[2].strip()
