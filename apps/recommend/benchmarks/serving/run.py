"""The whole benchmark, top to bottom."""

import os
import platform
import resource
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apps.recommend import provenance
from apps.recommend.benchmarks.serving import crowd, engine_alone, mixed, replay, swapping, throughput, wrk
from apps.recommend.benchmarks.serving.figures import Figure, Outcome, Report
from apps.recommend.benchmarks.serving.plan import Plan
from apps.recommend.benchmarks.serving.processes import Failed
from apps.recommend.benchmarks.serving.shop import Shop, open_shop

Say = Callable[[str], None]

_OPEN_FILES = 16_384


def measure(plan: Plan, say: Say) -> Report:
    """Every chosen scenario for every size of catalog. Raises what stops a run; nothing it started outlives it."""
    wrk.available()
    with _on_cores(plan.cores) as cores, _ended_politely():
        machine: dict[str, Any] = {
            "processor": _processor(),
            "cores": cores,
            "cores of the machine": os.cpu_count(),
            "workers": plan.workers,
            "rounds": plan.rounds,
            "python": platform.python_version(),
            "code": provenance.code_version(),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        outcomes = []
        for items in plan.items:
            with tempfile.TemporaryDirectory(prefix="recsys-benchmark-", dir=plan.folder) as scratch:
                outcomes.append(_one(plan, items, Path(scratch), say, machine))
    options = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(plan).items()}
    return Report(machine, tuple(outcomes), options)


def _one(plan: Plan, items: int, scratch: Path, say: Say, machine: dict[str, Any]) -> Outcome:
    say(f"{items:,} items, {plan.users(items):,} users of whom {plan.active_users:,} have a history")
    figures: list[Figure] = []
    raw: dict[str, Any] = {}
    with open_shop(plan, items, scratch, say) as shop:
        machine |= shop.backends.about
        for names, scenario in _scenarios(say):
            if not {*names} & {*plan.scenarios}:
                continue
            title = " and ".join(names)
            say(f"{title} …")
            try:
                found, details = scenario(shop)
                shop.processes.check()
            except (Failed, OSError) as problem:
                shop.faults.append(f"{title} could not be measured: {problem}")  # what was measured before is kept
                say(f"! {shop.faults[-1]}")
                continue
            figures += found
            raw[title] = details
            for figure in found:
                say(f"  {figure.scenario}: {figure.name} {figure.value:,.3g} {figure.unit} {figure.asked}".rstrip())
        return Outcome(items, plan.users(items), tuple(figures), raw, tuple(dict.fromkeys(shop.faults)))


def _scenarios(
    say: Say,
) -> list[tuple[tuple[str, ...], Callable[[Shop], tuple[list[Figure], dict[str, Any]]]]]:
    return [
        (("cached", "uncached"), lambda shop: throughput.measure(shop, say)),
        (("mixed",), mixed.measure),
        (("connections",), crowd.measure),
        (("swap",), swapping.measure_swap),
        (("memory",), swapping.measure_memory),
        (("replay",), replay.measure),
        (("engine",), engine_alone.measure),
    ]


@contextmanager
def _on_cores(count: int) -> Iterator[int]:
    """This process and what it starts keep to so many cores, where the system can; how many they have."""
    if not hasattr(os, "sched_getaffinity"):
        yield os.cpu_count() or 1
        return
    before = os.sched_getaffinity(0)
    kept = set(sorted(before)[:count])
    os.sched_setaffinity(0, kept)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, _OPEN_FILES), hard), hard))
    try:
        yield len(kept)
    finally:
        os.sched_setaffinity(0, before)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def _ended_politely() -> Iterator[None]:
    """Within the block, SIGTERM clears away as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
