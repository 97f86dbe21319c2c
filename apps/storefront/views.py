"""The shop's pages. Each reads the catalog, records what the visitor did, and leaves recommending to the shelves."""

import uuid
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag, url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from apps.catalog import selectors as catalog
from apps.recommend.asking import Ask
from apps.recommend.shelves import shelf
from apps.storefront.assortment import assortment
from apps.storefront.catalogue import SORTS, Shelf, catalogue
from apps.storefront.page import base_context, memory
from apps.storefront.pictures.draw import picture_draw
from apps.storefront.visitor import ShopRequest, shop_page
from apps.users.services import visitor_id_issue

PAGE = 24
SEARCH_LIMIT = 36


@require_safe
@shop_page
def home(request: ShopRequest) -> HttpResponse:
    """The front page: departments, and shelves that follow what the visitor did."""
    shop = catalogue()
    departments = [(one, shop.first_card(one), shop.children(one)) for one in shop.departments]
    return _page(request, "home", departments=departments, memory=memory(request.visit))


@require_safe
@shop_page
def newest(request: ShopRequest) -> HttpResponse:
    """Everything, latest first."""
    return _list(request, "Just in", None, catalogue().every_row(), sort="new")


@require_safe
@shop_page
def category(request: ShopRequest, slug: str) -> HttpResponse:
    """A department or a kind: its best, then all of it."""
    shop = catalogue()
    place = shop.shelves.get(slug)
    if place is None:
        raise Http404("There is no such category.")
    return _list(request, place.name, place, shop.rows_in(place), sort=request.GET.get("sort", "picks"))


def _list(request: ShopRequest, title: str, place: Shelf | None, rows: Any, *, sort: str) -> HttpResponse:
    shop = catalogue()
    sort = sort if sort in SORTS else "picks"
    style = next((one for one in assortment().styles if one.key == request.GET.get("style")), None)
    if style:
        rows = shop.of_style(rows, style)
    pages = Paginator(shop.ordered(rows, sort).tolist(), PAGE)
    page = pages.get_page(request.GET.get("page"))
    return _page(
        request,
        "category",
        title=title,
        place=place,
        children=shop.children(place) if place else [],
        cards=[shop.card(row) for row in page.object_list],
        page=page,
        count=pages.count,
        sorts=SORTS if place else {},
        sort=sort,
        styles=assortment().styles,
        style=style,
        query=urlencode(
            {name: value for name, value in (("sort", sort), ("style", style.key if style else "")) if value}
        ),
    )


@require_safe
@shop_page
def item(request: ShopRequest, item_id: str) -> HttpResponse:
    """One product. Looking at it is an event, whether or not the browser runs scripts."""
    shop = catalogue()
    row = shop.row_of(item_id)
    facts = catalog.item_facts(item_id) if row is not None else None
    if row is None or facts is None:
        raise Http404("This product is not in the shop any more.")
    if request.method == "GET" and "prefetch" not in request.headers.get("Sec-Purpose", ""):
        request.visit.happened("view_item", item_id)
    style = next((one for one in assortment().styles if one.name in facts.tags), None)
    return _page(
        request,
        "item",
        card=shop.card(row),
        facts=facts,
        style=style,
        place=shop.shelf_of(row),
        variants=[(shop.card(one), one == row) for one in shop.variants(row)],
        in_basket=request.visit.basket.quantity(item_id),
    )


@require_safe
@shop_page
def search(request: ShopRequest) -> HttpResponse:
    """Search results: the placement "search", asked with the visitor's words."""
    words = request.GET.get("q", "").strip()[:200]
    results = ""
    if words:
        results = shelf(
            Ask(placement="search", text=words, user=request.visit.user_id, limit=SEARCH_LIMIT, explain=True)
        )
    return _page(request, "search", words=words, results=results, departments=catalogue().departments)


