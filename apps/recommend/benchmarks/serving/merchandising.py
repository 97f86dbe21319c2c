"""What merchandisers ask of the benchmark's home page: five rules with a filter each, at most three of a brand."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from apps.recommend.benchmarks.serving.world import World
from apps.recommend.models import Placement, Rule

MOST_OF_A_BRAND = 3
_BELOW, _COLOURS, _NOT_OF_BRAND = 60, ("red", "blue", "green", "black", "white"), 3
_QUOTED = ", ".join(f'"{colour}"' for colour in _COLOURS)
# What each request asks for on top of the rules.
FILTER = f'price < {_BELOW} and attributes.colour in ({_QUOTED}) and not brand = "Brand {_NOT_OF_BRAND}"'
_RULES: tuple[tuple[str, str, dict[str, float]], ...] = (
    ("boost", 'brand in ("Brand 1", "Brand 4", "Brand 7", "Brand 11")', {"strength": 1.5}),
    ("boost", "age_days < 90 and attributes.margin >= 0.3", {"strength": 1.2}),
    ("bury", 'price > 40 and attributes.colour = "white"', {"strength": 2.0}),
    ("hide", 'attributes.season = "past"', {}),
    ("promote_share", 'tag = "sale"', {"share": 0.2}),
)


def add_rules() -> None:
    """Put them on the home page."""
    home = Placement.objects.get(key="home")
    Placement.objects.filter(pk=home.pk).update(max_per_brand=MOST_OF_A_BRAND)
    for number, (action, filter_text, said) in enumerate(_RULES):
        rule = Rule.objects.create(name=f"rule {number}", action=action, filter=filter_text, priority=number, **said)
        rule.placements.add(home)


@dataclass(frozen=True, eq=False)
class Shelf:
    """What can be seen of an answer without asking the engine: the columns that filter, rules and cap are about."""

    brands: NDArray[np.int32]
    prices: NDArray[np.float64]
    colours: NDArray[np.str_]
    past: NDArray[np.bool_]  # of a season that is over

    @classmethod
    def of(cls, world: World) -> Self:
        return cls(world.brands, world.prices, world.colour_names, world.seasons == "past")

    def breaches(self, rows: Sequence[int]) -> list[str]:
        """In words, what an answer of these items does that it must not; empty: nothing."""
        found = []
        if self.past[list(rows)].any():
            found.append("an item is shown that a rule hides")
        if max(Counter(self.brands[list(rows)].tolist()).values(), default=0) > MOST_OF_A_BRAND:
            found.append(f"more than {MOST_OF_A_BRAND} items of a brand are shown")
        if any(not self._fits(row) for row in rows):
            found.append("an item is shown that the request's filter rules out")
        return found

    def _fits(self, row: int) -> bool:
        return bool(self.prices[row] < _BELOW and self.colours[row] in _COLOURS and self.brands[row] != _NOT_OF_BRAND)
