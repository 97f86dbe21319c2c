"""A shop of any size, made of numbers: items in clusters of taste, and users who want a few of the clusters.

Row r is the item with the database id r + 1 and the shop's id "i<r>"; likewise users, "u<r>".
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from apps.interactions.event_types import BY_NAME
from apps.recommend.engine.products import unit_rows

FACTORS = 64
CONTENT = 384  # numbers a text vector has, as all-MiniLM-L6-v2 makes them
COLOURS = ("red", "blue", "green", "black", "white", "yellow", "brown", "grey")
SEASONS = ("all year", "summer", "winter", "past")
DAY = 86_400
_TYPES = {"view_item": 0.7, "add_to_cart": 0.15, "purchase": 0.1, "like": 0.05}
_BLOCK = 50_000


@dataclass(frozen=True, eq=False)
class World:
    """Columns over items. `order` lists them by cluster, popular ones first: cluster c from `starts[c]` on."""

    clusters: NDArray[np.int32]  # of each item
    groups: NDArray[np.int32]  # of each cluster: the category above it
    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    popularity: NDArray[np.float64]  # sums to 1
    factors: NDArray[np.float32]
    brands: NDArray[np.int32]
    prices: NDArray[np.float64]
    colour_names: NDArray[np.str_]
    seasons: NDArray[np.str_]
    published: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.clusters)

    @classmethod
    def of(cls, items: int, now: int, seed: int = 1) -> Self:
        """A shop with this many items at the time `now`."""
        rng = np.random.default_rng(seed)
        count = max(8, round(items**0.5))
        groups = rng.integers(0, max(3, round(count**0.5)), count).astype(np.int32)
        clusters = rng.choice(count, items, p=_zipf(count, 0.5)).astype(np.int32)
        popularity = _zipf(items, 0.9)[rng.permutation(items)]
        order = np.lexsort((-popularity, clusters))
        starts = np.searchsorted(clusters[order], np.arange(count + 1))
        centres = unit_rows(rng.standard_normal((groups.max() + 1, FACTORS)))[groups]
        centres = unit_rows(0.5 * centres + unit_rows(rng.standard_normal((count, FACTORS))))
        # In a trained model what is wanted more has longer vectors.
        lengths = (popularity * items) ** 0.15
        factors = _around(centres, clusters, 0.7, rng) * lengths[:, None].astype(np.float32)
        brand_count = max(20, round(count / 2))
        brands = (clusters * 7 + rng.choice(8, items, p=_zipf(8, 1.0))) % brand_count
        return cls(
            clusters=clusters,
            groups=groups,
            order=order,
            starts=starts,
            popularity=popularity,
            factors=factors,
            brands=brands.astype(np.int32),
            prices=np.round(np.exp(rng.normal(3.0, 0.9, items)), 2).astype(np.float64),
            colour_names=rng.choice(COLOURS, items),
            seasons=rng.choice(SEASONS, items, p=(0.6, 0.15, 0.15, 0.1)),
            published=now - rng.integers(DAY, 1_000 * DAY, items),
        )

    def content(self, seed: int = 2) -> NDArray[np.float32]:
        """A unit vector of CONTENT numbers an item, near those of its cluster."""
        rng = np.random.default_rng(seed)
        centres = unit_rows(rng.standard_normal((len(self.groups), CONTENT)))
        return _around(centres, self.clusters, 0.9, rng)

    def links(self, width: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """For each item up to `width` others of its cluster, and weights that fall from .8; -1 and 0 where it is small.

        An item's links lead to the next less popular ones of its cluster, from the last one to the first.
        """
        size = np.diff(self.starts)[self.clusters]
        place = np.empty(len(self), dtype=np.int64)
        place[self.order] = np.arange(len(self)) - self.starts[self.clusters[self.order]]
        step = np.arange(1, width + 1)
        target = (place[:, None] + step) % size[:, None] + self.starts[self.clusters][:, None]
        exists = step[None, :] < size[:, None]
        neighbours = np.where(exists, self.order[target], -1).astype(np.int32)
        weights = np.where(exists, 0.8 / np.sqrt(step), 0.0).astype(np.float32)
        return neighbours, weights


@dataclass(frozen=True, eq=False)
class Histories:
    """Taste events as columns, by user; users and items are rows."""

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    types: NDArray[np.int16]
    times: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.users)

    @classmethod
    def of(cls, world: World, users: int, now: int, seed: int = 3) -> Self:
        """Of each of the first `users` users 5 to 40 events of the last 30 days, in one to three clusters."""
        rng = np.random.default_rng(seed)
        tastes = rng.choice(len(world.groups), (users, 3), p=_cluster_sizes(world))
        lengths = np.minimum(4 + rng.geometric(0.1, users), 40)
        user = np.repeat(np.arange(users), lengths)
        which = np.minimum(rng.geometric(0.6, len(user)) - 1, 2)
        codes = np.array([BY_NAME[name].code for name in _TYPES], dtype=np.int16)
        return cls(
            users=user,
            items=popular_items(world, tastes[user, which], rng),
            types=rng.choice(codes, len(user), p=list(_TYPES.values())),
            times=now - rng.integers(60, 30 * DAY, len(user)),
        )


def popular_items(world: World, clusters: NDArray[np.integer], rng: np.random.Generator) -> NDArray[np.int64]:
    """An item out of each of `clusters`, the popular ones more often."""
    heap = np.concatenate([[0.0], np.cumsum(world.popularity[world.order])])
    low, high = heap[world.starts[clusters]], heap[world.starts[clusters + 1]]
    drawn = np.searchsorted(heap, rng.uniform(low, high), side="right") - 1
    inside = np.clip(drawn, world.starts[clusters], world.starts[clusters + 1] - 1)
    return np.asarray(world.order[inside])


def _cluster_sizes(world: World) -> NDArray[np.float64]:
    sizes = np.diff(world.starts).astype(np.float64)
    return sizes / sizes.sum()


def _zipf(size: int, exponent: float) -> NDArray[np.float64]:
    weights = np.arange(1, size + 1, dtype=np.float64) ** -exponent
    return weights / weights.sum()


def _around(
    centres: NDArray[np.float32], clusters: NDArray[np.int32], spread: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """A unit vector near each cluster's centre; in blocks, so that no second copy of everything is made."""
    vectors = np.empty((len(clusters), centres.shape[1]), dtype=np.float32)
    noise = spread / centres.shape[1] ** 0.5
    for start in range(0, len(clusters), _BLOCK):
        part = clusters[start : start + _BLOCK]
        drawn = rng.standard_normal((len(part), centres.shape[1]), dtype=np.float32)
        vectors[start : start + _BLOCK] = unit_rows(centres[part] + noise * drawn)
    return vectors