@require_safe
@shop_page
def cart(request: ShopRequest) -> HttpResponse:
    """What is in the basket, and what goes with it."""
    shop, lines = catalogue(), []
    rows: list[tuple[int, int]] = []
    for item_id, count in request.visit.basket.lines:
        row = shop.row_of(item_id)
        if row is None:
            request.visit.basket = request.visit.basket.with_quantity(item_id, 0)
            continue
        lines.append((shop.card(row), count, shop.price(row, count)))
        rows.append((row, count))
    return _page(request, "cart", lines=lines, total=shop.total(rows), seeds=request.visit.basket.item_ids)


@require_POST
@shop_page
def cart_add(request: ShopRequest) -> HttpResponse:
    """Put one more into the basket."""
    item_id, visit, shop = request.POST.get("item", ""), request.visit, catalogue()
    row = shop.row_of(item_id)
    if row is None or not shop.columns.available[row]:
        raise Http404("This product cannot be bought.")
    visit.basket = visit.basket.with_quantity(item_id, visit.basket.quantity(item_id) + 1)
    if visit.basket.quantity(item_id):
        visit.happened("add_to_cart", item_id)
    return redirect("storefront:cart")


@require_POST
@shop_page
def cart_change(request: ShopRequest) -> HttpResponse:
    """Set how many of a product are in the basket; none takes it out."""
    item_id, visit = request.POST.get("item", ""), request.visit
    before = visit.basket.quantity(item_id)
    count = request.POST.get("count", "")
    if before and count.isascii() and count.isdigit():
        visit.basket = visit.basket.with_quantity(item_id, int(count[:4]))
        after = visit.basket.quantity(item_id)
        if after != before and catalogue().row_of(item_id) is not None:
            visit.happened("add_to_cart" if after > before else "remove_from_cart", item_id)
    return redirect("storefront:cart")


@require_POST
@shop_page
def checkout(request: ShopRequest) -> HttpResponse:
    """Buy what is in the basket. No money moves: this is a demo."""
    visit, shop = request.visit, catalogue()
    order = uuid.uuid4().hex[:12]
    rows = [(item_id, count, shop.row_of(item_id)) for item_id, count in visit.basket.lines]
    bought = [
        visit.event(
            "purchase",
            item_id,
            event_id=f"order-{order}-{item_id}",
            value=shop.columns.price_text[row],
            currency=shop.columns.currency[row],
            quantity=count,
            properties={"order": order},
        )
        for item_id, count, row in rows
        if row is not None
    ]
    if not bought:
        return redirect("storefront:cart")
    visit.record(bought)
    visit.basket = visit.basket.empty()
    return HttpResponseRedirect(reverse("storefront:thanks") + "?" + urlencode({"order": order}))


@require_safe
@shop_page
def thanks(request: ShopRequest) -> HttpResponse:
    """The order is placed; here is something to come back for."""
    return _page(request, "thanks", order=request.GET.get("order", "")[:12])


@require_POST
@shop_page
def become(request: ShopRequest) -> HttpResponse:
    """Look at the shop as one of the sample shoppers, or as somebody new."""
    who, visit = request.POST.get("who", ""), request.visit
    if visit.shop and who in {sample.external_id for sample in visit.shop.samples}:
        visit.become(who)
    elif who == "new":
        visit.become(visitor_id_issue())
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return HttpResponseRedirect(target if safe else reverse("storefront:home"))


@require_safe
def picture(request: ShopRequest, item_id: str) -> HttpResponse:
    """The drawn picture of a product, the same for ever: browsers keep it for a day and then ask by its ETag."""
    facts = catalog.item_facts(item_id)
    if facts is None:
        raise Http404("There is no such product.")
    svg = picture_draw(item_id, facts.title, facts.attributes)
    etag = quote_etag(f"{uuid.uuid5(uuid.NAMESPACE_URL, svg).hex}")
    response = get_conditional_response(request, etag=etag) or HttpResponse(svg, content_type="image/svg+xml")
    response["ETag"] = etag
    response["Cache-Control"] = "public, max-age=86400, immutable"
    response["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return response


def _page(request: ShopRequest, name: str, **context: Any) -> HttpResponse:
    return render(request, f"storefront/{name}.html", base_context(request) | context)
