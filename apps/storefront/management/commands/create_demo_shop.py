"""`manage.py create_demo_shop`: plant the demo shop's products, shoppers and events."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from apps.storefront.assortment import SHOP_NAME
from apps.storefront.services import AnotherShop, demo_shop_create
from apps.storefront.world import WorldSize


class Bars:
    """One progress bar after the other, on standard error."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._label = ""

    def __call__(self, label: str, done: int, total: int) -> None:
        if label != self._label or self._bar is None:
            self.close()
            self._label, self._bar = label, tqdm(total=total, desc=f"{label:<9}", unit="", unit_scale=True)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class Command(BaseCommand):
    help = f"Create the demo shop {SHOP_NAME}: simulated products, shoppers with planted tastes, and their events."

    def add_arguments(self, parser: ArgumentParser) -> None:
        size = WorldSize()
        parser.add_argument("--items", type=int, default=size.items, help="products (default %(default)s)")
        parser.add_argument("--shoppers", type=int, default=size.shoppers, help="shoppers (default %(default)s)")
        parser.add_argument("--events", type=int, default=size.events, help="events (default %(default)s)")
        parser.add_argument("--seed", type=int, default=size.seed, help="another seed, another world (%(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        asked = {name: options[name] for name in ("items", "shoppers", "events", "seed")}
        for name, least in (("items", 1), ("shoppers", 1), ("events", 0), ("seed", 0)):
            if asked[name] < least:
                raise CommandError(f"--{name} must be at least {least}.")
        bars = Bars()
        try:
            facts = demo_shop_create(WorldSize(**asked), progress=bars)
        except AnotherShop as other:
            raise CommandError(f"{other} Ask for the same, or use an empty database.") from None
        finally:
            bars.close()
        size = facts.size
        self.stdout.write(
            f"{SHOP_NAME} is ready: {size.items:,} products, {size.shoppers:,} shoppers, {size.events:,} events."
        )
