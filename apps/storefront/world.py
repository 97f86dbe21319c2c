"""A shop whose right answers are known: products, shoppers with planted tastes, and what they did.

Pure NumPy and the standard library, and a function of its size, its seed and the time it is seen from: the same
arguments always give the same world.
"""

from dataclasses import dataclass

import numpy as np

from apps.storefront.assortment import assortment
from apps.storefront.products import Products, products_plant
from apps.storefront.shoppers import FIRST_SHOPPER, Truth, Visits, truth_plant, visits_plant


@dataclass(frozen=True)
class WorldSize:
    """How much to plant, and from which seed."""

    items: int = 2_000
    shoppers: int = 5_000
    events: int = 200_000
    seed: int = 7


@dataclass(frozen=True, eq=False)
class World:
    """Products, shoppers and their visits. `truth` says what each shopper was made to like."""

    size: WorldSize
    now: int
    products: Products
    truth: Truth
    visits: Visits

    @property
    def shopper_ids(self) -> list[str]:
        """External id of each shopper, by row."""
        return [str(FIRST_SHOPPER + row) for row in range(self.size.shoppers)]

    def taste_in_words(self, shopper: int) -> str:
        """The shopper's planted taste, e.g. "mugs and teapots, Botanical"."""
        shop = assortment()
        kinds = [shop.kinds[i].name.lower() for i in np.argsort(-self.truth.kinds[shopper], kind="stable")]
        styles = [shop.styles[i].name for i in np.argsort(-self.truth.styles[shopper], kind="stable")]
        liked_kinds = kinds[: int((self.truth.kinds[shopper] > 0).sum())]
        liked_styles = styles[: int((self.truth.styles[shopper] > 0).sum())]
        return f"{_and(liked_kinds)}, {_and(liked_styles)}"


def world_plant(size: WorldSize, *, now: int) -> World:
    """Plant a world as it looks at `now` (seconds since 1970). About a second for the default size."""
    catalog, people, visits = np.random.default_rng(size.seed).spawn(3)
    products = products_plant(size.items, now=now, rng=catalog)
    truth = truth_plant(size.shoppers, rng=people)
    return World(
        size=size,
        now=now,
        products=products,
        truth=truth,
        visits=visits_plant(size.events, truth=truth, products=products, now=now, rng=visits),
    )


def _and(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
