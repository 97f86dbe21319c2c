"""Real web processes on one database: what one of them learns, and what is trained beside them, all of them serve."""

import os
import signal
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import pytest

from apps.recommend.train import train_model
from apps.users.services import api_key_create
from tests.flows.conftest import EACH, KINDS
from tests.flows.webs import Shoppers, Web, webs
from tests.processes import until

SHELF = f"recommendations/user/shopper-1?limit={2 * EACH}"  # all there is
KNOWN = {f"{kind}-{number}" for kind in KINDS for number in range(EACH)}

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def key(db: None) -> str:
    return api_key_create(name="flow", kind="secret")[1]


@pytest.fixture
def shop_with_a_model(shop: None) -> str:
    """The shop, its home page's first model trained; the version."""
    return trained()


@pytest.fixture
def started(tmp_path: Path, key: str) -> Iterator[Any]:
    """Starts web servers and waits until they answer; all of them end with the test, before its rows go."""
    with ExitStack() as stack:
        yield lambda count, **options: stack.enter_context(webs(count, tmp_path, key, **options))


def trained() -> str:
    """A new version of the model, active."""
    version = train_model("item_knn", force=True).version
    assert version is not None
    return version


def test_new_model_versions_are_served_by_every_process_and_no_request_fails_meanwhile(shop_with_a_model, started):
    servers = started(2)
    versions: dict[Web, list[str]] = defaultdict(list)

    def look(web: Web, path: str, answer: Any) -> None:
        found = [entry["item_id"] for entry in answer["recommendations"]]
        assert len(set(found)) == len(found) == 2 * EACH, found
        assert set(found) <= KNOWN
        versions[web].append(answer["model_version"])

    served = [shop_with_a_model]
    with Shoppers(servers, [SHELF], look, threads=3) as shoppers:
        until(lambda: all(versions[web] for web in servers))
        for _ in range(3):
            served.append(trained())
            # A second is usual; this machine may be busy with other things.
            until(lambda: all(versions[web][-1] == served[-1] for web in servers), otherwise=servers[0].said)
    assert shoppers.failures == []
    for web in servers:
        # Each version in turn, and never back but for answers that were under way.
        order = [served.index(version) for version in versions[web]]
        assert max(before - after for before, after in pairwise(order)) <= 1
        assert [version for version, _ in groupby(sorted(order))] == [0, 1, 2, 3]


def test_a_process_that_nobody_has_asked_yet_is_up_to_date_when_somebody_does(shop_with_a_model, started):
    told, idle = started(2)
    hidden = min(told.items(SHELF))
    before = idle.catalog_revision()
    assert told.call("PATCH", f"/api/v1/items/{hidden}", {"available": False})[0] == 200
    until(lambda: idle.catalog_revision() > before, otherwise=idle.said)
    assert hidden not in idle.items(SHELF)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds processes where Linux lists them")
def test_a_process_that_is_killed_is_replaced_and_the_others_go_on(shop_with_a_model, started):
    (web,) = started(1, workers=2)
    until(lambda: len(web.workers()) == 2)
    killed = min(web.workers())
    os.kill(killed, signal.SIGKILL)
    until(lambda: len(web.workers() - {killed}) == 2, otherwise=web.said)
    until(web.answers, otherwise=web.said)
    assert web.get(SHELF)["model_version"] == shop_with_a_model
