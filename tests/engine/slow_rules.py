"""Shops, rules and controls drawn at random, and what rules mean, told in plain loops."""

from collections import Counter
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import sparse

from apps.recommend.engine.context import Context
from apps.recommend.engine.filters import parse
from apps.recommend.engine.item_fields import ItemFields
from apps.recommend.engine.rules import Arranged, Controls, Rules, RuleSpec, arrange
from apps.recommend.engine.types import DAY, Items, Query, Slate

NOW = 1_800_000_000
FILTERS = [
    "price < 10",
    "price >= 20 or price < 5",
    "not price > 12",
    "age_days < 3",
    "price = null",
    "price != 7 and age_days > 1",
    'brand = "b1" or brand = null and price > 5',
    'category in ("c0", "c3") and not brand = "b0"',
    "price >= 0 or price = null",  # everything
    "price < 0",  # nothing
]


def slow_filter(text: str, shop: "Shop", row: int) -> bool:
    price, age, brand = shop.prices[row], shop.ages[row], shop.brands[row]
    known = not isnan(price)
    return {
        "price < 10": known and price < 10,
        "price >= 20 or price < 5": known and (price >= 20 or price < 5),
        "not price > 12": not (known and price > 12),
        "age_days < 3": age < 3,
        "price = null": not known,
        "price != 7 and age_days > 1": price != 7 and age > 1,
        'brand = "b1" or brand = null and price > 5': brand == 1 or (brand < 0 and known and price > 5),
        'category in ("c0", "c3") and not brand = "b0"': bool(shop.categories[row] & {0, 3}) and brand != 0,
        "price >= 0 or price = null": True,
        "price < 0": False,
    }[text]


@dataclass(frozen=True)
class Shop:
    """A catalog, candidates and a request, as plain values by row."""

    prices: list[float]
    ages: list[int]  # days
    available: list[bool]
    brands: list[int]
    categories: list[frozenset[int]]
    parents: list[int]
    eligible: list[bool]
    candidates: list[int]
    scores: list[float]
    excluded: frozenset[int]
    filter: str | None
    limit: int

    @property
    def items(self) -> Items:
        n = len(self.prices)
        pairs = [(row, column) for row, columns in enumerate(self.categories) for column in sorted(columns)]
        rows, columns = [row for row, _ in pairs], [column for _, column in pairs]
        ids = np.arange(n, dtype=np.int64) * 3 + 5
        return Items(
            ids=ids,
            available=np.array(self.available),
            price=np.array(self.prices),
            published=NOW - DAY * np.array(self.ages, dtype=np.int64),
            categories=sparse.csr_matrix((np.ones(len(pairs), np.float32), (rows, columns)), shape=(n, 4)),
            category_ids=np.arange(4, dtype=np.int64),
            parents=np.array(self.parents, dtype=np.int32),
            brands=np.array(self.brands, dtype=np.int64),
            fields=ItemFields.of(
                ids=ids,
                brands=["" if brand < 0 else f"b{brand}" for brand in self.brands],
                stock=np.full(n, np.nan),
                tags=["[]"] * n,
                attributes=["{}"] * n,
                category_pairs=np.array([(ids[row], column) for row, column in pairs], np.int64).reshape(-1, 2),
                category_names={column: f"c{column}" for column in range(4)},
            ),
        )

    def arranged(self, specs: list[RuleSpec], controls: Controls, **options: Any) -> Arranged:
        items = self.items
        slate = Slate(
            np.array(self.candidates, np.int32),
            np.array(self.scores, np.float32),
            np.zeros(len(self.candidates), np.int16),
            ("s",) if self.candidates else (),
        )
        return arrange(
            slate,
            active=Rules.of(specs).active(now=NOW, items=items),
            controls=controls,
            query=Query(now=NOW, user=7),
            context=Context(items=items, eligible=np.array(self.eligible)),
            filter=None if self.filter is None else parse(self.filter),
            excluded=np.array(sorted(self.excluded, reverse=True), np.int32),
            limit=self.limit,
            **options,
        )

    def meant(self, spec: RuleSpec, row: int) -> bool:
        by_filter = spec.filter is not None and slow_filter(TEXT_OF[spec.filter.text], self, row)
        return row * 3 + 5 in spec.items or by_filter

    def smallest_category(self, row: int) -> int:
        sizes = Counter(column for columns in self.categories for column in columns)
        return min(self.categories[row], key=lambda column: (sizes[column], column), default=-1)

    def family(self, row: int) -> int:
        return self.parents[row] if self.parents[row] >= 0 else row


TEXT_OF = {parse(text).text: text for text in FILTERS}


