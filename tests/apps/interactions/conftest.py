from collections.abc import Callable

import pytest

from apps.catalog.models import Item
from apps.interactions.services import EventInput


@pytest.fixture
def items(db: None) -> dict[str, int]:
    """Three items, by the shop's id."""
    rows = [Item.objects.create(external_id=name, title=name) for name in ("lamp", "mug", "clock")]
    return {row.external_id: row.pk for row in rows}


@pytest.fixture
def view() -> Callable[..., EventInput]:
    """A view of the lamp by ann; anything can be said otherwise."""

    def build(**said: object) -> EventInput:
        return EventInput(**{"event_type": "view_item", "user_id": "ann", "item_id": "lamp", **said})

    return build
