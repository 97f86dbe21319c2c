"""What the caches said of themselves in /metrics, by layer."""

import re
from collections import defaultdict
from collections.abc import Mapping

_COUNTER = re.compile(r"\w*cache\w*_total\{(.*)\}")
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_RESPONSES, _OWN = "recsys_recommendations_total{", 'fallback="none"'

SHARED = "candidates"  # the layer that does not depend on who asks
PERSONAL = "personal"  # the one asked last before candidates are computed

Counts = dict[str, dict[str, float]]


def difference(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """How far each figure has grown."""
    return {name: value - before.get(name, 0.0) for name, value in after.items()}


def by_layer(grown: Mapping[str, float]) -> Counts:
    """For each cache layer how often each result was had: of every counter of a cache with these two labels."""
    counts: Counts = defaultdict(lambda: defaultdict(float))
    for name, value in grown.items():
        found = _COUNTER.fullmatch(name)
        labels = dict(_LABEL.findall(found[1])) if found else {}
        if {"layer", "result"} <= labels.keys() and value:
            counts[labels["layer"]][labels["result"]] += value
    return {layer: dict(results) for layer, results in counts.items()}


def hits(results: Mapping[str, float]) -> float:
    """Look-ups that were answered from the cache, fresh or stale."""
    return sum(count for result, count in results.items() if result != "miss")


def hit_rate(results: Mapping[str, float]) -> float:
    """Between 0 and 1; NaN without a look-up."""
    total = sum(results.values())
    return hits(results) / total if total else float("nan")


def computed(layers: Counts, given: float) -> float:
    """The share of the answers whose candidates had to be computed for the one who asked."""
    return layers.get(PERSONAL, {}).get("miss", 0.0) / given if given else float("nan")


def answers(grown: Mapping[str, float]) -> float:
    """How many answers were given, those that the load generator did not wait for included."""
    return sum(value for name, value in grown.items() if name.startswith(_RESPONSES))


def fallbacks(grown: Mapping[str, float]) -> float:
    """How many answers a fallback had to help with."""
    return sum(value for name, value in grown.items() if name.startswith(_RESPONSES) and _OWN not in name)
