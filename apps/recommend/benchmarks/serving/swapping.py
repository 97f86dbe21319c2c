"""Scenarios `swap` and `memory`: model versions are activated while requests are answered.

A swap lasts from the order to activate until the last answer that still came from an old version, and at least
LEAST_SECONDS. Activating reads every byte of the new versions, in a process of its own as in production; on few cores
that process and the workers compete, and the figures contain it.
"""

import json
import time
from pathlib import Path
from typing import Any

from apps.recommend.benchmarks.serving import mixed, steady
from apps.recommend.benchmarks.serving.figures import Figure
from apps.recommend.benchmarks.serving.processes import Child
from apps.recommend.benchmarks.serving.shop import Shop
from apps.recommend.benchmarks.serving.steady import Steady
from apps.recommend.benchmarks.serving.versions import SWAPPED

REFERENCE_ITEMS = 1_000_000  # the catalog that memory was asked for
LEAST_SECONDS = 5.0
_SETTLING = 2.0  # seconds at the start of a load that are not counted
_GIB = 1 << 30


class _Swap:
    """Activates the other versions once `after` seconds have passed; called all the time, may look at memory, too."""

    def __init__(self, shop: Shop, after: float, *, look_at_memory: bool) -> None:
        self._shop, self._after, self._look = shop, after, look_at_memory
        self._child: Child | None = None
        self.began = self.ended = float("nan")  # time of day
        self.most_bytes = 0

    def __call__(self, passed: float) -> None:
        if self._look:
            self.most_bytes = max(self.most_bytes, sum(worker_bytes(self._shop)))
        if self._child is None and passed >= self._after:
            self.began = time.time()
            self._child = self._shop.start("activate", {"models": SWAPPED})
        elif self._child is not None and self.ended != self.ended and self._child.process.poll() is not None:
            self.ended = time.time()

    def finish(self) -> None:
        if self._child is not None:
            self._shop.finish(self._child)


def measure_swap(shop: Shop) -> tuple[list[Figure], dict[str, Any]]:
    """Errors, and the 99th percentile before and during a swap."""
    calm = 3.0 if shop.plan.quick else 15.0
    said, swap, new = _swap_under_load(shop, calm, look_at_memory=False)
    at = said.due + said.began
    old = at[~said.marked & (said.status == 200)]
    last_old = float(old.max(initial=swap.began))
    until = max(last_old, swap.ended, swap.began + LEAST_SECONDS)
    if not said.marked.any():
        shop.faults.append("swap: no answer came from the new versions")
    before = (said.due >= _SETTLING) & (at < swap.began)
    during = (at >= swap.began) & (at <= until)
    p99 = {name: said.percentile_ms(99, part) for name, part in (("before", before), ("during", during))}
    return [
        Figure("swap", "failed requests", said.errors, most=0, note=f"of {len(said.due):,} at {_rate(shop):,}/s"),
        Figure("swap", "p99 before", p99["before"], "ms"),
        Figure("swap", "p99 during", p99["during"], "ms"),
        Figure("swap", "p99 during, times before", p99["during"] / p99["before"], "×", most=2.0),
        Figure("swap", "longest during", said.percentile_ms(100, during), "ms"),
        Figure("swap", "until every answer was from the new", last_old - swap.began, "s", note=new),
    ], {"activated_after_seconds": swap.ended - swap.began, **{f"p99_{name}_ms": value for name, value in p99.items()}}


def measure_memory(shop: Shop) -> tuple[list[Figure], dict[str, Any]]:
    """What all workers hold together (proportional set size), at rest after a load, and at most during a swap."""
    requests, order = mixed.mix(shop, round(10 * shop.plan.rate))
    with shop.only(shop.server):
        steady.drive(shop.processes, shop.server.port, requests, order, rate=shop.plan.rate)
        time.sleep(1.0)
        rest = worker_bytes(shop)
        _, swap, _ = _swap_under_load(shop, 3.0, look_at_memory=True)
        time.sleep(1.0)
        after = worker_bytes(shop)
    asked = shop.items == REFERENCE_ITEMS and shop.plan.workers == 2
    workers = f"{len(rest)} workers"
    return [
        Figure("memory", "at rest", sum(rest) / _GIB, "GiB", most=2.5 if asked else None, note=workers),
        Figure("memory", "most during a swap", swap.most_bytes / _GIB, "GiB", most=4.0 if asked else None),
        Figure("memory", "at rest after it", sum(after) / _GIB, "GiB"),
    ], {"at_rest_bytes": rest, "after_bytes": after, "most_bytes": swap.most_bytes}


def _swap_under_load(shop: Shop, calm: float, *, look_at_memory: bool) -> tuple[Steady, _Swap, str]:
    """Load, a swap after `calm` seconds of it, and which version the new answers name."""
    seconds = calm + (6.0 if shop.plan.quick else 15.0 + shop.items / 20_000)
    rate = _rate(shop)
    requests, order = mixed.mix(shop, round(seconds * rate))
    new = _next_version(json.loads(shop.server.ask(shop.asking.home(0)).body)["model_version"])
    swap = _Swap(shop, calm, look_at_memory=look_at_memory)
    try:
        with shop.only(shop.server):
            said = steady.drive(
                shop.processes,
                shop.server.port,
                requests,
                order,
                rate=rate,
                mark=f'"model_version":"{new}"',
                meanwhile=swap,
            )
    finally:
        swap.finish()
    shop.server.forget_log()
    return said, swap, new


def _rate(shop: Shop) -> int:
    return max(shop.plan.rate // 5, 50)


def _next_version(version: str) -> str:
    """Of two versions of a model, the one that is not this."""
    stem, _, number = version.rpartition("-")
    return f"{stem}-{3 - int(number)}"


def worker_bytes(shop: Shop) -> list[int]:
    """Proportional set size of each worker: its own pages, and its share of those that it has in common with others."""
    return [_pss(pid) for pid in shop.server.worker_pids()]


def _pss(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
