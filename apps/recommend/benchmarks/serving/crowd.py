"""Scenario `connections`: many at once. In a closed loop each waits for its turn; how long is arithmetic."""

import re
from dataclasses import asdict
from typing import Any

from apps.recommend.benchmarks.serving import cache_counts, mixed, wrk
from apps.recommend.benchmarks.serving.figures import Figure
from apps.recommend.benchmarks.serving.shop import Shop

DEADLINE_SECONDS = 0.1  # one answer's, as the settings have it by default
_WAIT_SECONDS = 30
_OVER = re.compile(r'recsys_recommendation_seconds_bucket\{.*le="([^"]+)".*\}')


def measure(shop: Shop) -> tuple[list[Figure], dict[str, Any]]:
    """How many were served and dropped, how long they waited, and how many answers took longer than the deadline."""
    connections = shop.plan.connections
    requests, order = mixed.mix(shop, min(20_000, 5 * shop.fresh_users))
    paths = [requests[one].split(" ", 2)[1] for one in order.tolist()]
    server = shop.server
    with shop.only(server):
        before = server.metrics()
        load = wrk.drive(
            server.host,
            paths,
            key=server.key,
            seconds=shop.plan.seconds,
            connections=connections,
            timeout=_WAIT_SECONDS,
        )
        grown = cache_counts.difference(before, server.metrics())
    server.forget_log()
    queueing = 1000 * connections / load.per_second
    over = _over_deadline(grown)
    return [
        Figure("connections", f"requests/s at {connections:,}", load.per_second, "/s"),
        Figure("connections", "dropped, refused, timed out", load.errors, most=0, note=f"of {load.requests:,}"),
        Figure("connections", "answers that took over 100 ms", over, most=0, note="queueing not counted"),
        Figure("connections", "p50 with queueing", load.p50_ms, "ms", note=f"connections / rate: {queueing:,.0f} ms"),
        Figure("connections", "p99 with queueing", load.p99_ms, "ms"),
        Figure("connections", "longest with queueing", load.max_ms, "ms"),
    ], asdict(load)


def _over_deadline(grown: dict[str, float]) -> float:
    """Answers whose making took longer than the deadline, by the histogram's bucket."""
    within = everything = 0.0
    for name, count in grown.items():
        found = _OVER.fullmatch(name)
        if found and found[1] == "+Inf":
            everything += count
        elif found and float(found[1]) == DEADLINE_SECONDS:
            within += count
    return everything - within if everything else float("nan")
