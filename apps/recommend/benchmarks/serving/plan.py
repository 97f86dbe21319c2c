"""What a run of the benchmark is told, and how large everything in it becomes."""

from dataclasses import dataclass
from pathlib import Path

SCENARIOS = {
    "cached": "the same slates asked again",
    "uncached": "each request of a shopper whose taste has just changed",
    "mixed": "a constant rate, four of five cached, latency from when a request was due",
    "connections": "1,000 connections at once",
    "swap": "new model versions activated under load",
    "memory": "what the workers hold, at rest and while models are swapped",
    "replay": "Zipf-distributed shoppers who browse: hit rates by cache layer",
    "engine": "one uncached request inside the process, without HTTP",
}
MIXED_RATE = 1_000  # requests/s
CACHED_SHARE = 0.8  # of the mixed load
HOT_USERS = 200  # whose slates the cached requests ask for
FASTEST = 6_000  # uncached requests/s that the users suffice for


@dataclass(frozen=True)
class Plan:
    """One run. `quick`: everything as small as it can be, only to see that it works."""

    scenarios: tuple[str, ...]
    items: tuple[int, ...]
    rounds: int
    seconds: float
    mixed_seconds: float
    workers: int
    cores: int
    quick: bool
    folder: Path | None  # of the scratch files; None: the system's

    @property
    def rate(self) -> int:
        """Requests/s of the constant load."""
        return 100 if self.quick else MIXED_RATE

    @property
    def connections(self) -> int:
        """How many at once in the scenario of that name."""
        return 50 if self.quick else 1_000

    @property
    def hot_users(self) -> int:
        return 20 if self.quick else HOT_USERS

    def users(self, items: int) -> int:
        """Known users of a catalog of this size: two an item, and as many as the loads need."""
        return max(2 * items, self.active_users)

    @property
    def active_users(self) -> int:
        """Users who have a history: enough for every uncached request of a round to be somebody else's."""
        if self.quick:
            return 2_000
        mixed = self.mixed_seconds * self.rate * (1 - CACHED_SHARE) if "mixed" in self.scenarios else 0
        return int(max(self.seconds * FASTEST, 1.2 * mixed, 20_000)) + self.hot_users


def plan_of(
    *,
    scenarios: str,
    items: str,
    rounds: int | None,
    seconds: float | None,
    mixed_seconds: float | None,
    workers: int,
    cores: int,
    quick: bool,
    folder: Path | None,
) -> Plan:
    """The plan that the command's options describe. Raises ValueError naming the option that is wrong."""
    chosen = tuple(dict.fromkeys(name.strip() for name in scenarios.split(",") if name.strip()))
    if unknown := [name for name in chosen if name not in SCENARIOS]:
        raise ValueError(f"--scenario: there is no {unknown[0]!r}. Known: {', '.join(SCENARIOS)}.")
    try:
        sizes = tuple(int(part.replace("_", "")) for part in items.split(","))
    except ValueError:
        raise ValueError(f"--items: {items!r} is not a number, nor several separated by commas.") from None
    if min(sizes) < 100:
        raise ValueError(f"--items: at least 100, not {min(sizes)}.")
    plan = Plan(
        scenarios=chosen or tuple(SCENARIOS),
        items=sizes,
        rounds=rounds or (1 if quick else 5),
        seconds=seconds or (1.0 if quick else 8.0),
        mixed_seconds=mixed_seconds or (3.0 if quick else 600.0),
        workers=workers,
        cores=cores,
        quick=quick,
        folder=folder,
    )
    for name, value in (("rounds", plan.rounds), ("seconds", plan.seconds), ("workers", workers), ("cores", cores)):
        if value <= 0:
            raise ValueError(f"--{name}: more than 0, not {value}.")
    return plan
