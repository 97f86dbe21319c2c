"""Writes of the demo shop: planting its world in the database, through the doors every shop uses."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal

from django.utils import timezone

from apps.catalog.services import ItemInput, items_upsert
from apps.interactions.services import EventInput, events_record
from apps.storefront.assortment import assortment
from apps.storefront.models import DemoShop
from apps.storefront.products import UNTRACKED
from apps.storefront.selectors import ShopFacts, facts_of
from apps.storefront.shoppers import EVENT_TYPES, PURCHASE
from apps.storefront.world import World, WorldSize, world_plant

ITEM_BATCH = 1_000
EVENT_BATCH = 10_000
SAMPLES = 5

Progress = Callable[[str, int, int], None]
"""Called with what is being stored, how many so far, and how many in all."""


class AnotherShop(Exception):
    """This database holds a demo shop of another size or seed."""


class NotStored(Exception):
    """A planted row was rejected: the world and the rules of the catalog disagree."""


def demo_shop_create(size: WorldSize, *, progress: Progress = lambda *_: None) -> ShopFacts:
    """Plant the demo shop, or finish planting it; does nothing where it is complete.

    Raises AnotherShop when a shop of another size or seed is here already. Repeating is harmless: the world is seen
    from the moment it was first planted, so every item and event comes out the same and is known already.
    """
    shop, _ = DemoShop.objects.get_or_create(
        defaults={
            "items": size.items,
            "shoppers": size.shoppers,
            "events": size.events,
            "seed": size.seed,
            "seen_from": int(time.time()),
        }
    )
    here = WorldSize(items=shop.items, shoppers=shop.shoppers, events=shop.events, seed=shop.seed)
    if here != size:
        raise AnotherShop(f"This database holds a demo shop already: {shop}.")
    if shop.finished_at is None:
        world = world_plant(size, now=shop.seen_from)
        world_store(world, progress=progress)
        shop.samples = [
            {"id": world.shopper_ids[row], "taste": world.taste_in_words(row)} for row in _sample_rows(world)
        ]
        shop.finished_at = timezone.now()
        shop.save()
    return facts_of(shop)


def public_key_keep(key: str) -> None:
    """Remember the browser's key, which the shop's pages hand to the shelf script."""
    DemoShop.objects.update(public_key=key)


def world_store(world: World, *, progress: Progress = lambda *_: None) -> None:
    """Store the world's products and visits. Raises NotStored when one of them is rejected."""
    rows = items_of(world)
    for start in range(0, len(rows), ITEM_BATCH):
        for result in items_upsert(rows[start : start + ITEM_BATCH]):
            if result.errors:
                raise NotStored(f"item {result.item_id}: {result.errors[0].field}: {result.errors[0].detail}")
        progress("products", min(start + ITEM_BATCH, len(rows)), len(rows))
    count = len(world.visits)
    for start in range(0, count, EVENT_BATCH):
        stop = min(start + EVENT_BATCH, count)
        for stored in events_record(list(events_of(world, start, stop))):
            if stored.status == "rejected":
                raise NotStored(f"event {stored.event_id}: {stored.field}: {stored.reason}")
        progress("events", stop, count)


def items_of(world: World) -> list[ItemInput]:
    """The world's products as the catalog takes them; a parent comes before its variants."""
    shop, products = assortment(), world.products
    rows = sorted(range(len(products)), key=lambda row: products.parents[row] >= 0)
    items: list[ItemInput] = []
    for row in rows:
        kind, style = shop.kinds[products.kinds[row]], shop.styles[products.styles[row]]
        _, material, noun, colour = products.specs[row]
        item_id, parent, stock = products.external_ids[row], int(products.parents[row]), int(products.stock[row])
        items.append(
            ItemInput(
                item_id=item_id,
                title=products.titles[row],
                description=products.descriptions[row],
                categories=((shop.departments[kind.department], kind.name),),
                brand=products.makers[row],
                tags=(style.name, colour, material.word),
                price=Decimal(products.prices[row]),
                currency="GBP",
                stock=None if stock == UNTRACKED else stock,
                url=f"/shop/item/{item_id}",
                image_url=f"/shop/pictures/{item_id}.svg",
                published_at=datetime.fromtimestamp(int(products.published[row]), UTC),
                parent_id=products.external_ids[parent] if parent >= 0 else "",
                attributes={
                    "kind": kind.key,
                    "style": style.key,
                    "colour": colour,
                    "material": material.word,
                    "form": kind.nouns.index(noun),
                },
            )
        )
    return items


def events_of(world: World, start: int, stop: int) -> Iterator[EventInput]:
    """The visits from `start` to `stop` as events; their ids follow from the seed, so a repeat changes nothing."""
    visits, products, shopper_ids = world.visits, world.products, world.shopper_ids
    columns = (visits.shoppers, visits.items, visits.types, visits.times, visits.sessions, visits.values)
    rows = zip(*(column[start:stop].tolist() for column in (*columns, visits.quantities)), strict=True)
    for number, (shopper, item, kind, when, session, value, quantity) in enumerate(rows, start):
        bought = kind == PURCHASE
        yield EventInput(
            event_type=EVENT_TYPES[kind],
            item_id=products.external_ids[item],
            user_id=shopper_ids[shopper],
            session_id=f"visit-{session}",
            event_id=f"demo-{world.size.seed}-{number}",
            occurred_at=when,
            value=products.prices[item] if bought else None if value != value else value,
            currency="GBP" if bought else "",
            quantity=quantity,
        )


def _sample_rows(world: World) -> list[int]:
    """The first shopper and a few others with much history and different tastes."""
    activity = [0] * world.size.shoppers
    for shopper in world.visits.shoppers.tolist():
        activity[shopper] += 1
    chosen, favourites = [0], {int(world.truth.kinds[0].argmax())}
    for row in sorted(range(1, world.size.shoppers), key=lambda r: -activity[r]):
        favourite = int(world.truth.kinds[row].argmax())
        if len(chosen) < SAMPLES and favourite not in favourites and (world.truth.kinds[row] > 0).sum() <= 2:
            chosen.append(row)
            favourites.add(favourite)
    return chosen
