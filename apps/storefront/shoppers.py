"""The planted shoppers: what each one likes, and 90 days of visits that follow from it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.storefront.assortment import assortment
from apps.storefront.products import DAY, Products

FIRST_SHOPPER = 12345
"""External id of the first shopper, whose taste is always botanical tea things."""
HISTORY_DAYS = 90
ON_TASTE = 0.86
"""Share of looks that follow the shopper's taste; the rest is chance."""
EVENT_TYPES = ("view_item", "select_item", "add_to_cart", "purchase", "like", "rate")
VIEW, CLICK, CART, PURCHASE, LIKE, RATE = range(len(EVENT_TYPES))


@dataclass(frozen=True, eq=False)
class Truth:
    """The right answer: each shopper's liking of kinds and styles, rows summing to 1; 0 is "not planted"."""

    kinds: NDArray[np.float32]  # shoppers x kinds
    styles: NDArray[np.float32]  # shoppers x styles

    def likes(self, shoppers: NDArray[np.integer], kinds: NDArray[np.integer]) -> NDArray[np.bool_]:
        """For each pair: is the kind one of the shopper's planted ones?"""
        return np.asarray(self.kinds[shoppers, kinds] > 0)


@dataclass(frozen=True, eq=False)
class Visits:
    """Events as columns, oldest first. `types` index EVENT_TYPES; `values` are ratings, NaN elsewhere."""

    shoppers: NDArray[np.int32]
    items: NDArray[np.int32]
    types: NDArray[np.int16]
    times: NDArray[np.int64]
    sessions: NDArray[np.int64]
    values: NDArray[np.float32]
    quantities: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.times)


def truth_plant(count: int, *, rng: np.random.Generator) -> Truth:
    """One to three kinds and one or two styles for each shopper, the first one liked most."""
    shop = assortment()
    kinds = _draw_liking(count, len(shop.kinds), np.array([0.55, 0.3, 0.15]), rng)
    styles = _draw_liking(count, len(shop.styles), np.array([0.7, 0.3]), rng)
    kinds[0] = styles[0] = 0
    kinds[0, [k.key for k in shop.kinds].index("mugs")] = 0.55
    kinds[0, [k.key for k in shop.kinds].index("teapots")] = 0.45
    styles[0, [s.key for s in shop.styles].index("botanical")] = 1.0
    return Truth(kinds, styles)


