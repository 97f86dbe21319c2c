"""Figures of a load at a constant rate (`paced`, in a process of its own)."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.recommend.benchmarks.serving.processes import Failed, Processes
from apps.recommend.engine.progress import report

_POLL = 0.25


@dataclass(frozen=True, eq=False)
class Steady:
    """One entry a request, in the order in which they were due. Seconds; `due` counts from `began` (time of day)."""

    began: float
    due: NDArray[np.float64]
    late: NDArray[np.float64]  # sent after it was due: for want of a connection, or of time in the load generator
    latency: NDArray[np.float64]  # from when it was due; NaN: never answered
    status: NDArray[np.int16]  # 0: dropped
    marked: NDArray[np.bool_]

    @property
    def errors(self) -> int:
        """Requests that did not get what they asked for."""
        return int(np.count_nonzero((self.status < 200) | (self.status >= 300)))

    def percentile_ms(self, share: float, within: NDArray[np.bool_] | None = None) -> float:
        """The latency that this share (0 to 100) of the requests stays under, in milliseconds."""
        latency = self.latency if within is None else self.latency[within]
        return float(np.nanpercentile(latency, share) * 1000) if len(latency) else float("nan")


def drive(
    processes: Processes,
    port: int,
    requests: Sequence[str],
    order: NDArray[np.integer],
    *,
    rate: float,
    connections: int = 64,
    mark: str = "",
    name: str = "load",
    meanwhile: Callable[[float], None] = lambda _: None,
) -> Steady:
    """Send `requests[order]` at `rate`/s (0: as fast as `connections` allow); `mark`: whether the answer holds it.

    `meanwhile` is called every quarter of a second with the seconds since the start. Raises Failed when the load
    generator fails.
    """
    folder = processes.scratch / f"{name}-load"
    folder.mkdir(exist_ok=True)
    for file, said in (
        ("load.json", {"host": "127.0.0.1", "port": port, "rate": rate, "connections": connections, "mark": mark}),
        ("requests.json", list(requests)),
    ):
        (folder / file).write_text(json.dumps(said))
    np.save(folder / "order.npy", order)
    child = processes.start(name, [sys.executable, "-m", "apps.recommend.benchmarks.serving.paced", str(folder)])
    total = round(len(order) / rate) if rate else 0
    started = time.monotonic()
    try:
        while child.process.poll() is None:
            time.sleep(_POLL)
            passed = time.monotonic() - started
            report("load", min(round(passed), total), total)
            meanwhile(passed)
        if child.process.returncode:
            raise Failed(f"The load generator failed:\n{child.last_lines()}")
    finally:
        processes.stop(child)
    with np.load(folder / "figures.npz") as said:
        return Steady(float(said["began"]), *(said[part] for part in ("due", "late", "latency", "status", "marked")))
