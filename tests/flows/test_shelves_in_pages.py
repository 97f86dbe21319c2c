"""Shelves as pages show them: the template tag and the lazy fragment."""

import re

import pytest
from django.template import Context, Template
from django.test import Client

from apps.catalog.services import item_patch
from apps.users.services import user_token_sign, visitor_id_issue


def rendered(tag: str, **context: object) -> str:
    return Template("{% load recommendations %}" + tag).render(Context(context))


def shown(html: str) -> list[str]:
    return re.findall(r'data-item-id="([^"]+)"', html)


def test_the_tag_renders_a_shelf_with_links_prices_tokens_and_reasons(trained_shop: None) -> None:
    html = rendered('{% recommendations placement="item-page" item=item user="shopper-1" count=4 %}', item="mug-2")
    assert len(shown(html)) == 4
    assert 'href="/shop/mug-' in html
    assert "£" in html
    assert html.count("data-token=") == 4
    assert "Similar to Mug number 2" in html
    assert '<h2 class="rec-shelf__label"' in html


def test_the_tag_takes_the_user_from_the_pages_context(trained_shop: None) -> None:
    html = rendered('{% recommendations placement="home" count=3 %}', recommendations_user="shopper-1")
    assert all(item.startswith("mug-") for item in shown(html))


def test_a_shelf_made_by_a_fallback_says_so_above_it(trained_shop: None) -> None:
    assert ">Recommended for you<" in rendered('{% recommendations placement="home" user="shopper-1" %}')
    assert ">Trending<" in rendered('{% recommendations placement="home" %}')


def test_titles_are_escaped(trained_shop: None) -> None:
    item_patch("mug-1", {"title": '<script>alert("x")</script>'})
    html = rendered('{% recommendations placement="popular" count=200 %}')
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize(
    "tag", ['placement="attic"', 'placement="item-page" item="unknown"', 'placement="home" count=0']
)
def test_a_shelf_never_breaks_its_page(trained_shop: None, tag: str) -> None:
    assert rendered("before{% recommendations " + tag + " %}after") == "beforeafter"


def test_a_lazy_shelf_is_a_place_that_names_its_fragment(trained_shop: None, client: Client) -> None:
    html = rendered('{% recommendations placement="bought-together" item="mug-2" count=3 lazy=True %}')
    [address] = re.findall(r'data-recommendations="([^"]+)"', html)
    fragment = client.get(address.replace("&amp;", "&"))
    assert fragment.status_code == 200
    assert len(shown(fragment.content.decode())) == 3
    assert "no-store" in fragment["Cache-Control"]


def test_a_fragment_is_personal_only_for_those_who_can_show_who_they_are(trained_shop: None, client: Client) -> None:
    def fallback(**query: str) -> bool:
        return "data-fallback" in client.get("/fragments/home", query).content.decode()

    assert fallback(user="shopper-1")
    assert fallback(user_token="forged")
    assert not fallback(user_token=user_token_sign("shopper-1", 60))
    assert fallback(user=visitor_id_issue())


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/fragments/attic", 404),
        ("/fragments/home?count=abc", 400),
        ("/fragments/home?limit=0", 400),
        ("/fragments/home?category=%00", 404),
    ],
)
def test_a_fragment_says_what_was_wrong(shop: None, client: Client, path: str, status: int) -> None:
    assert client.get(path).status_code == status
