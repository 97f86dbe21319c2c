"""A small planted shop."""

from collections.abc import Iterator

import pytest

from apps.storefront import catalogue
from apps.storefront.services import demo_shop_create
from apps.storefront.world import World, WorldSize, world_plant

SMALL = WorldSize(items=480, shoppers=300, events=12_000, seed=11)
NOW = 1_790_000_000


@pytest.fixture(autouse=True)
def _nothing_read_yet() -> Iterator[None]:
    """Each test reads its own catalog."""
    catalogue.catalogue_forget()
    yield
    catalogue.catalogue_forget()


@pytest.fixture(scope="session")
def world() -> World:
    """A small world, not stored anywhere."""
    return world_plant(SMALL, now=NOW)


@pytest.fixture
def shop(db: None) -> None:
    """A very small demo shop in the database."""
    demo_shop_create(WorldSize(items=160, shoppers=40, events=1_500, seed=11))