def _draw_liking(
    count: int, choices: int, weights: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Rows with 1 … len(weights) liked columns, weighted in that order and summing to 1."""
    ranked = np.argsort(rng.random((count, choices)), axis=1)[:, : len(weights)]
    kept = np.arange(len(weights))[None, :] < rng.integers(1, len(weights) + 1, count)[:, None]
    chosen = np.where(kept, weights, 0.0)
    liking = np.zeros((count, choices), dtype=np.float32)
    np.put_along_axis(liking, ranked, (chosen / chosen.sum(axis=1, keepdims=True)).astype(np.float32), axis=1)
    return liking


def visits_plant(count: int, *, truth: Truth, products: Products, now: int, rng: np.random.Generator) -> Visits:
    """`count` events (fewer only where the products are too young for more). O(count), all in columns."""
    draw = _ItemDraw(products)
    n_shoppers = len(truth.kinds)
    loud = rng.gamma(0.7, 1.0, n_shoppers) + 0.05
    session_count = max(count // 4, n_shoppers) + 16
    who = np.concatenate(
        [
            np.zeros(14, dtype=np.int64),  # shopper 12345 is a regular
            np.arange(n_shoppers),
            rng.choice(n_shoppers, max(session_count - n_shoppers, 0), p=loud / loud.sum()),
        ]
    )
    starts = _session_starts(len(who), now, rng)
    starts[:14] = now - (np.arange(14) * 6.2 * DAY + 5_400).astype(np.int64)
    lengths = np.minimum(rng.geometric(0.24, len(who)) + 1, 18)
    lengths[:14] = np.maximum(lengths[:14], 5)

    session = np.repeat(np.arange(len(who)), lengths)
    step = np.arange(len(session)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    mission_kind, mission_style = _pick(truth.kinds[who], rng), _pick(truth.styles[who], rng)
    on_taste = rng.random(len(session)) < ON_TASTE
    item = np.where(
        on_taste, draw.within(mission_kind[session], mission_style[session], rng), draw.anywhere(len(session), rng)
    )
    time = starts[session] + step * 50 + rng.integers(0, 40, len(session))

    parts = [_events(session, item, time, VIEW)]
    clicked = rng.random(len(session)) < 0.3
    parts.append(_events(session[clicked], item[clicked], time[clicked] - 2, CLICK))
    liked = rng.random(len(session)) < np.where(on_taste, 0.03, 0.004)
    parts.append(_events(session[liked], item[liked], time[liked] + 15, LIKE))
    carted = rng.random(len(session)) < np.where(on_taste, 0.17, 0.05)
    parts.append(_events(session[carted], item[carted], time[carted] + 25, CART))
    bought = carted & (rng.random(len(session)) < 0.6)
    paid_at = starts[session] + (lengths[session] + 2) * 50 + 120
    parts.append(_events(session[bought], item[bought], paid_at[bought], PURCHASE))

    along = bought & (rng.random(len(session)) < 0.55) & (products.partners[item] >= 0)
    with_it = products.partners[item[along]]
    other = draw.within(products.kinds[with_it], products.styles[with_it], rng)
    with_it = np.where(rng.random(len(with_it)) < 0.6, with_it, other)
    for kind_of_event, when in ((VIEW, -90), (CART, -60), (PURCHASE, 0)):
        parts.append(_events(session[along], with_it, paid_at[along] + when, kind_of_event))

    rated = bought & (rng.random(len(session)) < 0.2)
    stars = np.where(on_taste[rated], rng.integers(4, 6, int(rated.sum())), rng.integers(1, 6, int(rated.sum())))
    later = paid_at[rated] + rng.integers(2 * DAY, 9 * DAY, int(rated.sum()))
    parts.append(_events(session[rated], item[rated], later, RATE, stars))
    return _first_sessions(parts, count, who, products, now, rng)


def _events(
    session: NDArray[np.int64],
    item: NDArray[np.integer],
    time: NDArray[np.int64],
    event_type: int,
    value: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int64], ...]:
    value_or_none = np.full(len(session), -1, dtype=np.int64) if value is None else value
    return session, item.astype(np.int64), time, np.full(len(session), event_type, dtype=np.int64), value_or_none


def _first_sessions(
    parts: list[tuple[NDArray[np.int64], ...]],
    count: int,
    who: NDArray[np.int64],
    products: Products,
    now: int,
    rng: np.random.Generator,
) -> Visits:
    """Drop what cannot have happened, keep the first sessions' `count` events, and order them by time."""
    session, item, time, kind, value = (np.concatenate(column) for column in zip(*parts, strict=True))
    possible = (time <= now) & (time >= products.published[item])
    order = np.flatnonzero(possible)
    order = order[np.argsort(session[order], kind="stable")][:count]
    order = order[np.lexsort((kind[order], session[order], time[order]))]
    session, item, time, kind, value = (column[order] for column in (session, item, time, kind, value))
    return Visits(
        shoppers=who[session].astype(np.int32),
        items=item.astype(np.int32),
        types=kind.astype(np.int16),
        times=time,
        sessions=session,
        values=np.where(value < 0, np.nan, value).astype(np.float32),
        quantities=np.where(kind == PURCHASE, 1 + (rng.random(len(kind)) < 0.15), 1).astype(np.int16),
    )


def _session_starts(count: int, now: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Moments over the last 90 days, more of them lately and in the evening, none in the future."""
    day = (rng.random(count) ** 1.2 * HISTORY_DAYS).astype(np.int64)
    hours = np.array([1, 1, 1, 1, 1, 1, 2, 4, 6, 7, 7, 8, 9, 8, 7, 7, 8, 9, 11, 13, 14, 12, 7, 3], dtype=float)
    second = rng.choice(24, count, p=hours / hours.sum()) * 3600 + rng.integers(0, 3600, count)
    start = now // DAY * DAY - day * DAY + second
    return np.asarray(np.where(start > now, start - DAY, start), dtype=np.int64)


def _pick(liking: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.int64]:
    """One column for each row, with the row's own probabilities."""
    steps = np.cumsum(liking, axis=1, dtype=np.float64)
    return np.asarray((rng.random(len(liking))[:, None] * steps[:, -1:] > steps).sum(axis=1), dtype=np.int64)


class _ItemDraw:
    """Draws products by appeal, within a kind and style or from the whole catalog, in O(log products) each."""

    def __init__(self, products: Products) -> None:
        n_styles = len(assortment().styles)
        self.n_styles = n_styles
        group = products.kinds.astype(np.int64) * n_styles + products.styles
        self.order = np.argsort(group, kind="stable")
        self.steps = np.concatenate([[0.0], np.cumsum(products.appeal[self.order])])
        edges = np.searchsorted(group[self.order], np.arange(len(assortment().kinds) * n_styles + 1))
        self.low, self.high = self.steps[edges[:-1]], self.steps[edges[1:]]

    def within(
        self, kinds: NDArray[np.integer], styles: NDArray[np.integer], rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """A product of each kind and style; of the whole catalog where that kind and style has none."""
        group = kinds.astype(np.int64) * self.n_styles + styles
        low, high = self.low[group], self.high[group]
        empty = high <= low
        low, high = np.where(empty, 0.0, low), np.where(empty, self.steps[-1], high)
        return self._at(low + rng.random(len(group)) * (high - low))

    def anywhere(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        return self._at(rng.random(count) * self.steps[-1])

    def _at(self, height: NDArray[np.float64]) -> NDArray[np.int64]:
        position = np.searchsorted(self.steps, height, side="right") - 1
        return np.asarray(self.order[np.minimum(position, len(self.order) - 1)], dtype=np.int64)
