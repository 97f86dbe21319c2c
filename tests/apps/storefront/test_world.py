"""The planted world: the same every time, sane, and with answers that can be found again."""

import dataclasses
import itertools
import re
from decimal import Decimal

import numpy as np
import pytest
from numpy.typing import NDArray

from apps.recommend.engine.algorithms.item_knn import ItemKnn
from apps.recommend.engine.types import EventWorth, Evidence, Interactions, Query
from apps.storefront.assortment import assortment
from apps.storefront.shoppers import EVENT_TYPES, PURCHASE, VIEW
from apps.storefront.world import World, WorldSize, world_plant
from tests import worlds
from tests.apps.storefront.conftest import NOW, SMALL

WORTH = {
    code: EventWorth(name, True, weight, 60.0)
    for code, (name, weight) in enumerate(zip(EVENT_TYPES, (1.0, 1.0, 3.0, 5.0, 3.0, 1.0), strict=True))
}


def test_the_same_seed_gives_the_same_world(world: World) -> None:
    again = world_plant(SMALL, now=NOW)
    assert again.products.titles == world.products.titles
    assert again.products.descriptions == world.products.descriptions
    assert again.products.prices == world.products.prices
    for field in dataclasses.fields(world.visits):
        np.testing.assert_array_equal(getattr(again.visits, field.name), getattr(world.visits, field.name))


def test_another_seed_gives_another_world(world: World) -> None:
    other = world_plant(dataclasses.replace(SMALL, seed=12), now=NOW)
    assert other.products.titles != world.products.titles


@pytest.mark.parametrize("size", [WorldSize(1, 1, 10, 0), WorldSize(5, 3, 0, 1), WorldSize(6_000, 50, 500, 2)])
def test_a_world_of_any_size_has_distinct_products_and_the_two_known_ids(size: WorldSize) -> None:
    world = world_plant(size, now=NOW)
    assert len(set(world.products.titles)) == size.items
    assert len(set(world.products.external_ids)) == size.items
    assert world.products.external_ids[0] == "67890"
    assert world.products.titles[0] == "Speckled stoneware mug, moss"
    assert world.shopper_ids[0] == "12345"
    assert world.taste_in_words(0) == "mugs and teapots, Botanical"


def test_prices_fit_their_kind(world: World) -> None:
    for row, price in enumerate(world.products.prices):
        low, high = assortment().kinds[world.products.kinds[row]].price
        assert Decimal(str(low)) * Decimal("0.4") <= Decimal(price) <= Decimal(str(high)) * 2
        assert re.fullmatch(r"\d+\.(00|50)", price)


def test_names_and_descriptions_read_well(world: World) -> None:
    for title, text in zip(world.products.titles, world.products.descriptions, strict=True):
        assert re.fullmatch(r"[A-Z][A-Za-z0-9'’ -]+, [a-z ]+( no\. \d+)?", title), title
        assert text.endswith(".")
        assert not re.search(r"[{}]|  |\b([Aa]) [aeio]|\b(\w+) \2\b", text), text
        assert 2 <= len(re.findall(r"[.] [A-Z]|[.]$", text)) <= 4


def test_titles_do_not_say_a_word_twice(world: World) -> None:
    for title in world.products.titles:
        words = re.findall(r"[a-z]+", title.lower())
        assert not [word for word, following in itertools.pairwise(words) if word == following], title


def test_a_variant_costs_what_its_parent_costs_and_differs_in_colour(world: World) -> None:
    products = world.products
    variants = np.flatnonzero(products.parents >= 0)
    assert len(variants) > 5
    for row in variants:
        parent = products.parents[row]
        assert products.parents[parent] == -1
        assert products.prices[row] == products.prices[parent]
        assert products.specs[row][:3] == products.specs[parent][:3]
        assert products.specs[row][3] != products.specs[parent][3]


def test_nothing_happens_in_the_future_or_before_its_product_was_published(world: World) -> None:
    visits = world.visits
    assert len(visits) == SMALL.events
    assert visits.times.max() <= NOW
    assert visits.times.min() >= NOW - 92 * 86_400
    assert (visits.times >= world.products.published[visits.items]).all()
    assert (np.diff(visits.times) >= 0).all()


def test_some_products_are_sold_out_few_or_new(world: World) -> None:
    stock, age = world.products.stock, NOW - world.products.published
    assert 0 < (stock == 0).mean() < 0.06
    assert ((stock > 0) & (stock <= 3)).any()
    assert 0 < (age < 7 * 86_400).sum() < 60
    assert age.max() > 300 * 86_400


def test_popularity_is_skewed_but_most_products_are_looked_at(world: World) -> None:
    views = np.bincount(world.visits.items[world.visits.types == VIEW], minlength=SMALL.items)
    ranked = np.sort(views)[::-1]
    assert ranked[: SMALL.items // 10].sum() > 0.25 * views.sum()
    assert (views > 0).mean() > 0.85


def test_teapots_are_bought_with_mugs(world: World) -> None:
    """Sessions with a teapot bought contain a mug far more often than sessions in general do."""
    visits, kinds = world.visits, [kind.key for kind in assortment().kinds]
    bought = visits.types == PURCHASE
    kind_of = world.products.kinds[visits.items]
    pots = np.unique(visits.sessions[bought & (kind_of == kinds.index("teapots"))])
    mugs = np.unique(visits.sessions[bought & (kind_of == kinds.index("mugs"))])
    everything = np.unique(visits.sessions[bought])
    assert np.isin(pots, mugs).mean() > 3 * len(mugs) / len(everything)


def test_item_knn_finds_the_planted_kinds() -> None:
    """Of ten recommendations nobody has seen, most are of a kind the shopper was made to like; chance says 1 in 12."""
    world = world_plant(WorldSize(), now=NOW)
    hits = planted_share(world, shoppers=300)
    chance = float((world.truth.kinds > 0).mean())
    assert chance < 0.1
    assert hits.mean() > 0.5


def planted_share(world: World, *, shoppers: int) -> NDArray[np.float64]:
    """For each shopper with some history: the share of their ten best unseen products that is of a planted kind."""
    visits = world.visits
    count = len(world.products)
    interactions = Interactions(
        user_ids=np.arange(world.size.shoppers, dtype=np.int64),
        item_ids=np.arange(count, dtype=np.int64),
        users=visits.shoppers,
        items=visits.items,
        sessions=visits.sessions.astype(np.int32),
        types=visits.types,
        times=visits.times,
        quantities=visits.quantities.astype(np.int32),
        values=visits.values,
        worth=WORTH,
        as_of=NOW,
    )
    model = ItemKnn(ItemKnn.Config()).fit(interactions, worlds.catalog(count), np.random.default_rng(0))
    row_of = np.full(count, -1)
    row_of[model.item_ids] = np.arange(len(model.item_ids))
    shares = []
    for shopper in range(shoppers):
        seen = np.unique(visits.items[visits.shoppers == shopper])
        seen = seen[row_of[seen] >= 0]
        if len(seen) < 8:
            continue
        query = Query(history=Evidence.of_rows(row_of[seen].astype(np.int32)), now=NOW)
        scores = model.score(query, np.arange(len(model.item_ids), dtype=np.int32)).copy()
        scores[row_of[seen]] = np.nan
        best = model.item_ids[np.argsort(-np.nan_to_num(scores, nan=-np.inf))[:10]]
        shares.append(world.truth.likes(np.full(10, shopper), world.products.kinds[best]).mean())
    assert len(shares) > 50
    return np.array(shares)
