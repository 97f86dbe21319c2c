"""The placements a new shop starts with."""

from typing import Any

from django.apps import apps as installed
from django.apps.registry import Apps

PLACEMENTS = [
    ("home", "Recommended for you", "home", "home", ["trending", "popular"]),
    ("because-you-viewed", "Inspired by what you viewed", "home", "because-you-viewed", ["home", "popular"]),
    ("recently-viewed", "Recently viewed", "any", "recently-viewed", ["popular"]),
    ("buy-again", "Buy it again", "any", "buy-again", ["home", "popular"]),
    ("item-page", "More like this", "item", "item-page", ["popular"]),
    ("bought-together", "Often bought together", "item", "bought-together", ["item-page", "popular"]),
    ("viewed-together", "Shoppers also viewed", "item", "viewed-together", ["item-page", "popular"]),
    ("cart", "Complete your cart", "cart", "cart", ["item-page", "popular"]),
    ("after-purchase", "Goes well with your order", "purchase", "after-purchase", ["home", "popular"]),
    ("category", "Favourites in this category", "category", "category", ["popular"]),
    ("search", "Search results", "search", "search", []),
    ("email", "Picked for you", "email", "email", ["trending", "popular"]),
    ("popular", "Best sellers", "any", "popular", ["popular-30d"]),
    ("trending", "Trending now", "any", "trending", ["popular"]),
    ("new", "New arrivals", "any", "newest", []),
]


def add_placements(*, using: str, apps: Apps = installed, **_: Any) -> None:
    """After migrating: where there is no placement at all, add these. One that was deleted does not come back."""
    try:
        model = apps.get_model("recommend", "Placement")
    except LookupError:  # migrated back to before the table
        return
    if not model.objects.using(using).exists():
        model.objects.using(using).bulk_create(
            model(key=key, label=label, page_type=page_type, pipeline=pipeline, fallback=fallback)
            for key, label, page_type, pipeline, fallback in PLACEMENTS
        )
