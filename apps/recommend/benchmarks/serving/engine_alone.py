"""Scenario `engine`, as seen by the run: a process of its own measures while the servers stand still."""

import json
from typing import Any

from apps.recommend.benchmarks.serving.figures import Figure
from apps.recommend.benchmarks.serving.shop import Shop

ASKED_MS = {50_000: 0.4, 1_000_000: 1.5}


def measure(shop: Shop) -> tuple[list[Figure], dict[str, Any]]:
    """Percentiles of the engine's time and the recall of its indexes."""
    out = shop.processes.scratch / "engine.json"
    shop.server.pause()
    try:
        shop.finish(shop.start("engine", {"shop": str(shop.processes.scratch / "shop.npz"), "out": str(out)}))
    finally:
        shop.server.resume()
    said = json.loads(out.read_text())
    computing = f"{said['processor_p50_ms']:.3g} ms of processor time"
    return [
        Figure("engine", "p50 of a request", said["p50_ms"], "ms", most=ASKED_MS.get(shop.items), note=computing),
        Figure("engine", "p90 of a request", said["p90_ms"], "ms"),
        Figure("engine", "p99 of a request", said["p99_ms"], "ms"),
        Figure("engine", "recall@50 of exact", said["recall"], least=0.95, note="of the worst index"),
    ], said
