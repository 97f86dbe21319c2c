"""Training runs: one open run of a model at a time, held by a lease that its worker keeps renewing.

The row is the truth and the broker only a wake-up call: whatever happens to messages and workers, an open run is
either held by somebody alive or picked up again by `reclaim`.
"""

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

import structlog
from django.conf import settings
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from apps.recommend.models import TrainingRun

log = structlog.get_logger(__name__)

Watcher = Callable[[str, float], None]  # the step, and how much of the whole is done (0 to 1)

Status = TrainingRun.Status
OPEN = (Status.QUEUED, Status.RUNNING)
ATTEMPTS = 3


class LeaseLost(Exception):
    """The run belongs to another worker, or to nobody, by now. Nothing of this attempt may be published."""


@dataclass(frozen=True)
class Requested:
    """The open run of a model: `new` where this request opened it."""

    run_id: int
    new: bool


def request(model: str, *, requested_by: str = "") -> Requested:
    """Open a run of `model`, or return the one that is open. Safe when several ask at once."""
    while True:
        open_id = TrainingRun.objects.filter(model=model, status__in=OPEN).values_list("id", flat=True).first()
        if open_id is not None:
            return Requested(open_id, new=False)
        with suppress(IntegrityError), transaction.atomic():  # somebody else opened one in between: look again
            run = TrainingRun.objects.create(model=model, requested_by=requested_by[:150])
            return Requested(run.pk, new=True)


def claim(run_id: int) -> "Claim | None":
    """Take a queued run under a lease; None when it is not queued (any more)."""
    worker = f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(4)}"
    now = timezone.now()
    taken = TrainingRun.objects.filter(pk=run_id, status=Status.QUEUED).update(
        status=Status.RUNNING,
        worker=worker,
        attempts=F("attempts") + 1,
        started_at=now,
        heartbeat_at=now,
        lease_expires_at=now + _lease(),
        step="starting",
        progress=0.0,
        message="",
    )
    if not taken:
        return None
    return Claim(run_id=run_id, model=TrainingRun.objects.values_list("model", flat=True).get(pk=run_id), worker=worker)


def reclaim() -> list[int]:
    """Queue runs again whose worker has fallen silent; return the queued runs that nobody took up for a while.

    A run that has killed its worker `ATTEMPTS` times is given up as failed.
    """
    now = timezone.now()
    silent = TrainingRun.objects.filter(status=Status.RUNNING, lease_expires_at__lt=now)
    for run in silent.values("id", "model", "worker", "attempts", "step"):
        same = silent.filter(pk=run["id"], worker=run["worker"])  # still silent, still the same attempt
        if run["attempts"] >= ATTEMPTS:
            message = (
                f"The worker died {run['attempts']} times while training, last at the step “{run['step']}”. "
                "It may have run out of memory; the worker's log says more."
            )
            same.update(status=Status.FAILED, finished_at=now, message=message, lease_expires_at=None)
            log.error("training given up", run=run["id"], model=run["model"], attempts=run["attempts"])
        elif same.update(status=Status.QUEUED, worker="", lease_expires_at=None, step="waiting for a worker"):
            log.warning("training reclaimed", run=run["id"], model=run["model"], worker=run["worker"])
    waiting = TrainingRun.objects.filter(
        Q(attempts__gt=0) | Q(requested_at__lt=now - timedelta(seconds=wake_up_seconds())), status=Status.QUEUED
    )
    return list(waiting.order_by("id").values_list("id", flat=True))


def wake_up_seconds() -> float:
    """How often `reclaim` should be called: half a lease, at most 15 seconds."""
    return min(15.0, settings.TRAINING_LEASE_SECONDS / 2)


def _lease() -> timedelta:
    return timedelta(seconds=settings.TRAINING_LEASE_SECONDS)


class Claim:
    """A run that this process holds. As a context manager it renews the lease, from a thread, until the end.

    The thread has a database connection of its own.
    """

    def __init__(self, *, run_id: int, model: str, worker: str) -> None:
        self.run_id, self.model, self.worker = run_id, model, worker
        self._done = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._keep_alive, name=f"heartbeat-{run_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._done.set()
        self._thread.join()

    def step(self, name: str, progress: float) -> None:
        """Say what is being done (0 to 1 of the way). Raises LeaseLost when the run is no longer ours."""
        self._require(self._ours().update(step=name[:100], progress=progress))

    def finish(self, status: str, message: str, *, version_id: int | None = None) -> None:
        """End the run, in the caller's transaction. Raises LeaseLost, and changes nothing, when it is not ours."""
        now = timezone.now()
        ended = {"progress": 1.0, "step": ""} if status in (Status.ACTIVATED, Status.KEPT) else {}
        self._require(
            self._ours().update(
                status=status, message=message, finished_at=now, lease_expires_at=None, version_id=version_id, **ended
            )
        )

    def _ours(self):  # type: ignore[no-untyped-def]  # a QuerySet of a type django-stubs keeps to itself
        return TrainingRun.objects.filter(pk=self.run_id, worker=self.worker, status=Status.RUNNING)

    def _require(self, updated: int) -> None:
        if not updated or self._lost.is_set():
            raise LeaseLost(f"Training run {self.run_id} of {self.model} was taken over or ended meanwhile.")

    def _keep_alive(self) -> None:
        try:
            while not self._done.wait(settings.TRAINING_LEASE_SECONDS / 3):
                now = timezone.now()
                try:
                    if not self._ours().update(heartbeat_at=now, lease_expires_at=now + _lease()):
                        self._lost.set()
                        return
                except DatabaseError as problem:  # it may be back before the lease is over
                    log.warning("heartbeat failed", run=self.run_id, problem=str(problem))
                    connection.close()
        finally:
            connection.close()


class Steps:
    """Writes each step, and how far the algorithm is, to the run's row; at most once a second in between."""

    def __init__(self, claim: Claim, watcher: Watcher | None) -> None:
        self._claim, self._watcher = claim, watcher
        self._name, self._from, self._said = "", 0.0, 0.0

    def begin(self, name: str, progress: float) -> None:
        self._name, self._from = name, progress
        self._say(name, progress)

    def heard(self, what: str, done: int, total: int) -> None:
        """What the algorithm reports while it learns: it has a third of the bar."""
        if time.monotonic() - self._said >= 1.0:
            self._say(f"{self._name} ({what} {done:,} of {total:,})", self._from + 0.35 * done / max(total, 1))

    def _say(self, name: str, progress: float) -> None:
        self._said = time.monotonic()
        self._claim.step(name, progress)
        if self._watcher is not None:
            self._watcher(name, progress)
