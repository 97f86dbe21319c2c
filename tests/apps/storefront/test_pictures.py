"""Product pictures: well-formed, escaped, always the same, one drawing for each kind."""

from xml.etree import ElementTree as ET

import pytest
from django.test import Client

from apps.catalog.services import item_patch
from apps.storefront.assortment import assortment
from apps.storefront.pictures.draw import DRAWINGS, picture_draw

SHOP = assortment()


@pytest.mark.parametrize("kind", [kind.key for kind in SHOP.kinds])
def test_every_form_of_every_kind_in_every_style_is_well_formed(kind: str) -> None:
    assert kind in DRAWINGS
    drawn = set()
    for style in SHOP.styles:
        for form in range(len(SHOP.kind(kind).nouns)):
            for material in SHOP.kind(kind).materials:
                attributes = {
                    "kind": kind,
                    "style": style.key,
                    "colour": next(iter(style.colours)),
                    "material": material.word,
                    "form": form,
                }
                svg = picture_draw(f"{kind}-{form}", "A thing", attributes)
                root = ET.fromstring(svg)
                assert root.get("viewBox") == "0 0 400 400"
                assert "{" not in svg
                drawn.add(svg)
    assert len(drawn) >= len(SHOP.styles) * len(SHOP.kind(kind).nouns)


def test_a_picture_is_always_the_same_and_differs_between_items() -> None:
    attributes = {"kind": "mugs", "style": "retro", "colour": "teal", "material": "stoneware", "form": 0}
    assert picture_draw("1", "Mug", attributes) == picture_draw("1", "Mug", attributes)
    assert len({picture_draw(str(number), "Mug", attributes) for number in range(20)}) > 5


@pytest.mark.parametrize("attributes", [{}, {"kind": "boats", "style": 7, "colour": None, "form": "x"}])
def test_a_product_of_no_known_kind_gets_a_parcel(attributes: dict[str, object]) -> None:
    ET.fromstring(picture_draw("x", "A boat", attributes))


def test_titles_are_escaped() -> None:
    svg = picture_draw("x", '</title><script>alert("x")</script>&', {})
    assert "<script>" not in svg
    title = ET.fromstring(svg).find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    assert title.text == '</title><script>alert("x")</script>&'


def test_browsers_keep_a_picture_and_are_told_when_it_has_not_changed(shop: None, client: Client) -> None:
    first = client.get("/shop/pictures/67890.svg")
    assert first["Content-Type"] == "image/svg+xml"
    assert "max-age=" in first["Cache-Control"]
    assert client.get("/shop/pictures/67890.svg", HTTP_IF_NONE_MATCH=first["ETag"]).status_code == 304
    item_patch("67890", {"title": "Another mug"})
    assert client.get("/shop/pictures/67890.svg", HTTP_IF_NONE_MATCH=first["ETag"]).status_code == 200


def test_an_unknown_product_has_no_picture(shop: None, client: Client) -> None:
    assert client.get("/shop/pictures/unknown.svg").status_code == 404
