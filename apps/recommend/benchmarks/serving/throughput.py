"""Scenarios `cached` and `uncached`: requests/s in a closed loop, in rounds interleaved with the baselines'.

What matters is the ratio to a baseline in the same round: the machine's mood is the same for both.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from apps.recommend.benchmarks.serving import cache_counts, wrk
from apps.recommend.benchmarks.serving.figures import Figure
from apps.recommend.benchmarks.serving.servers import Server
from apps.recommend.benchmarks.serving.shop import Shop
from apps.recommend.benchmarks.serving.wrk import Load
from apps.recommend.engine.progress import report

CONNECTIONS = 16  # enough to keep all workers' threads busy
REFERENCE_ITEMS = 50_000  # the catalog that the figures were asked for
_ROOM = 2.5  # users for a round, times those it is expected to take
_IMPURE = 0.01  # of the answers of a round may come from the wrong place
_WARM_UP = 2.0  # seconds

LABELS = {
    "bytes": "bare Django view, same bytes",
    "drf": "bare DRF view, same body",
    "implicit": "DRF with a key, implicit, ORM",
    "cached": "ours, cached",
    "uncached": "ours, uncached",
}


@dataclass
class Rounds:
    """The loads of every round, by what was asked."""

    loads: dict[str, list[Load]] = field(default_factory=dict)
    caches: dict[str, list[cache_counts.Counts]] = field(default_factory=dict)
    processor: dict[str, list[float]] = field(default_factory=dict)  # seconds of the workers' for a request
    answers: dict[str, list[float]] = field(default_factory=dict)  # as /metrics counts them
    fallbacks: dict[str, float] = field(default_factory=dict)  # answers that one had to help out with

    def per_second(self, name: str) -> float:
        return statistics.median(load.per_second for load in self.loads[name])

    def processor_ratio(self, name: str, baseline: str) -> float:
        """As `ratio`, of requests for a second of processor time."""
        pairs = zip(self.processor[baseline], self.processor[name], strict=True)
        return statistics.median(other / own for other, own in pairs)

    def ratio(self, name: str, baseline: str) -> float:
        """The median of the rounds' ratios."""
        pairs = zip(self.loads[name], self.loads[baseline], strict=True)
        return statistics.median(load.per_second / other.per_second for load, other in pairs)


def measure(shop: Shop, say: Callable[[str], None]) -> tuple[list[Figure], dict[str, Any]]:
    """The figures of the chosen ones of the two scenarios, and every round's loads."""
    chosen = [name for name in ("cached", "uncached") if name in shop.plan.scenarios]
    ours, baselines = shop.server, shop.start_baselines()
    seconds = shop.plan.seconds
    rounds = Rounds()
    names = ["bytes", "drf", *(["implicit"] if "uncached" in chosen else []), *chosen]
    expected = _warm_up(shop, names)
    for number in range(shop.plan.rounds):
        for place, name in enumerate(names):
            report(f"round {number + 1}: {LABELS[name]}", number * len(names) + place, shop.plan.rounds * len(names))
            load = _load(shop, ours if name in chosen else baselines, name, seconds, expected.get(name, 0.0), rounds)
            expected[name] = load.per_second
            rounds.loads.setdefault(name, []).append(load)
        told = ", ".join(f"{name} {rounds.loads[name][-1].per_second:,.0f}/s" for name in names)
        say(f"round {number + 1} of {shop.plan.rounds}: {told}")
    shop.faults += _faults(rounds)
    raw: dict[str, Any] = {"loads": {name: [asdict(load) for load in loads] for name, loads in rounds.loads.items()}}
    raw |= {"caches": rounds.caches, "processor_seconds_for_a_request": rounds.processor}
    return _figures(rounds, chosen, shop.items), raw


def _warm_up(shop: Shop, names: Sequence[str]) -> dict[str, float]:
    """A short load of each, uncounted; how many requests/s to expect."""
    expected = {}
    shop.warm()
    for name in names:
        report(f"warming up: {LABELS[name]}", 0, 1)
        server = shop.server if name in {"cached", "uncached"} else shop.start_baselines()
        load = _load(shop, server, name, min(_WARM_UP, shop.plan.seconds), 1_000.0, None)
        expected[name] = load.per_second
    return expected


