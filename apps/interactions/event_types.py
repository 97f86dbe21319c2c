"""The canonical event types and every name they are accepted under. Knows no database.

Codes below `TASTE_CODES_END` are taste events, the others are only counted: indexes and queries go by that.
A code or a name, once released, never changes its meaning; weights and half-lives here only seed the rows that
merchandisers edit.
"""

import difflib
import re
from dataclasses import dataclass

TASTE_CODES_END = 100


@dataclass(frozen=True, slots=True)
class CanonicalType:
    """One canonical type: its stored code, what one event is worth at first, and its other names."""

    code: int
    name: str
    weight: float
    half_life_days: float
    description: str
    aliases: str  # separated by blanks
    needs_item: bool = True
    beacon: bool = False  # reported by the shelf itself, once for each entry of a slate

    @property
    def taste(self) -> bool:
        """Whether events of this type move a user's recommendations."""
        return self.code < TASTE_CODES_END


TYPES = (
    CanonicalType(
        1,
        "view_item",
        1.0,
        30.0,
        "Looked at the item's page.",
        "view page_view detail_page_view detail_view product_view product_viewed item_view viewed "
        "view_content product_detail_view product_page_view visit watch read play listen",
    ),
    CanonicalType(
        2,
        "select_item",
        0.5,
        30.0,
        "Clicked the item in a list.",
        "click clicked select item_click product_click product_clicked select_content tap",
    ),
    CanonicalType(
        3,
        "add_to_cart",
        3.0,
        60.0,
        "Put the item into the cart.",
        "cart cart_addition cartaddition cart_add addtocart added_to_cart basket add_to_basket add_to_bag "
        "product_added add_cart",
    ),
    CanonicalType(
        4,
        "remove_from_cart",
        -2.0,
        60.0,
        "Took the item out of the cart.",
        "cart_removal cart_remove removefromcart removed_from_cart remove_from_basket product_removed "
        "remove_from_bag remove_cart",
    ),
    CanonicalType(
        5,
        "purchase",
        5.0,
        180.0,
        "Bought the item.",
        "purchase_complete purchased order ordered buy bought transaction checkout_complete order_completed "
        "conversion sale",
    ),
    CanonicalType(
        6,
        "refund",
        -5.0,
        180.0,
        "Sent the item back, or cancelled its order.",
        "refunded return returned order_refunded cancel cancelled canceled cancellation order_cancelled chargeback",
    ),
    CanonicalType(
        7,
        "rate",
        2.0,
        365.0,
        "Rated the item; the event's value is the rating.",
        "rating rated review reviewed star stars score",
    ),
    CanonicalType(
        8,
        "like",
        3.0,
        180.0,
        "Liked, saved or bookmarked the item.",
        "liked bookmark bookmarked favorite favourite favorited save saved wishlist heart add_to_wishlist "
        "addtowishlist upvote thumbs_up share follow subscribe",
    ),
    CanonicalType(
        9,
        "dislike",
        -4.0,
        365.0,
        "Said the item is not for them.",
        "disliked downvote thumbs_down not_interested hide hidden",
    ),
    CanonicalType(
        101,
        "search",
        0.0,
        30.0,
        "Searched the shop.",
        "searched view_search_results search_query query products_searched",
        needs_item=False,
    ),
    CanonicalType(
        102,
        "render_item_list",
        0.0,
        30.0,
        "A shelf was rendered, also when it came out empty.",
        "impression item_impression product_impression list_rendered shelf_rendered render rendered",
        needs_item=False,
        beacon=True,
    ),
    CanonicalType(
        103,
        "view_item_list",
        0.0,
        30.0,
        "A shelf was seen: half of it visible for a second.",
        "list_view item_list_view view_list list_viewed product_list_viewed view_portion seen",
        needs_item=False,
        beacon=True,
    ),
)
BY_NAME = {kind.name: kind for kind in TYPES}

_SEPARATORS = re.compile(r"[\s_./:-]+")


class UnknownEventType(ValueError):
    """A name that stands for no event type. The message lists the canonical ones and the nearest match."""


def _folded(name: str) -> str:
    return _SEPARATORS.sub("", name).casefold()


_BY_FOLDED = {_folded(name): kind for kind in TYPES for name in (kind.name, *kind.aliases.split())}


def resolve(name: str) -> CanonicalType:
    """The canonical type that `name` stands for; case and `-`, `_`, `.`, `:`, `/` or blanks make no difference.

    Raises UnknownEventType.
    """
    kind = BY_NAME.get(name) or _BY_FOLDED.get(_folded(name))
    if kind is not None:
        return kind
    known = ", ".join(BY_NAME)
    near = difflib.get_close_matches(_folded(name[:64]), _BY_FOLDED, n=1, cutoff=0.6)
    hint = f" Did you mean {_BY_FOLDED[near[0]].name}?" if near else ""
    raise UnknownEventType(f"{name[:64]!r} is not an event type.{hint} Known: {known}.")
