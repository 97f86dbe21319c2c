"""Who is looking: an anonymous visitor with an id of ours, or the planted shopper one has become."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from apps.interactions.services import EventInput, events_record
from apps.storefront.basket import Basket
from apps.storefront.selectors import ShopFacts, shop_facts
from apps.users.services import user_token_sign, visitor_id_is_ours, visitor_id_issue

COOKIE = "hobnail_visitor"
BASKET_COOKIE = "hobnail_basket"
SESSION_COOKIE = "hobnail_session"
YEAR = 365 * 86_400
HALF_AN_HOUR = 1_800
SALT = "apps.storefront"
TOKEN_SECONDS = 3_600


@dataclass
class Visit:
    """One request's visitor. What is changed here is written to the cookies when the page is done."""

    user_id: str
    session_id: str
    basket: Basket
    shop: ShopFacts | None

    @property
    def anonymous(self) -> bool:
        return visitor_id_is_ours(self.user_id)

    @property
    def user_token(self) -> str:
        """What lets the browser script speak for a planted shopper; empty for a visitor, whose id suffices."""
        return "" if self.anonymous else user_token_sign(self.user_id, TOKEN_SECONDS)

    def become(self, user_id: str) -> None:
        """Be somebody else from now on, with an empty basket and a session of their own."""
        self.user_id, self.session_id, self.basket = user_id, secrets.token_hex(8), Basket.empty()

    def happened(self, event_type: str, item_id: str, **more: Any) -> None:
        """Record an event of this visitor, now."""
        self.record([self.event(event_type, item_id, **more)])

    def event(self, event_type: str, item_id: str, **more: Any) -> EventInput:
        return EventInput(
            event_type=event_type,
            item_id=item_id,
            user_id=self.user_id,
            session_id=self.session_id,
            anonymous=self.anonymous,
            **more,
        )

    def record(self, events: list[EventInput]) -> None:
        """Store events. One that is rejected (its item was deleted meanwhile) does not stop the shopper."""
        events_record(events)


class ShopRequest(HttpRequest):
    """A request to a shop page."""

    visit: Visit


def shop_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Give the view `request.visit`, and keep its cookies."""

    @wraps(view)
    def page(request: ShopRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        request.visit = visit = _visit_of(request)
        response = view(request, *args, **kwargs)
        for name, value, age in (
            (COOKIE, visit.user_id, YEAR),
            (SESSION_COOKIE, visit.session_id, HALF_AN_HOUR),
            (BASKET_COOKIE, visit.basket.to_text(), YEAR),
        ):
            response.set_signed_cookie(
                name,
                value,
                salt=SALT,
                max_age=age,
                path=reverse("storefront:home"),
                httponly=True,
                samesite="Lax",
                secure=request.is_secure(),
            )
        response["Cache-Control"] = "private, no-store"
        return response

    return page


def _visit_of(request: HttpRequest) -> Visit:
    return Visit(
        user_id=_cookie(request, COOKIE) or visitor_id_issue(),
        session_id=_cookie(request, SESSION_COOKIE) or secrets.token_hex(8),
        basket=Basket.from_text(_cookie(request, BASKET_COOKIE)),
        shop=shop_facts(),
    )


def _cookie(request: HttpRequest, name: str) -> str:
    """The cookie's value, empty where it is missing or not ours."""
    try:
        return str(request.get_signed_cookie(name, default="", salt=SALT))
    except signing.BadSignature:
        return ""
