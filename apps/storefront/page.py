"""What every page of the shop shows: its frame, and what the shop knows about the visitor."""

from typing import Any

from apps.catalog import selectors as catalog
from apps.interactions import selectors as interactions
from apps.storefront.assortment import SHOP_CLAIM, SHOP_NAME
from apps.storefront.catalogue import Card, catalogue
from apps.storefront.visitor import ShopRequest, Visit
from apps.users import selectors as users

MEMORY = 6

_DID = {
    "purchase": "bought",
    "add_to_cart": "put in cart",
    "remove_from_cart": "took out of cart",
    "like": "liked",
    "dislike": "disliked",
    "rate": "rated",
}


def base_context(request: ShopRequest) -> dict[str, Any]:
    """What `storefront/base.html` reads. `recommendations_user` is whom the shelves are for."""
    visit = request.visit
    samples = visit.shop.samples if visit.shop else ()
    return {
        "shop_name": SHOP_NAME,
        "shop_claim": SHOP_CLAIM,
        "visit": visit,
        "samples": samples,
        "who": next((one for one in samples if one.external_id == visit.user_id), None),
        "public_key": visit.shop.public_key if visit.shop else "",
        "recommendations_user": visit.user_id,
        "nav": catalogue().departments,
    }


def memory(visit: Visit) -> list[tuple[Card, str]]:
    """The last products the visitor dealt with, latest first, and what they did: all a shelf is based on."""
    user = users.user_by_external_id(visit.user_id)
    if user is None:
        return []
    taste, worth, shop = interactions.recent_taste(user.id), interactions.event_worth(), catalogue()
    item_ids = catalog.external_ids_of(taste.item_ids.tolist())
    seen: dict[int, tuple[Card, str]] = {}
    for item, kind in zip(taste.item_ids.tolist(), taste.types.tolist(), strict=True):
        row = shop.row_of(item_ids.get(item, ""))
        if row is not None and item not in seen and len(seen) < MEMORY:
            seen[item] = (shop.card(row), _DID.get(worth[kind].name, "viewed"))
    return list(seen.values())
