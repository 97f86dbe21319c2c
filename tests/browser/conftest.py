"""A real browser, and a small trained shop for it to visit."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from apps.recommend.train import train_model
from apps.storefront import catalogue
from apps.storefront.services import demo_shop_create, public_key_keep
from apps.storefront.world import WorldSize
from apps.users.services import api_key_create
from recsys.env import ROOT

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip
MODELS = ("als", "item_knn", "content", "lexical", "popular", "trending", "bought_together", "viewed_together")
SCREENSHOTS = ROOT / "var" / "screenshots"

os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # playwright's loop runs in the thread that asks the database


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium; the tests are skipped where it is not installed."""
    if not CHROMIUM.exists():
        pytest.skip(f"needs {CHROMIUM}")
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def shop_address(live_server: Any) -> Iterator[str]:
    """The address of a small trained shop, with a key for its pages."""
    catalogue.catalogue_forget()
    demo_shop_create(WorldSize(items=480, shoppers=200, events=10_000, seed=5))
    for name in MODELS:
        train_model(name, force=True)
    public_key_keep(api_key_create(name="pages", kind="public", allowed_origins=[live_server.url])[1])
    yield f"{live_server.url}/shop/"
    catalogue.catalogue_forget()


@pytest.fixture
def screenshots() -> Path:
    """Where pictures of the pages are left for people to look at."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return SCREENSHOTS
