"""Reads of the demo shop's own record."""

from dataclasses import dataclass

from apps.storefront.models import DemoShop
from apps.storefront.world import WorldSize


@dataclass(frozen=True)
class Sample:
    """A planted shopper whom a visitor can become."""

    external_id: str
    taste: str


@dataclass(frozen=True)
class ShopFacts:
    """The demo shop in this database."""

    size: WorldSize
    seen_from: int
    samples: tuple[Sample, ...]
    public_key: str
    finished: bool


def shop_facts() -> ShopFacts | None:
    """The demo shop, None when none was created here. One query."""
    shop = DemoShop.objects.order_by("id").first()
    return None if shop is None else facts_of(shop)


def facts_of(shop: DemoShop) -> ShopFacts:
    """A row as the shop's pages read it."""
    return ShopFacts(
        size=WorldSize(items=shop.items, shoppers=shop.shoppers, events=shop.events, seed=shop.seed),
        seen_from=shop.seen_from,
        samples=tuple(Sample(one["id"], one["taste"]) for one in shop.samples),
        public_key=shop.public_key,
        finished=shop.finished_at is not None,
    )
