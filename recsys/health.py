"""Is this deployment alive, and can it do its work? For load balancers, orchestrators and people.

`/health/live` depends on nothing. `/health/ready` asks every dependency and answers 503 only when the database
is down: without a cache or a model, recommendations still come, from their fallbacks. No answer takes longer than
`PATIENCE`, whatever hangs.
"""

import platform
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import asdict, dataclass
from typing import Literal
from uuid import uuid4

import django
import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import connection, connections
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.interactions import selectors as events
from apps.recommend import publish

Status = Literal["ok", "degraded", "down"]
PATIENCE = 2.0  # seconds

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Finding:
    """What one dependency said."""

    status: Status
    detail: str
    took_ms: float = 0.0


class Probe:
    """Asks one dependency, in a thread of its own, at most one at a time: a dependency that hangs costs one thread."""

    def __init__(self, ask: Callable[[], Finding], *, worst: Status) -> None:
        self.ask = ask
        self.worst: Status = worst  # what it means for the deployment when there is no answer
        self._lock = threading.Lock()
        self._running: Future[Finding] | None = None

    def start(self) -> Future[Finding]:
        """The question now under way; joins the one that is still waiting, if there is one."""
        with self._lock:
            if self._running is None or self._running.done():
                self._running = Future()
                threading.Thread(target=self._run, args=(self._running,), daemon=True).start()
            return self._running

    def wait(self, asked: Future[Finding], seconds: float) -> Finding:
        """Its answer, or the worst one after `seconds`."""
        try:
            return asked.result(timeout=max(seconds, 0.0))
        except TookTooLong:
            return Finding(self.worst, f"no answer within {PATIENCE:g} s", PATIENCE * 1000)

    def _run(self, answer: Future[Finding]) -> None:
        started = time.perf_counter()
        try:
            finding = self.ask()
        except Exception as error:  # whatever a dependency raises is the finding
            log.warning("health check failed", error=str(error), exc_info=True)
            finding = Finding(self.worst, type(error).__name__)
        finally:
            connections.close_all()  # this thread's own; nothing else would
        took = round((time.perf_counter() - started) * 1000, 1)
        answer.set_result(Finding(finding.status, finding.detail, took))


def _database() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    return Finding("ok", connection.vendor)


def _cache() -> Finding:
    word = uuid4().hex
    cache.set("health", word, timeout=10)
    kind = "Redis" if "redis" in settings.CACHES["default"]["BACKEND"] else "process memory"
    # Another process may have written in between; only nothing at all means that nothing is kept.
    return Finding("ok", kind) if cache.get("health") else Finding("degraded", f"{kind} keeps nothing")


def _model() -> Finding:
    active = publish.active_versions()
    if not active:
        return Finding("degraded", "no active model: run `manage.py train`")
    return Finding("ok", ", ".join(sorted(active.values())))


def _events() -> Finding:
    lag = events.event_lag_seconds()
    return Finding("ok", "no events yet" if lag is None else f"{lag:.1f} s behind")


PROBES: dict[str, Probe] = {
    "database": Probe(_database, worst="down"),
    "cache": Probe(_cache, worst="degraded"),
    "model": Probe(_model, worst="degraded"),
    "events": Probe(_events, worst="degraded"),
}


def findings(probes: Mapping[str, Probe] = PROBES) -> tuple[Status, dict[str, Finding]]:
    """The deployment's state and what each dependency said. All are asked at once; takes at most PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    asked = {name: probe.start() for name, probe in probes.items()}
    found = {name: probes[name].wait(future, deadline - time.monotonic()) for name, future in asked.items()}
    statuses = {finding.status for finding in found.values()}
    state: Status = "down" if "down" in statuses else "degraded" if "degraded" in statuses else "ok"
    return state, found


@require_safe
@never_cache
def live(request: HttpRequest) -> HttpResponse:
    """200 while this process answers at all."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def ready(request: HttpRequest) -> HttpResponse:
    """200 while requests can be answered, if need be by fallbacks; 503 when the database is down."""
    state, found = findings()
    document = {"status": state, "checks": {name: asdict(finding) for name, finding in found.items()}}
    return JsonResponse(document, status=503 if state == "down" else 200)


@require_safe
@never_cache
def summary(request: HttpRequest) -> HttpResponse:
    """The same for people, with versions; always 200, so that a browser shows it."""
    state, found = findings()
    document = {
        "status": state,
        "version": settings.VERSION,
        "python": platform.python_version(),
        "django": django.get_version(),
        "time_zone": settings.TIME_ZONE,
        "checks": {name: asdict(finding) for name, finding in found.items()},
    }
    return JsonResponse(document, json_dumps_params={"indent": 2})
