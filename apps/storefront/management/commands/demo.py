"""`manage.py demo`: the whole demo in one command, from an empty folder to a running shop."""

import os
import shutil
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from apps.recommend import publish, recipes
from apps.storefront.access import Access, access_prepare
from apps.storefront.assortment import SHOP_NAME
from apps.storefront.processes import Child, Processes
from apps.storefront.services import AnotherShop, demo_shop_create
from apps.storefront.world import WorldSize

READY_SECONDS = 60.0
HOST = "127.0.0.1"


class Stop(BaseException):
    """Somebody wants the demo to end: Ctrl-C or SIGTERM."""


class Command(BaseCommand):
    help = "Create what the demo needs, then run shop, API, admin, worker and clock until Ctrl-C. PORT says where."
    requires_system_checks: list[str] = []  # they cost a second, and `migrate` runs them

    def handle(self, *args: Any, **options: Any) -> None:
        port = settings.DEMO_PORT
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _stop)
        _port_check(port)
        processes = Processes(settings.BASE_DIR, settings.VAR_DIR / "logs")
        try:
            access = self._prepare(processes, port)
            self._run(processes, access, port)
        except Stop:
            self.stdout.write("\nStopping …")
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            processes.stop()
        self.stdout.write("Stopped. `make demo` starts it again, with everything still there.")

    def _prepare(self, processes: Processes, port: int) -> Access:
        with self._step("Database") as say:
            call_command("migrate", verbosity=0, interactive=False)
            say(f"{connection.vendor}, up to date")
        with self._step(f"Demo shop {SHOP_NAME}") as say:
            size = WorldSize()
            try:
                facts = demo_shop_create(size, progress=lambda what, done, of: say(f"{what} {done:,} of {of:,}"))
            except AnotherShop:
                facts = None
            say(f"{facts.size.items:,} products, {facts.size.events:,} events" if facts else "another one is here")
        with self._step("Administrator and keys") as say:
            access = access_prepare(settings.VAR_DIR / "demo.json", port=port)
            say("in var/demo.json")
        active = publish.active_versions()
        missing = [name for name in recipes.all_recipes() if name not in active]
        with self._step("Models") as say:
            if missing:
                self._train(processes, missing, say)
            say(f"{len(publish.active_versions())} trained and active")
        return access

    def _train(self, processes: Processes, missing: list[str], say: Callable[[str], None]) -> None:
        """Train in a process of its own, which gives its memory back. A model that cannot be trained is not fatal."""
        child = processes.start("train", ["manage", "train", *missing])
        while child.process.poll() is None:
            done = [name for name in missing if name in publish.active_versions()]
            now = next((name for name in missing if name not in done), "finishing")
            say(f"{len(done)} of {len(missing)} trained, now {now}")
            time.sleep(0.5)
        processes.forget(child)
        if child.process.returncode:
            self.stdout.write(f"\n{child.last_lines()}\nSome models could not be trained: {child.log}")

    def _run(self, processes: Processes, access: Access, port: int) -> None:
        with self._step("Web, worker and clock") as say:
            celery = ["celery", "--app", "celery_worker"]
            web = ["granian", "--interface", "wsgi", "--host", HOST, "--port", str(port), "--workers", "2"]
            web += ["--blocking-threads", "4", "--respawn-failed-workers", "--workers-kill-timeout", "5"]
            figures = settings.VAR_DIR / "metrics"
            shutil.rmtree(figures, ignore_errors=True)
            figures.mkdir(parents=True)
            environment = {
                "OPENBLAS_NUM_THREADS": "1",
                "OMP_NUM_THREADS": "1",
                "PROMETHEUS_MULTIPROC_DIR": str(figures),
            }
            processes.start("web", [*web, "recsys.wsgi:application"], more_environment=environment)
            processes.start("worker", [*celery, "worker", "--loglevel", "WARNING"])
            processes.start("beat", [*celery, "beat", "--pidfile=", "--loglevel", "WARNING"])
            deadline = time.monotonic() + READY_SECONDS
            while not _ready(port):
                _all_alive(processes)
                if time.monotonic() > deadline:
                    raise CommandError(f"The web server did not become ready in {READY_SECONDS:.0f} s.")
                say("starting")
                time.sleep(0.2)
            say("running")
        self.stdout.write(_box(access))
        self.stdout.flush()  # into a file or pipe, too, it is wanted now
        while True:
            _all_alive(processes)
            time.sleep(0.5)

    @contextmanager
    def _step(self, title: str) -> Iterator[Callable[[str], None]]:
        """A line that says what is being done, how far it is and how long it takes; never silent for long."""
        line = _Line(self.stdout, title)
        try:
            yield line.say
        except BaseException:
            line.end(failed=True)
            raise
        line.end()


