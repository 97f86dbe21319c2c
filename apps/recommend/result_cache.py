"""Computed slates, kept by everything that decided them, so that nothing ever has to be deleted.

Two layers: what one source proposes to everybody (`candidates`), and what a pipeline makes for one user in one state
of mind (`personal`). Two levels: this process, and Redis, where there is one; there the candidates of all processes
are shared, and personal slates that were computed ahead wait for those who come back. Rows, scores and sources are
kept: never cards, tokens or reasons. What may be shown and what it costs is looked up after.

What one request computes, others that ask the same meanwhile wait for. What has become old is served once more while
it is computed anew.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass
from functools import cache as once
from hashlib import blake2b
from operator import is_
from typing import Any

import structlog
from django.conf import settings

from apps.recommend import shared_cache
from apps.recommend.engine.deadline import Deadline
from apps.recommend.engine.types import Slate
from apps.recommend.live_catalog import LiveCatalog
from apps.recommend.metrics import CACHE_LOOKUPS

log = structlog.get_logger(__name__)

OLD_AFTER = 0.5  # share of its time after which an entry is computed anew while it is still served
ENTRY_BYTES = 400  # what an entry costs beside its arrays, roughly

Make = Callable[[], Slate | None]  # None: not to be kept


@dataclass(frozen=True, slots=True)
class _Kept:
    slate: Slate
    epoch: int  # of the catalog that its rows are of
    made: float  # time.monotonic()
    size: int


class SlateCache:
    """One layer. Thread-safe; holds at most about `capacity` bytes in this process."""

    def __init__(self, layer: str, *, capacity: int) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._size = 0
        self._flights: dict[Hashable, Future[Slate | None]] = {}
        self._lock = threading.Lock()
        self._counters = {
            result: CACHE_LOOKUPS.labels(layer=layer, result=result)
            for result in ("process", "old", "shared", "waited", "miss")
        }

    def get_or_make(
        self, key: Hashable, catalog: LiveCatalog, make: Make, deadline: Deadline, *, shared_for: int
    ) -> Slate | None:
        """The slate under `key` in rows of `catalog`, kept or made now.

        `shared_for` is for how many seconds Redis keeps it for the other processes; 0: it is not looked for there.
        None where `make` has nothing to keep, or where somebody else who makes it is not done in time. Raises what
        `make` raises, to everybody who waited for it.
        """
        kept = self._look(key, catalog)
        if kept is not None:
            age = time.monotonic() - kept.made
            if age < settings.RESULT_CACHE_SECONDS * OLD_AFTER:
                self._counters["process"].inc()
                return kept.slate
            if age < settings.RESULT_CACHE_SECONDS:
                self._counters["old"].inc()
                self._renew(key, catalog, make, shared_for)
                return kept.slate
        with self._lock:
            flight = self._flights.get(key)
            mine = flight is None
            if flight is None:
                flight = self._flights[key] = Future()
        if mine:
            return self._fill(key, catalog, make, flight, look=True, shared_for=shared_for)
        self._counters["waited"].inc()
        try:
            flight.result(timeout=min(deadline.seconds_left, threading.TIMEOUT_MAX))
        except NotInTime:
            return None
        kept = self._look(key, catalog)  # and not the result itself: its rows may be of another epoch
        return None if kept is None else kept.slate

    def holds(self, key: Hashable, catalog: LiveCatalog) -> bool:
        """Whether this process has something under `key`. Not counted as a look-up."""
        return self._look(key, catalog) is not None

    def clear(self) -> None:
        """Forget everything in this process."""
        with self._lock:
            self._kept.clear()
            self._size = 0

    def _look(self, key: Hashable, catalog: LiveCatalog) -> _Kept | None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept.epoch != catalog.epoch:
                return None
            self._kept.move_to_end(key)
            return kept

    def _fill(
        self,
        key: Hashable,
        catalog: LiveCatalog,
        make: Make,
        flight: "Future[Slate | None]",
        *,
        look: bool,
        shared_for: int,
    ) -> Slate | None:
        try:
            slate = shared_cache.read(digest(key), catalog) if look and shared_for else None
            if slate is not None:
                self._counters["shared"].inc()
                self._keep(key, slate, catalog)
            else:
                self._counters["miss"].inc()
                slate = make()
                if slate is not None:
                    self._keep(key, slate, catalog)
                    if shared_for:
                        shared_cache.write(digest(key), slate, catalog, seconds=shared_for)
        except BaseException as problem:
            flight.set_exception(problem)
            flight.exception()  # it is raised to us, too; nobody else may have waited
            raise
        else:
            flight.set_result(slate)
            return slate
        finally:
            with self._lock:
                self._flights.pop(key, None)

    def _renew(self, key: Hashable, catalog: LiveCatalog, make: Make, shared_for: int) -> None:
        with self._lock:
            if key in self._flights:
                return
            flight: Future[Slate | None] = Future()
            self._flights[key] = flight

        def fill() -> None:
            try:
                self._fill(key, catalog, make, flight, look=False, shared_for=shared_for)
            except Exception:
                # The entry is served until its time is over; then a request makes it, and meets the problem itself.
                log.exception("slate not renewed")

        _renewers().submit(fill)

    def _keep(self, key: Hashable, slate: Slate, catalog: LiveCatalog) -> None:
        size = slate.rows.nbytes + slate.scores.nbytes + slate.source.nbytes + ENTRY_BYTES
        with self._lock:
            before = self._kept.pop(key, None)
            self._size += size - (0 if before is None else before.size)
            self._kept[key] = _Kept(slate, catalog.epoch, time.monotonic(), size)
            while self._size > self._capacity and len(self._kept) > 1:
                _, dropped = self._kept.popitem(last=False)
                self._size -= dropped.size


@once
def _renewers() -> ThreadPoolExecutor:
    """One thread a process: renewing must not crowd out requests."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="slate-renewal")


