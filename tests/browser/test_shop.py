"""The shop in a real browser: what a shopper sees, on a desktop and on a phone, with scripts and without."""

import re
import time
from pathlib import Path
from typing import Any

import pytest

from apps.interactions.models import Event
from tests.browser.conftest import SIZES, Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

KINDS = 24 / 2  # of which the planted shopper likes two
PAGES = {
    "home": "", "category": "category/table/mugs/", "item": "item/67890", "search": "search/?q=mug", "new": "new/",
    "cart": "cart/",
}  # fmt: skip


def shelf(page: Any, placement: str) -> list[str]:
    """The titles on a shelf."""
    return list(page.locator(f'[data-placement="{placement}"] .rec-card__title').all_inner_texts())


def look_at_three(page: Any, address: str, slug: str) -> list[str]:
    """Open three products of a category by their cards, as a shopper would; their titles."""
    titles = []
    for place in range(3):
        page.goto(f"{address}category/{slug}/")
        page.locator(".grid .card a").nth(place).click()
        titles.append(page.locator("h1").inner_text())
    return titles


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_looking_at_three_products_of_a_kind_changes_the_home_page_and_says_why(
    browser: Browser, shop_address: str, screenshots: Path, scripts: bool
) -> None:
    def scenario(page: Any) -> None:
        page.goto(shop_address)
        before = shelf(page, "home")
        looked_at = look_at_three(page, shop_address, "textiles/rugs")
        page.goto(shop_address)
        after = shelf(page, "home")
        reasons = page.locator('[data-placement="home"] .rec-card__reason').all_inner_texts()
        assert before
        assert after != before
        assert sum(is_rug(title) for title in after) > sum(is_rug(title) for title in before)
        told = [title for title in looked_at if any(reason == f"Because you viewed {title}" for reason in reasons)]
        assert told, reasons
        remembered = page.locator(".memory li").all_inner_texts()
        assert all(any(title in line for line in remembered) for title in looked_at)
        if scripts:
            page.screenshot(path=screenshots / "home-after-three-rugs.png", full_page=True)

    browser.visit(scenario, scripts=scripts)


def is_rug(title: str) -> bool:
    return bool(re.search(r" (rug|runner|hearth rug), ", title))


@pytest.mark.parametrize("size", SIZES)
def test_every_page_fits_its_window_and_leaves_a_picture(
    browser: Browser, shop_address: str, screenshots: Path, size: str
) -> None:
    def scenario(page: Any) -> None:
        page.goto(f"{shop_address}item/67890")
        page.get_by_role("button", name="Add to cart").click()
        for name, path in PAGES.items():
            page.goto(shop_address + path, wait_until="networkidle")
            wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wider <= 0, f"{name} is {wider} px wider than a {size}"
            assert page.locator("h1").count() == 1
            assert page.locator("main img:visible").count()
            for height in range(0, page.evaluate("document.body.scrollHeight"), 600):  # wake what loads lazily
                page.evaluate(f"scrollTo(0, {height})")
                page.wait_for_timeout(50)
            page.wait_for_load_state("networkidle")
            page.evaluate("scrollTo(0, 0)")
            assert page.evaluate("[...document.images].filter(i => i.complete && !i.naturalWidth).length") == 0
            page.screenshot(path=screenshots / f"{name}-{size}.png", full_page=True)

    browser.visit(scenario, size=size)


def test_shelves_report_what_was_rendered_seen_and_clicked(browser: Browser, shop_address: str) -> None:
    clicked: list[str] = []

    def scenario(page: Any) -> None:
        page.goto(f"{shop_address}item/67890")
        card = page.locator('[data-placement="item-page"] .rec-card').first
        clicked.append(card.get_attribute("data-item-id"))
        card.scroll_into_view_if_needed()
        page.wait_for_timeout(1_500)
        card.locator("a").click()
        page.wait_for_load_state("networkidle")

    browser.visit(scenario)
    reported = reports("render_item_list", "view_item_list", "select_item")
    assert reported["select_item"] == set(clicked)
    assert set(clicked) <= reported["render_item_list"]
    assert set(clicked) <= reported["view_item_list"]


def reports(*wanted: str) -> dict[str, set[str]]:
    """Items by the event type that the browser reported of them, once every wanted type has come in."""
    deadline = time.monotonic() + 10
    while True:
        found: dict[str, set[str]] = {name: set() for name in wanted}
        rows = Event.objects.filter(event_type__name__in=wanted, attribution__isnull=False)
        for name, item in rows.values_list("event_type__name", "item__external_id"):
            found[name].add(item)
        if all(found.values()) or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def test_a_lazy_shelf_fills_when_it_comes_near(browser: Browser, shop_address: str) -> None:
    def scenario(page: Any) -> None:
        page.goto(f"{shop_address}item/67890")
        place = page.locator("[data-recommendations]")
        place.scroll_into_view_if_needed()
        place.locator(".rec-card").first.wait_for()
        assert shelf(page, "viewed-together")

    browser.visit(scenario)


def test_one_sees_the_shop_as_another_shopper(browser: Browser, shop_address: str, screenshots: Path) -> None:
    def scenario(page: Any) -> None:
        page.goto(shop_address)
        page.locator(".who summary").click()
        page.get_by_role("button", name="Shopper 12345").click()
        page.wait_for_load_state("networkidle")
        titles = shelf(page, "home")
        assert sum(bool(re.search(r"(mug|cup|teapot), ", title)) for title in titles) > 2 * len(titles) / KINDS
        page.screenshot(path=screenshots / "home-shopper-12345.png", full_page=True)

    browser.visit(scenario)


def test_the_keyboard_reaches_the_content_first(browser: Browser, shop_address: str) -> None:
    def scenario(page: Any) -> None:
        page.goto(shop_address)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        unnamed = page.evaluate(
            "[...document.querySelectorAll('a, button')].filter(e => !e.closest('[aria-hidden=true]') && "
            "!(e.textContent.trim() || e.ariaLabel || e.querySelector('img[alt]:not([alt=\"\"])'))).length"
        )
        assert unnamed == 0

    browser.visit(scenario)
