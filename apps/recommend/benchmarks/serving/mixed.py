"""Scenario `mixed`: a constant rate, 80 % of it cached; latencies from when each request was due."""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.recommend.benchmarks.serving import steady
from apps.recommend.benchmarks.serving.figures import Figure
from apps.recommend.benchmarks.serving.plan import CACHED_SHARE
from apps.recommend.benchmarks.serving.shop import Shop
from apps.recommend.benchmarks.serving.steady import Steady


def measure(shop: Shop) -> tuple[list[Figure], dict[str, Any]]:
    """The percentiles over the whole time, and those of each tenth of it."""
    rate = shop.plan.rate
    requests, order = mix(shop, round(shop.plan.mixed_seconds * rate))
    with shop.only(shop.server):
        said = steady.drive(shop.processes, shop.server.port, requests, order, rate=rate)
    shop.server.forget_log()
    figures = [
        Figure("mixed", f"p{share} at {rate:,}/s", said.percentile_ms(share), "ms", most=most)
        for share, most in ((50, 3.0), (90, 7.0), (99, 20.0))
    ]
    figures.append(Figure("mixed", "longest", said.percentile_ms(100), "ms"))
    note = f"of {len(order):,} in {shop.plan.mixed_seconds:,.0f} s"
    figures.append(Figure("mixed", "failed requests", said.errors, most=0, note=note))
    late = float(np.percentile(said.late, 99) * 1000)
    figures.append(Figure("mixed", "p99 sent late (included above)", late, "ms", note="no connection free, or no time"))
    return figures, {"tenths": _tenths(said)}


def mix(shop: Shop, count: int, cached: float = CACHED_SHARE) -> tuple[list[str], NDArray[np.int64]]:
    """Whole requests, and in which order: this share of them of hot users, the others each of another shopper."""
    shop.warm()
    rng = np.random.default_rng(5)
    hot = [shop.asking.get(path) for path in shop.hot_paths()]
    is_hot = rng.uniform(size=count) < cached
    fresh = [shop.asking.get(shop.asking.home(user)) for user in shop.renewed(int(np.count_nonzero(~is_hot)))]
    order = rng.integers(0, len(hot), count)
    order[~is_hot] = len(hot) + np.arange(np.count_nonzero(~is_hot)) % max(len(fresh), 1)
    return hot + fresh, order


def _tenths(said: Steady) -> list[dict[str, float]]:
    edges = np.linspace(0, said.due[-1], 11)
    return [
        {f"p{share}_ms": said.percentile_ms(share, (said.due >= low) & (said.due <= high)) for share in (50, 90, 99)}
        for low, high in pairwise(edges.tolist())
    ]
