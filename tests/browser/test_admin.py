"""The admin in a real browser: what a merchandiser does on a working day, on a desktop and on a phone."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User as Staff

from apps.recommend.models import Placement, TrainingRun
from tests.browser.conftest import SIZES, Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

PASSWORD = "shelf-life-9"
PAGES = {
    "home": "", "items": "catalog/item/", "item": "catalog/item/add/", "events": "interactions/event/",
    "event-types": "interactions/eventtype/", "placements": "recommend/placement/", "runs": "recommend/trainingrun/",
    "versions": "recommend/modelversion/", "keys": "users/apikey/add/",
    "schedule": "django_celery_beat/periodictask/", "staff": "auth/user/add/",
}  # fmt: skip


@pytest.fixture
def admin_address(shop_address: str) -> str:
    Staff.objects.create_superuser("ann", password=PASSWORD)
    return shop_address.replace("/shop/", "/admin/")


def sign_in(page: Any, address: str) -> None:
    page.goto(address)
    page.get_by_label("Username").fill("ann")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Overview").wait_for()


def test_an_edited_placement_is_what_the_shop_shows(
    browser: Browser, shop_address: str, admin_address: str, screenshots: Path
) -> None:
    def scenario(page: Any) -> None:
        sign_in(page, admin_address)
        page.screenshot(path=screenshots / "admin-overview.png", full_page=True)
        page.locator("td").get_by_role("link", name="Recommended for you").click()
        page.get_by_label("Label").fill("Loved by everybody")
        page.get_by_label("Pipeline").select_option("popular")
        page.get_by_label("Count", exact=True).fill("4")
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_text("was changed successfully").wait_for()
        page.screenshot(path=screenshots / "admin-placements.png")
        page.goto(shop_address)
        shelf = page.locator('[data-placement="home"]')
        assert "Loved by everybody" in shelf.inner_text()
        assert shelf.locator(".rec-card").count() == 4

    browser.visit(scenario)
    assert Placement.objects.get(key="home").fallback == ["trending", "popular"]


def test_train_now_asks_first_and_then_shows_the_run(browser: Browser, admin_address: str, screenshots: Path) -> None:
    def scenario(page: Any) -> None:
        sign_in(page, admin_address)
        page.goto(f"{admin_address}recommend/trainingrun/")
        page.get_by_text("Train now").click()
        page.locator("#dialog select").select_option("item_knn")
        page.screenshot(path=screenshots / "admin-train-now.png")
        page.locator("#dialog").get_by_role("button", name="Train").click()
        page.get_by_text("waiting for a worker").wait_for()

    browser.visit(scenario)
    [run] = TrainingRun.objects.filter(requested_by="ann")
    assert (run.model, run.status) == ("item_knn", "queued")


@pytest.mark.parametrize("size", SIZES)
def test_every_page_fits_its_window_and_leaves_a_picture(
    browser: Browser, admin_address: str, screenshots: Path, size: str
) -> None:
    def scenario(page: Any) -> None:
        sign_in(page, admin_address)
        for name, path in PAGES.items():
            page.goto(f"{admin_address}{path}", wait_until="networkidle")
            fits(page, name)
            page.screenshot(path=screenshots / f"admin-{name}-{size}.png", full_page=True)
        page.goto(f"{admin_address}recommend/modelversion/")
        page.locator("#result_list tbody a").first.click()
        page.get_by_text("95 % interval").wait_for()
        fits(page, "version")
        page.screenshot(path=screenshots / f"admin-version-{size}.png", full_page=True)

    def fits(page: Any, name: str) -> None:
        wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0, f"{name} is {wider} px wider than a {size}"

    browser.visit(scenario, size=size)
