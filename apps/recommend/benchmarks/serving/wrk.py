"""Load by wrk: as many requests as the server can answer, each connection waiting for its answer."""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from apps.recommend.benchmarks.serving.processes import Failed, program

_SCRIPT = """
local requests, place, size = {}, 0, 0
function init(arguments)
    for path in io.lines(arguments[1]) do
        size = size + 1
        requests[size] = wrk.format("GET", path)
    end
    math.randomseed(tonumber(arguments[2]))
    place = tonumber(arguments[2]) % size
end
function request()
    place = place % size + 1
    return requests[place]
end
function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        'FIGURES {"requests": %d, "microseconds": %d, "bytes": %d, "refused": %d, "dropped": %d, "timed_out": %d, ' ..
        '"p50_ms": %.3f, "p90_ms": %.3f, "p99_ms": %.3f, "max_ms": %.3f}\\n',
        summary.requests, summary.duration, summary.bytes, errors.status, errors.connect + errors.read + errors.write,
        errors.timeout, latency:percentile(50) / 1000, latency:percentile(90) / 1000, latency:percentile(99) / 1000,
        latency.max / 1000))
end
"""


@dataclass(frozen=True)
class Load:
    """What came of it. Latencies are those of a closed loop: nobody asks while the server is busy with them."""

    requests: int
    seconds: float
    bytes: int
    refused: int  # answered with a status of 400 or more
    dropped: int  # connections that failed
    timed_out: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def errors(self) -> int:
        return self.refused + self.dropped + self.timed_out


def available() -> str:
    """Where wrk is. Raises FileNotFoundError saying how to install it."""
    return program("wrk", "wrk")


def drive(
    host: str, paths: Sequence[str], *, key: str, seconds: float, connections: int, start: int = 0, timeout: float = 10
) -> Load:
    """Ask for `paths` in turn, from the one at `start`, over and over."""
    with tempfile.TemporaryDirectory() as folder:
        script, list_of = Path(folder) / "load.lua", Path(folder) / "paths"
        script.write_text(_SCRIPT)
        list_of.write_text("\n".join(paths) + "\n")
        # One thread: it makes several times the requests that these servers answer, and takes the paths in order.
        command = [available(), "--threads", "1", "--connections", str(connections)]
        command += ["--duration", f"{max(1, round(seconds))}s", "--timeout", f"{timeout:g}s", "--script", str(script)]
        command += ["--header", f"Authorization: Bearer {key}", f"http://{host}", "--", str(list_of), str(start)]
        # stdin closed and a group of the caller's: Ctrl-C reaches it.
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    figures = next((line for line in done.stdout.splitlines() if line.startswith("FIGURES ")), None)
    if done.returncode != 0 or figures is None:
        raise Failed(f"wrk failed: {done.stderr or done.stdout}")
    said = json.loads(figures.removeprefix("FIGURES "))
    return Load(seconds=said.pop("microseconds") / 1e6, **said)