def _load(shop: Shop, server: Server, name: str, seconds: float, expected: float, rounds: Rounds | None) -> Load:
    """One round of one of LABELS; what the caches said is kept with the round."""
    paths = _paths(shop, name, round(seconds * expected * _ROOM) + CONNECTIONS)
    ours = name in {"cached", "uncached"}
    with shop.only(server):
        before, used = server.metrics() if ours else {}, server.processor_seconds()
        load = wrk.drive(server.host, paths, key=server.key, seconds=seconds, connections=CONNECTIONS)
        used = server.processor_seconds() - used
        grown = cache_counts.difference(before, server.metrics()) if ours else {}
    server.forget_log()
    if rounds is not None:
        rounds.processor.setdefault(name, []).append(used / load.requests)
    if rounds is not None and ours:
        rounds.answers.setdefault(name, []).append(cache_counts.answers(grown))
        rounds.caches.setdefault(name, []).append(cache_counts.by_layer(grown))
        rounds.fallbacks[name] = rounds.fallbacks.get(name, 0.0) + cache_counts.fallbacks(grown)
        if name == "uncached" and load.requests > len(paths):
            shop.faults.append(f"uncached: {load.requests:,} requests, only {len(paths):,} users to ask for")
    return load


def _paths(shop: Shop, name: str, count: int) -> list[str]:
    if name == "cached":
        return shop.hot_paths()
    if name == "uncached":
        return [shop.asking.home(user) for user in shop.renewed(count)]
    return [f"/{name}/{user}" for user in range(min(count, shop.fresh_users))]


def _faults(rounds: Rounds) -> list[str]:
    found = []
    for name, loads in rounds.loads.items():
        if errors := sum(load.errors for load in loads):
            found.append(f"{name}: {errors:,} of {sum(load.requests for load in loads):,} requests failed")
    for name, wanted in (("cached", 0.0), ("uncached", 1.0)):
        for number, layers in enumerate(rounds.caches.get(name, ()), 1):
            share = cache_counts.computed(layers, rounds.answers[name][number - 1])
            if abs(share - wanted) > _IMPURE:
                found.append(f"{name}, round {number}: {share:.1%} of the answers were computed, not {wanted:.0%}")
    return found


def _figures(rounds: Rounds, chosen: Sequence[str], items: int) -> list[Figure]:
    figures = [
        Figure("baseline", LABELS[name], rounds.per_second(name), "/s")
        for name in ("bytes", "drf", "implicit")
        if name in rounds.loads
    ]
    asked: dict[tuple[str, str], tuple[float, float]] = {("cached", "drf"): (0.8, 1.0)}
    if items == REFERENCE_ITEMS:
        asked |= {("uncached", "drf"): (0.25, 0.30), ("uncached", "implicit"): (2.0, 3.0)}
    for name in chosen:
        loads = rounds.loads[name]
        spread = f"rounds {min(one.per_second for one in loads):,.0f} to {max(one.per_second for one in loads):,.0f}"
        figures.append(Figure(name, "requests/s", rounds.per_second(name), "/s", note=spread))
        for baseline in ("drf", "implicit", "bytes"):
            if baseline not in rounds.loads or (name == "cached" and baseline == "implicit"):
                continue
            least, aim = asked.get((name, baseline), (None, None))
            note = f"by processor time alone: {rounds.processor_ratio(name, baseline):.3g} ×"
            ratio = rounds.ratio(name, baseline)
            figures.append(Figure(name, f"times the {LABELS[baseline]}", ratio, "×", least=least, aim=aim, note=note))
        requests = sum(one.requests for one in loads)
        figures.append(
            Figure(name, "failed requests", sum(one.errors for one in loads), most=0, note=f"of {requests:,}")
        )
        helped = rounds.fallbacks.get(name, 0.0) / requests
        figures.append(Figure(name, "answers a fallback helped with", helped, note="share"))
    return figures
