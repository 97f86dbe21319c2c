"""Real web processes on one database: what one of them learns, and what is trained beside them, all of them serve."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.recommend.train import train_model
from apps.users.services import api_key_create
from tests.flows.conftest import EACH
from tests.processes import database_url, free_port, until

ROOT = Path(__file__).resolve().parents[2]
COMMAND = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["web"]["command"]

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


class Web:
    """A web server as docker-compose.yml starts it, on the test's database, at a port of its own."""

    def __init__(self, folder: Path, key: str, *, workers: int = 1) -> None:
        self.port, self.key = free_port(), key
        self.log = folder / f"web-{self.port}.log"
        ours = {"--host": "127.0.0.1", "--port": str(self.port), "--workers": str(workers)}
        command = [ours.get(before, word) for before, word in zip(["", *COMMAND], COMMAND, strict=False)]
        environment = {"DATABASE_URL": database_url(), "SERVING_REFRESH_SECONDS": "0.5", "LOG_LEVEL": "INFO"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT,
                env=os.environ | environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, str]:
        """One request over a connection of its own. Raises OSError or HTTPException where nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
            connection.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def answers(self) -> bool:
        try:
            return self.call("GET", "/health/live")[0] == 200
        except (OSError, http.client.HTTPException):
            assert self.process.poll() is None, self.said()
            return False

    def recommended(self) -> dict[str, Any]:
        """What shopper-1, who likes mugs, is recommended."""
        status, body = self.call("GET", f"/api/v1/recommendations/user/shopper-1?limit={2 * EACH}")
        assert status == 200, body
        return json.loads(body)

    def items(self) -> set[str]:
        return {entry["item_id"] for entry in self.recommended()["recommendations"]}

    def catalog_revision(self) -> float:
        """As of when it serves the catalog; asking does not make it look."""
        found = re.search(r"^recsys_served_catalog_revision\S* (\S+)$", self.call("GET", "/metrics")[1], re.MULTILINE)
        assert found is not None
        return float(found[1])

    def workers(self) -> set[int]:
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task").glob("*/children")
        return {int(child) for file in children for child in file.read_text().split()}

    def said(self) -> str:
        return self.log.read_text()[-5000:]

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # whatever is left
        except ProcessLookupError:
            pass
        self.process.wait()


class Shoppers:
    """Ask every server, one request after the other, from a thread for each, and note what came back."""

    def __init__(self, webs: Sequence[Web]) -> None:
        self.versions: dict[Web, list[str]] = defaultdict(list)
        self.failures: list[str] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(web,), daemon=True) for web in webs]

    def __enter__(self) -> "Shoppers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, web: Web) -> None:
        while not self._over.wait(0.02):
            try:
                self.versions[web].append(web.recommended()["model_version"])
            except (OSError, http.client.HTTPException, AssertionError) as failure:
                self.failures.append(repr(failure))


@pytest.fixture
def key(db: None) -> str:
    return api_key_create(name="flow", kind="secret")[1]


@pytest.fixture
def shop_with_a_model(shop: None) -> str:
    """The shop, its home page's first model trained; the version."""
    version = train_model("item_knn", force=True).version
    assert version is not None
    return version


@pytest.fixture
def started(tmp_path: Path, key: str) -> Iterator[Any]:
    """Starts web servers and waits until they answer; all of them end with the test, before its rows go."""
    with ExitStack() as stack:

        def start(count: int, **options: Any) -> list[Web]:
            webs = [Web(tmp_path, key, **options) for _ in range(count)]
            for web in webs:
                stack.callback(web.stop)
            for web in webs:
                until(web.answers, otherwise=web.said)
            return webs

        yield start


def test_a_new_model_version_is_served_by_every_process_and_no_request_fails_meanwhile(shop_with_a_model, started):
    webs = started(2)
    with Shoppers(webs) as shoppers:
        until(lambda: all(shoppers.versions[web] for web in webs))
        version = train_model("item_knn", force=True).version
        # Five seconds are promised, half a second is usual; this machine may be busy with other things.
        until(lambda: all(shoppers.versions[web][-1] == version for web in webs), patience=30)
    assert shoppers.failures == []
    for web in webs:
        # The old one, then the new one, and never back.
        assert [served for served, _ in groupby(shoppers.versions[web])] == [shop_with_a_model, version]


def test_an_item_that_one_process_is_told_to_hide_disappears_from_the_others(shop_with_a_model, started):
    told, other = started(2)
    shown = sorted(told.items() & other.items())
    assert len(shown) > 1
    before = other.catalog_revision()
    for hidden in shown[:2]:
        status, body = told.call("PATCH", f"/api/v1/items/{hidden}", {"available": False})
        assert status == 200, body
        for web in (told, other):
            until(lambda web=web, item=hidden: item not in web.items(), otherwise=web.said)
    assert other.catalog_revision() > before


def test_a_process_that_nobody_has_asked_yet_is_up_to_date_when_somebody_does(shop_with_a_model, started):
    told, idle = started(2)
    hidden = min(told.items())
    before = idle.catalog_revision()
    assert told.call("PATCH", f"/api/v1/items/{hidden}", {"available": False})[0] == 200
    until(lambda: idle.catalog_revision() > before, otherwise=idle.said)
    assert hidden not in idle.items()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds processes where Linux lists them")
def test_a_process_that_is_killed_is_replaced_and_the_others_go_on(shop_with_a_model, started):
    (web,) = started(1, workers=2)
    until(lambda: len(web.workers()) == 2)
    killed = min(web.workers())
    os.kill(killed, signal.SIGKILL)
    until(lambda: len(web.workers() - {killed}) == 2, otherwise=web.said)
    until(web.answers, otherwise=web.said)
    assert web.recommended()["model_version"] == shop_with_a_model
