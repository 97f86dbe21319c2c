"""Shelves: a recommendation as a page shows it."""

from typing import Any

from babel.numbers import format_currency
from django.template.loader import render_to_string

from apps.recommend.asking import Ask, Recommendation
from apps.recommend.serve import recommend


def shelf(ask: Ask) -> str:
    """The HTML of a shelf for `ask`, empty where there is nothing to show. Raises what `recommend` raises."""
    recommendation = recommend(ask)
    if not recommendation.entries:
        return ""
    return render_to_string("recommend/shelf.html", shelf_context(recommendation))


def shelf_context(recommendation: Recommendation) -> dict[str, Any]:
    """What `recommend/shelf.html` reads."""
    return {"recommendation": recommendation, "heading_id": f"shelf-{recommendation.recomm_id[:8]}"}


def price_text(price: str | None, currency: str, locale: str = "en_GB") -> str:
    """A price as people write it: "£2.55". Empty without a price; an unknown currency is written as its code."""
    if price is None:
        return ""
    return str(format_currency(price, currency, locale=locale)) if currency else price