@st.composite
def shops(draw: st.DrawFn) -> Shop:
    n = draw(st.integers(1, 24))

    def column(one: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(one, min_size=n, max_size=n))

    available = column(st.sampled_from([True, True, True, False]))
    seen = column(st.sampled_from([True, True, True, True, False]))
    parents = [-1] * n
    for row in range(n):
        if draw(st.integers(0, 3)) == 0:
            above = draw(st.integers(0, n - 1))
            if above != row and parents[above] < 0 and row not in parents:
                parents[row] = above
    candidates = draw(st.lists(st.integers(0, n - 1), unique=True))
    return Shop(
        prices=column(st.sampled_from([float("nan"), 1.0, 7.0, 9.5, 12.0, 15.0, 30.0])),
        ages=column(st.integers(0, 9)),
        available=available,
        brands=column(st.integers(-1, 2)),
        categories=column(st.frozensets(st.integers(0, 3), max_size=3)),
        parents=parents,
        eligible=[one and other for one, other in zip(available, seen, strict=True)],
        candidates=candidates,
        scores=draw(
            st.lists(
                st.sampled_from([-2.0, 0.0, 0.5, 1.0, 1.5, 2.0, 4.0]),
                min_size=len(candidates),
                max_size=len(candidates),
            )
        ),
        excluded=draw(st.frozensets(st.integers(0, n - 1), max_size=3)),
        filter=draw(st.none() | st.sampled_from(FILTERS[:-1])),
        limit=draw(st.integers(1, 12)),
    )


@st.composite
def rules(draw: st.DrawFn) -> list[RuleSpec]:
    result = []
    for number in range(draw(st.integers(0, 6))):
        action = draw(st.sampled_from(["pin", "boost", "bury", "hide", "include_only", "promote_share"]))
        text = None if action == "pin" else draw(st.none() | st.sampled_from(FILTERS))
        result.append(
            RuleSpec(
                id=number,
                name=f"rule {number}",
                action=action,
                priority=draw(st.integers(-1, 2)),
                items=tuple(draw(st.lists(st.integers(0, 25).map(lambda row: row * 3 + 5), max_size=5))),
                filter=None if text is None else parse(text),
                strength=draw(st.sampled_from([1.25, 2.0, 10.0])),
                position=draw(st.integers(1, 8)),
                share=draw(st.sampled_from([0.0, 0.1, 0.3, 0.5, 1.0])),
            )
        )
    return draw(st.permutations(result))


@st.composite
def controls(draw: st.DrawFn) -> Controls:
    return Controls(
        max_per_brand=draw(st.none() | st.integers(1, 3)),
        max_per_category=draw(st.none() | st.integers(1, 3)),
        min_relevance=draw(st.none() | st.sampled_from([0.0, 0.25, 0.9])),
        price_min=draw(st.none() | st.sampled_from([1.0, 5.0])),
        price_max=draw(st.none() | st.sampled_from([9.5, 20.0])),
        collapse_variants=draw(st.booleans()),
        freshness_weight=draw(st.sampled_from([0.0, 0.0, 1.0])),
        freshness_half_life_days=draw(st.sampled_from([1.0, 4.0])),
    )


def rank(spec: RuleSpec) -> tuple[int, int]:
    return -spec.priority, spec.id


def slow_holding(shop: Shop, specs: list[RuleSpec]) -> list[RuleSpec]:
    """The restricting rules that leave something to be shown, the least important ones set aside until there is."""

    def left(holding: list[RuleSpec]) -> bool:
        return any(shop.eligible[row] and slow_allowed(shop, holding, row) for row in range(len(shop.prices)))

    holding = sorted((spec for spec in specs if spec.action in {"hide", "include_only"}), key=rank)
    if any(shop.eligible):
        while holding and not left(holding):
            holding.pop()
    return holding


def slow_allowed(shop: Shop, holding: list[RuleSpec], row: int) -> bool:
    return all(shop.meant(spec, row) == (spec.action == "include_only") for spec in holding)


def slow_may_show(shop: Shop, controls: Controls, row: int) -> bool:
    price = shop.prices[row]
    ranged = controls.price_min is not None or controls.price_max is not None
    return (
        shop.eligible[row]
        and row not in shop.excluded
        and (shop.filter is None or slow_filter(shop.filter, shop, row))
        and not (ranged and isnan(price))
        and not (controls.price_min is not None and price < controls.price_min)
        and not (controls.price_max is not None and price > controls.price_max)
    )


def slow_pins(shop: Shop, specs: list[RuleSpec], shown: set[int]) -> dict[int, int]:
    places: dict[int, int] = {}
    for spec in sorted((spec for spec in specs if spec.action == "pin"), key=rank):
        place = spec.position - 1
        for item in dict.fromkeys(spec.items):
            row = (item - 5) // 3
            if row in shown and row not in places.values():
                while place in places:
                    place += 1
                if place < shop.limit:
                    places[place] = row
    return places


def slow_values(shop: Shop, specs: list[RuleSpec], controls: Controls) -> dict[int, float]:
    """What candidates are worth, and everything else as little as the last of them."""
    weighing = sorted((spec for spec in specs if spec.action in {"boost", "bury"}), key=rank)
    standing = sorted(shop.scores, reverse=True)
    low = standing[-1] if standing else 0.0
    span = (standing[0] - low if standing else 0.0) or 1.0
    result = {}
    for row in [*shop.candidates, *(row for row in range(len(shop.prices)) if row not in shop.candidates)]:
        place = len(result)
        value = (standing[place] - low) / span + 0.01 if place < len(standing) else 0.01
        decides = next((spec for spec in weighing if shop.meant(spec, row)), None)
        if decides is not None:
            value *= decides.strength if decides.action == "boost" else 1.0 / decides.strength
        if controls.freshness_weight:
            halves = shop.ages[row] / controls.freshness_half_life_days
            value *= 1 + controls.freshness_weight * 2.0**-halves
        result[row] = value
    return result
