"""`{% recommendations placement="item-page" item=item.external_id %}`: a shelf in a page of this application."""

from typing import Any
from urllib.parse import urlencode

import structlog
from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from apps.recommend.asking import Ask, Refused
from apps.recommend.shelves import price_text, shelf

register = template.Library()
log = structlog.get_logger(__name__)


@register.simple_tag(takes_context=True)
def recommendations(
    context: template.Context,
    placement: str,
    item: object = None,
    items: list[object] | None = None,
    category: str | None = None,
    user: object = None,
    count: int | None = None,
    lazy: bool = False,
) -> SafeString:
    """The shelf of a placement, or nothing where there is nothing to show.

    `item`, or `items` for a cart, are the shop's own ids; `user` too, and defaults to the `recommendations_user` of
    the template's context. `lazy` leaves a place that `recommend/shelf.js` fills when it comes near the window.
    A question that is refused (an unknown item, say) is logged and shows nothing: a shelf never breaks its page.
    """
    user = user or context.get("recommendations_user")
    seeds = [str(seed) for seed in ([item] if item is not None else items or [])]
    if lazy:
        return _place(placement, seeds, category, count)
    try:
        html = shelf(
            Ask(
                placement=placement,
                user=None if user is None else str(user),
                items=tuple(seeds),
                category=category or None,
                limit=count,
                explain=True,
            )
        )
    except Refused as refused:
        log.warning("shelf left out", placement=placement, field=refused.field, detail=refused.detail)
        return mark_safe("")
    return mark_safe(html)  # noqa: S308  rendered by a template, which escapes


def _place(placement: str, seeds: list[str], category: str | None, count: int | None) -> SafeString:
    options: list[tuple[str, str]] = [("item", seed) for seed in seeds]
    if category:
        options.append(("category", category))
    if count:
        options.append(("count", str(count)))
    address = reverse("recommendations-fragment", args=[placement])
    return format_html(
        '<div class="rec-place" data-recommendations="{}?{}" aria-busy="true"></div>', address, urlencode(options)
    )


@register.filter
def price(card: Any) -> str:
    """A card's price as people write it."""
    return price_text(card.price, card.currency)
