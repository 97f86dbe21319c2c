"""A real browser, and a small trained shop for it to visit."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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
from tests.flows.conftest import MODELS

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
SCREENSHOTS = ROOT / "var" / "screenshots"


class Browser:
    """Chromium, driven from a thread of its own: playwright keeps an event loop running in its thread, beside which
    Django would hand the test another database connection."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._thread.submit(self._open).result()

    def visit(self, scenario: Callable[[Any], None], *, size: str = "desktop", scripts: bool = True) -> None:
        """Run `scenario` with the page of a fresh visitor. Fails when it does, or when the browser complained."""
        self._thread.submit(self._visit, scenario, size, scripts).result()

    def close(self) -> None:
        self._thread.submit(self._close).result()
        self._thread.shutdown()

    def _open(self) -> None:
        self._driver = sync_playwright().start()
        self._chromium = self._driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)

    def _close(self) -> None:
        self._chromium.close()
        self._driver.stop()

    def _visit(self, scenario: Callable[[Any], None], size: str, scripts: bool) -> None:
        context = self._chromium.new_context(viewport=SIZES[size], java_script_enabled=scripts)
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda line: complaints.append(line.text) if line.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("response", lambda it: complaints.append(f"{it.status} {it.url}") if it.status >= 400 else None)
        try:
            scenario(page)
            assert complaints == []
        finally:
            context.close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; the tests are skipped where it is not installed."""
    if not CHROMIUM.exists():
        pytest.skip(f"needs {CHROMIUM}")
    chromium = Browser()
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
