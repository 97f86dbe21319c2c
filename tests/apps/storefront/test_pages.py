"""The shop's pages, as a browser without scripts sees them."""

import re
from urllib.parse import quote

import pytest
from django.test import Client

from apps.catalog.services import item_delete, item_patch, relay_changes
from apps.interactions import selectors as interactions
from apps.storefront.catalogue import catalogue
from apps.storefront.visitor import COOKIE
from apps.users import selectors as users
from apps.users.services import visitor_id_is_ours

pytestmark = pytest.mark.usefixtures("shop")


def visitor(client: Client) -> str:
    """The visitor id in the client's cookie."""
    return client.cookies[COOKIE].value.split(":")[0]


def did(client: Client) -> list[tuple[str, str]]:
    """What the visitor did, oldest first: event type and item."""
    user = users.user_by_external_id(visitor(client))
    if user is None:
        return []
    taste, worth = interactions.recent_taste(user.id), interactions.event_worth()
    names = {int(i): name for i, name in zip(catalogue().columns.ids, catalogue().columns.external_ids, strict=True)}
    pairs = [
        (worth[kind].name, names[item])
        for item, kind in zip(taste.item_ids.tolist(), taste.types.tolist(), strict=True)
    ]
    return pairs[::-1]


@pytest.mark.parametrize(
    "address",
    ["/shop/", "/shop/new/", "/shop/category/table/", "/shop/category/table/mugs/", "/shop/item/67890", "/shop/cart/",
     "/shop/search/", "/shop/search/?q=mug", "/shop/search/?q=%00%3Cb%3E", "/shop/thanks/?order=abc",
     "/shop/category/table/mugs/?sort=low&style=retro&page=9", "/shop/category/table/mugs/?sort=x&style=y&page=z"],
)  # fmt: skip
def test_every_page_answers(client: Client, address: str) -> None:
    response = client.get(address)
    assert response.status_code == 200
    html = response.content.decode()
    assert html.count("<h1") == 1
    assert "no-store" in response["Cache-Control"]
    assert not re.search(r"{[{%]|None", re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL))


@pytest.mark.parametrize("address", ["/shop/item/nope", "/shop/category/nope/", "/shop/category/mugs/"])
def test_what_is_not_there_is_a_404(client: Client, address: str) -> None:
    assert client.get(address).status_code == 404


def test_a_visitor_gets_an_id_of_ours_and_keeps_it(client: Client) -> None:
    client.get("/shop/")
    first = visitor(client)
    assert visitor_id_is_ours(first)
    client.get("/shop/item/67890")
    assert visitor(client) == first
    client.cookies[COOKIE] = "12345"  # unsigned: nobody becomes somebody by writing a cookie
    client.get("/shop/")
    assert visitor_id_is_ours(visitor(client))


def test_looking_at_a_product_is_recorded_without_any_script(client: Client) -> None:
    client.get("/shop/item/67890")
    assert did(client) == [("view_item", "67890")]


def test_asking_without_looking_is_not_recorded(client: Client) -> None:
    client.head("/shop/item/67890")
    client.get("/shop/item/67890", HTTP_SEC_PURPOSE="prefetch")
    client.get("/shop/")
    assert did(client) == []


def test_cart_and_checkout_record_what_happened(client: Client) -> None:
    assert client.post("/shop/cart/add", {"item": "67890"}, follow=True).status_code == 200
    client.post("/shop/cart/change", {"item": "67890", "count": "3"})
    page = client.get("/shop/cart/").content.decode()
    shop = catalogue()
    assert shop.price(shop.row_of("67890") or 0, 3) in page
    client.post("/shop/cart/checkout")
    assert ("purchase", "67890") in did(client)
    assert "Your cart is empty" in client.get("/shop/cart/").content.decode()


@pytest.mark.parametrize("count", ["-1", "x", "", "99999999999999999999", "²"])
def test_a_strange_quantity_does_no_harm(client: Client, count: str) -> None:
    client.post("/shop/cart/add", {"item": "67890"})
    assert client.post("/shop/cart/change", {"item": "67890", "count": count}).status_code == 302
    assert client.get("/shop/cart/").status_code == 200


def test_a_sold_out_product_cannot_be_bought(client: Client) -> None:
    item_patch("67890", {"stock": 0})
    assert "Sold out" in client.get("/shop/item/67890").content.decode()
    assert client.post("/shop/cart/add", {"item": "67890"}).status_code == 404


def test_a_product_deleted_meanwhile_leaves_the_cart(client: Client) -> None:
    client.post("/shop/cart/add", {"item": "67890"})
    item_delete("67890")
    relay_changes()
    assert "Your cart is empty" in client.get("/shop/cart/").content.decode()


def test_one_can_become_a_sample_shopper_and_nobody_else(client: Client) -> None:
    client.post("/shop/become", {"who": "12345"})
    html = client.get("/shop/").content.decode()
    assert "shopper 12345" in html
    assert "Planted taste: mugs and teapots, Botanical." in html
    client.post("/shop/become", {"who": "new"})
    client.post("/shop/become", {"who": "admin"})
    assert visitor_id_is_ours(visitor(client))


@pytest.mark.parametrize("target", ["https://example.org/", "//example.org", "javascript:alert(1)"])
def test_the_switcher_sends_nobody_to_another_site(client: Client, target: str) -> None:
    assert client.post("/shop/become", {"who": "new", "next": target})["Location"] == "/shop/"


def test_titles_are_escaped_everywhere(client: Client) -> None:
    item_patch("67890", {"title": "<script>alert(1)</script>"})
    client.post("/shop/cart/add", {"item": "67890"})
    for address in ("/shop/", "/shop/cart/", "/shop/item/67890", "/shop/category/table/mugs/", "/shop/new/"):
        assert "<script>alert" not in client.get(address).content.decode()


def test_search_words_are_shown_escaped(client: Client) -> None:
    html = client.get("/shop/search/?q=" + quote('"><script>alert(1)</script>')).content.decode()
    assert "<script>alert" not in html


def test_forms_need_a_csrf_token() -> None:
    assert Client(enforce_csrf_checks=True).post("/shop/become", {"who": "new"}).status_code == 403
