"""Scenario `replay`: shoppers browse, and what each cache layer could answer of what they asked.

Shoppers are drawn with Zipf-distributed activity, pages with Zipf-distributed popularity. A page view is a taste
event with a given probability, told before the slates of that page are asked for; of the pages, HOME are the home page
(the shopper's own slate), the others are item pages (goes with the item, personalised for the shopper).
"""

from typing import Any

import numpy as np

from apps.recommend.benchmarks.serving import cache_counts, steady
from apps.recommend.benchmarks.serving.figures import Figure
from apps.recommend.benchmarks.serving.shop import Shop

HOME = 0.25  # of the pages
TOLD = 0.5  # taste events for each request
SHOPPERS_EXPONENT = 0.8
PAGES_EXPONENT = 1.0
REQUESTS = 60_000  # where the rounds take eight seconds or more; fewer where they are shorter
_CONNECTIONS = 16


def measure(shop: Shop) -> tuple[list[Figure], dict[str, Any]]:
    """Hit rates by layer over the second half: the first fills the caches."""
    count = round(REQUESTS * min(shop.plan.seconds / 8, 1))
    requests, order = _story(shop, count)
    half = len(order) // 2
    server = shop.server
    layers: cache_counts.Counts = {}
    errors = 0
    with shop.only(server):
        for part in (order[:half], order[half:]):
            before = server.metrics()
            said = steady.drive(shop.processes, server.port, requests, part, rate=0, connections=_CONNECTIONS)
            layers = cache_counts.by_layer(cache_counts.difference(before, server.metrics()))
            errors += said.errors
    server.forget_log()
    told = f"{TOLD:g} taste events a request, Zipf {PAGES_EXPONENT:g} over {shop.items:,} items"
    if cache_counts.SHARED not in layers:
        shop.faults.append(f"replay: /metrics shows no layer {cache_counts.SHARED!r}")
    figures = [
        Figure(
            "replay",
            f"hits, layer {name}",
            cache_counts.hit_rate(results),
            least=0.9 if name == cache_counts.SHARED else None,
            note=told,
        )
        for name, results in sorted(layers.items())
    ]
    figures.append(Figure("replay", "failed requests", errors, most=0, note=f"of {len(order):,}"))
    return figures, {"layers": layers}


def _story(shop: Shop, count: int) -> tuple[list[str], Any]:
    """Whole requests and their order: before some of the pages, that they were looked at."""
    rng = np.random.default_rng(6)
    shoppers = _zipf_draws(shop.plan.active_users, SHOPPERS_EXPONENT, count, rng)
    items = shop.popular[_zipf_draws(shop.items, PAGES_EXPONENT, count, rng)]
    home = rng.uniform(size=count) < HOME
    told = rng.uniform(size=count) < TOLD
    asking = shop.asking
    requests: dict[str, int] = {}
    order = []
    for shopper, item, at_home, tells in zip(*(part.tolist() for part in (shoppers, items, home, told)), strict=True):
        page = asking.home(shopper) if at_home else asking.item_page(item, shopper)
        texts = [asking.view(shopper, item)] if tells else []
        order += [requests.setdefault(text, len(requests)) for text in (*texts, asking.get(page))]
    return list(requests), np.array(order)


def _zipf_draws(size: int, exponent: float, count: int, rng: np.random.Generator) -> Any:
    weights = np.cumsum(np.arange(1, size + 1, dtype=np.float64) ** -exponent)
    return np.searchsorted(weights, rng.uniform(0, weights[-1], count), side="right").clip(max=size - 1)
