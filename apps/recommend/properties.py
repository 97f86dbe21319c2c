"""Fields of an item as answers show them, instead of the card."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from apps.recommend.asking import Card
from apps.recommend.live_catalog import LiveCatalog

CARD: Mapping[str, Callable[[Card], Any]] = MappingProxyType(
    {
        "title": lambda card: card.title,
        "url": lambda card: card.url,
        "image_url": lambda card: card.image_url,
        "price": lambda card: card.price,
        "currency": lambda card: card.currency,
        "available": lambda card: card.available,
    }
)
OTHERS = ("brand", "category", "tag", "stock", "published_at")
KNOWN = (*CARD, *OTHERS)


def properties(catalog: LiveCatalog, row: int, names: Sequence[str]) -> dict[str, Any]:
    """The named fields of the item at `row`; null for what it does not have."""
    card = catalog.card(row)
    return {name: CARD[name](card) if name in CARD else _other(catalog, row, name) for name in names}


def _other(catalog: LiveCatalog, row: int, name: str) -> Any:
    if name == "published_at":
        return datetime.fromtimestamp(int(catalog.published[row]), UTC).isoformat()
    fields = catalog.items.fields
    return None if fields is None else fields.value(name, row)