def digest(key: Hashable) -> str:
    """A key as every process writes it. Keys are tuples of texts, numbers and None."""
    return blake2b(repr(key).encode(), digest_size=16).hexdigest()


class Memo:
    """What was made of candidates a moment ago, in this process, as long as what it was made from is still in force.

    When that changes everything is forgotten, so that nothing old is kept alive. Thread-safe; holds at most
    `entries`, each at most `seconds`.
    """

    def __init__(self, layer: str, *, entries: int, seconds: float) -> None:
        self._entries, self._seconds = entries, seconds
        self._kept: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._origin: tuple[object, ...] = ()
        self._lock = threading.Lock()
        self._hits = CACHE_LOOKUPS.labels(layer=layer, result="process")
        self._misses = CACHE_LOOKUPS.labels(layer=layer, result="miss")

    def get(self, key: Hashable, made_from: tuple[object, ...]) -> Any:
        """What was put under `key`, if it was made from these very objects; else None."""
        if settings.RESULT_CACHE_SECONDS:
            with self._lock:
                kept = self._kept.get(key) if self._same(made_from) else None
                if kept is not None and time.monotonic() < kept[0]:
                    self._kept.move_to_end(key)
                    self._hits.inc()
                    return kept[1]
        self._misses.inc()
        return None

    def put(self, key: Hashable, made_from: tuple[object, ...], value: Any) -> None:
        """Keep `value`, made from these objects."""
        with self._lock:
            if not self._same(made_from):
                self._kept.clear()
                self._origin = made_from
            self._kept[key] = (time.monotonic() + self._seconds, value)
            self._kept.move_to_end(key)
            if len(self._kept) > self._entries:
                self._kept.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()
            self._origin = ()

    def _same(self, made_from: tuple[object, ...]) -> bool:
        mine = self._origin
        return len(mine) == len(made_from) and all(map(is_, mine, made_from))


candidates = SlateCache("candidates", capacity=48_000_000)
personal = SlateCache("personal", capacity=48_000_000)
arranged = Memo("arranged", entries=4_000, seconds=30.0)  # as long as freshness and rotation may lag behind


def clear() -> None:
    """Forget everything in this process."""
    for layer in (candidates, personal, arranged):
        layer.clear()