class _Line:
    """On a terminal one line that keeps changing; elsewhere a new line when the news change, or every ten seconds."""

    def __init__(self, out: Any, title: str) -> None:
        self._out, self._title, self._detail = out, title, ""
        self._live = bool(out.isatty())
        self._started = self._written = time.monotonic()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._tick, daemon=True)
        self._write()
        self._thread.start()

    def say(self, detail: str) -> None:
        """The latest news of this step."""
        self._detail = detail

    def end(self, *, failed: bool = False) -> None:
        self._over.set()
        self._thread.join()
        self._write("failed" if failed else "done")

    def _tick(self) -> None:
        while not self._over.wait(0.25):
            if self._live or time.monotonic() - self._written > 10:
                self._write()

    def _write(self, state: str = "") -> None:
        with self._lock:
            self._written = time.monotonic()
            mark = {"done": "✓", "failed": "✗"}.get(state, "·")
            text = f"{mark} {self._title:<24}{self._detail:<46}{time.monotonic() - self._started:6.1f} s"
            ending = "\n" if state or not self._live else ""
            self._out.write(f"\r\x1b[2K{text}" if self._live else text, ending=ending)
            self._out.flush()


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stop


def _port_check(port: int) -> None:
    """Raises CommandError when something listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError:
            raise CommandError(
                f"Port {port} needs an administrator's rights. Choose another: make demo PORT=8001"
            ) from None
        except OSError:
            raise CommandError(
                f"Port {port} is taken, perhaps by a demo that runs already. Stop that, or choose another: "
                f"make demo PORT={port + 1}"
            ) from None


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/health/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:  # not there yet, or 503
        return False


def _all_alive(processes: Processes) -> None:
    """Raises CommandError with the last lines of its log when a child has ended by itself."""
    dead: Child | None = processes.dead()
    if dead is not None:
        raise CommandError(
            f"The {dead.name} process ended by itself (exit code {dead.process.returncode}). "
            f"The end of {os.path.relpath(dead.log)}:\n\n{dead.last_lines()}"
        )


def _box(access: Access) -> str:
    rows = [
        ("Shop", access.shop_url),
        ("Admin", f"{access.admin_url}   {access.admin_user} / {access.admin_password}"),
        ("API docs", access.docs_url),
        ("Secret key", access.secret_key),
        ("Public key", access.public_key),
    ]
    base = access.shop_url.removesuffix("/shop/")
    curl = (
        f"curl -H 'Authorization: Bearer {access.secret_key}' \\\n"
        f"  '{base}/api/v1/recommendations/user/12345?limit=10&explain=true'"
    )
    width = max(len(value) for _, value in rows) + 14
    lines = [f"│ {name:<11}{value:<{width - 13}} │" for name, value in rows]
    return "\n".join(
        ["", "╭" + "─" * width + "╮", *lines, "╰" + "─" * width + "╯", "", "Try it:", "", curl, "",
         "The same is in var/demo.json, logs are in var/logs. Ctrl-C stops everything."]
    )  # fmt: skip
