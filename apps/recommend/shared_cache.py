"""Slates in Redis, as bytes: what the processes of a deployment tell each other. Without Redis there is none of it.

Items are written by their ids, since rows are each process's own. Writing never makes a request wait.
"""

import queue
import struct
import threading
from functools import cache as once

import numpy as np
import structlog
from django.conf import settings
from django.core.cache import cache

from apps.recommend.engine.types import Slate
from apps.recommend.live_catalog import LiveCatalog

log = structlog.get_logger(__name__)

_HEAD = struct.Struct("<BIH")  # version, entries, bytes of the source names
_VERSION = 1
_WAITING = 1_000  # slates waiting to be written; beyond that they are not shared


def packed(slate: Slate, catalog: LiveCatalog) -> bytes:
    """`slate` as bytes: 14 an entry. Propensities are not kept: draws never are."""
    names = "\n".join(slate.source_names).encode()
    return b"".join(
        (
            _HEAD.pack(_VERSION, len(slate), len(names)),
            names,
            catalog.ids[slate.rows].astype("<i8").tobytes(),
            slate.scores.astype("<f4").tobytes(),
            slate.source.astype("<i2").tobytes(),
        )
    )


def unpacked(content: bytes, catalog: LiveCatalog) -> Slate:
    """What `packed` wrote, in rows of `catalog`; items that are gone are left out.

    Raises ValueError for anything else.
    """
    try:
        version, entries, length = _HEAD.unpack_from(content)
        if version != _VERSION or len(content) != _HEAD.size + length + 14 * entries:
            raise ValueError("not a slate")
    except struct.error as problem:
        raise ValueError("not a slate") from problem
    at = _HEAD.size + length
    names = tuple(content[_HEAD.size : at].decode().split("\n")) if length else ()
    rows = catalog.items.rows_of(np.frombuffer(content, "<i8", entries, at))
    scores = np.frombuffer(content, "<f4", entries, at + 8 * entries)
    source = np.frombuffer(content, "<i2", entries, at + 12 * entries)
    slate = Slate(rows, scores.astype(np.float32), source.astype(np.int16), names)
    return slate if (rows >= 0).all() else slate.take(rows >= 0)


def read(digest: str, catalog: LiveCatalog) -> Slate | None:
    """The slate kept under `digest`, None where there is none. One round trip."""
    if not enabled():
        return None
    content = cache.get(f"slate:{digest}")
    if content is None:
        return None
    try:
        return unpacked(content, catalog)
    except ValueError:  # of another version of this software: as good as none
        return None


def write(digest: str, slate: Slate, catalog: LiveCatalog, *, seconds: int) -> None:
    """Keep `slate` under `digest` for so many seconds, from some time soon."""
    if not enabled():
        return
    try:
        _outbox().put_nowait((f"slate:{digest}", packed(slate, catalog), seconds))
    except queue.Full:
        log.info("slate not shared: too many are waiting")


def flush() -> None:
    """Wait until everything has been written."""
    if enabled():
        _outbox().join()


def enabled() -> bool:
    """Whether there is anywhere to share."""
    return bool(settings.REDIS_URL and settings.RESULT_CACHE_SECONDS)


@once
def _outbox() -> "queue.Queue[tuple[str, bytes, int]]":
    waiting: queue.Queue[tuple[str, bytes, int]] = queue.Queue(_WAITING)

    def deliver() -> None:
        while True:
            key, content, seconds = waiting.get()
            # A Redis that is away is logged by its circuit and ignored by the cache's client.
            cache.set(key, content, seconds)
            waiting.task_done()

    threading.Thread(target=deliver, name="slate-sharing", daemon=True).start()
    return waiting
