"""The shop under load: filled, its servers started, its shoppers' revisions moved between the rounds."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from apps.recommend.benchmarks.serving import asking, servers
from apps.recommend.benchmarks.serving.asking import Asking
from apps.recommend.benchmarks.serving.backends import Backends, backends
from apps.recommend.benchmarks.serving.merchandising import Shelf
from apps.recommend.benchmarks.serving.plan import Plan
from apps.recommend.benchmarks.serving.processes import Child, Failed, Processes
from apps.recommend.benchmarks.serving.servers import Server
from apps.recommend.engine.progress import report

Say = Callable[[str], object]

_EVENTS_AT_ONCE = 1_000
_PREPARING = "apps.recommend.benchmarks.serving.preparing"


@dataclass
class Shop:
    """One catalog with what a run needs of it. `faults` collects what makes a figure doubtful."""

    plan: Plan
    items: int
    processes: Processes
    backends: Backends
    var: Path
    key: str
    views: NDArray[np.int64]  # the item that each active user looks at next
    popular: NDArray[np.int64]  # items, the most popular first
    shelf: Shelf
    ours: Server | None = None
    baselines: Server | None = None
    faults: list[str] = field(default_factory=list)
    _next: int = 0

    @property
    def server(self) -> Server:
        """Ours, started when first needed; one that was started is awake."""
        if self.ours is None:
            report("starting the servers", 0, 1)
            self.ours = servers.start(
                self.processes, "ours", servers.OURS, workers=self.plan.workers, key=self.key, ready="/health/ready"
            )
            self._check_answers()
        return self.ours

    @property
    def asking(self) -> Asking:
        return Asking(self.server.host, self.key)

    @property
    def fresh_users(self) -> int:
        """Active users that are not hot."""
        return self.plan.active_users - self.plan.hot_users

    @property
    def hot_users(self) -> range:
        return range(self.fresh_users, self.plan.active_users)

    def hot_paths(self) -> list[str]:
        """Requests that are asked again and again."""
        return [self.asking.home(user) for user in self.hot_users]

    def renewed(self, count: int) -> list[int]:
        """`count` users whose taste has changed since they were last asked for (fewer where there are fewer).

        Each of them has looked at an item, told through the API: so their profile is where it is in production.
        """
        count = min(count, self.fresh_users)
        users = [(self._next + place) % self.fresh_users for place in range(count)]
        self._next = (self._next + count) % self.fresh_users
        for start in range(0, count, _EVENTS_AT_ONCE):
            report("shoppers look at items", start, count)
            part = users[start : start + _EVENTS_AT_ONCE]
            said = self.server.ask("/api/v1/interactions", [asking.event(user, int(self.views[user])) for user in part])
            stored = json.loads(said.body).get("stored") if said.status == 200 else None
            if stored != len(part):
                raise Failed(f"{len(part)} events sent, {stored} stored: {said.status} {said.body[:300]!r}")
        return users

    def warm(self) -> None:
        """Ask for what is hot until every worker has answered, so that it is cached."""
        paths = self.hot_paths()
        for turn in range(2 * self.plan.workers):
            for place, path in enumerate(paths):
                report("asking for what is hot", turn * len(paths) + place, 2 * self.plan.workers * len(paths))
                self.server.ask(path)

    def start_baselines(self) -> Server:
        """The baselines' server, which gives out an answer of ours. Idle servers are paused while another is asked."""
        if self.baselines is None:
            answer = self.server.ask(self.asking.home(self.hot_users[0]))
            (self.var / "baseline" / "answer.json").write_bytes(answer.body)
            self.baselines = servers.start(
                self.processes, "baselines", servers.BASELINES, workers=self.plan.workers, key=self.key, ready="/drf/0"
            )
            for path in ("/bytes/0", "/drf/0"):
                if json.loads(self.baselines.ask(path).body) != json.loads(answer.body):
                    raise Failed(f"{path} does not give out our answer.")
            if len(json.loads(self.baselines.ask("/implicit/0").body)["recommendations"]) != asking.LIMIT:
                raise Failed("The baseline with implicit does not answer as many entries as ours.")
            self.baselines.pause()
        return self.baselines

    @contextmanager
    def only(self, server: Server) -> Iterator[None]:
        """Within the block, the other servers stand still."""
        others = [one for one in (self.ours, self.baselines) if one is not None and one is not server]
        server.resume()
        for other in others:
            other.pause()
        time.sleep(0.1)
        try:
            yield
        finally:
            if self.ours is not None:
                self.ours.resume()

    def start(self, task: str, plan: dict[str, Any]) -> Child:
        """Begin a task of `preparing` in a process of its own."""
        return start_task(self.processes, task, plan)

    def finish(self, child: Child, say: Say = str) -> None:
        """Wait for such a task, passing on what it says. Raises Failed when it fails."""
        finish_task(self.processes, child, say)

    def _check_answers(self) -> None:
        """Answers must be complete before they are timed; ones that break a rule are timed, and called doubtful."""
        report("checking answers", 0, 1)
        home = [self.asking.home(user) for user in range(20)]
        views = [self.asking.item_page(int(item), 0) for item in self.popular[:5]]
        for path in [*home, *views]:
            answer = self.server.ask(path)
            if wrong := asking.faults(answer.status, answer.body):
                raise Failed(f"{path} is answered wrongly: {'; '.join(wrong[:3])}")
            if path in home:
                self.faults += self.shelf.breaches(asking.rows_of(answer.body))


@contextmanager
def open_shop(plan: Plan, items: int, scratch: Path, say: Say) -> Iterator[Shop]:
    """A filled shop with its database, Redis and files; all of it is gone afterwards."""
    processes = Processes(folder=Path(settings.BASE_DIR), scratch=scratch)
    var, metrics = scratch / "var", scratch / "metrics"
    for folder in (var, metrics, var / "baseline"):
        folder.mkdir()
    try:
        with backends(processes, scratch) as places:
            processes.variables = _environment(places, var, metrics)
            told = {
                "items": items,
                "users": plan.users(items),
                "active_users": plan.active_users,
                "twice": bool({"swap", "memory"} & {*plan.scenarios}),
                "baseline": str(var / "baseline"),
                "out": str(scratch / "shop.json"),
            }
            report("filling the shop", 0, 1)
            finish_task(processes, start_task(processes, "fill", told), say)
            about = json.loads((scratch / "shop.json").read_text())
            with np.load(scratch / "shop.npz") as kept:
                views, popular = kept["views"], kept["popular"]
                shelf = Shelf(*(kept[column.name] for column in fields(Shelf)))
            yield Shop(plan, items, processes, places, var, about["key"], views, popular, shelf)
    finally:
        processes.stop_all()


def start_task(processes: Processes, task: str, plan: dict[str, Any]) -> Child:
    """Begin a task of `preparing`."""
    return processes.start(task, [sys.executable, "-m", _PREPARING, task, json.dumps(plan)])


def finish_task(processes: Processes, child: Child, say: Say) -> None:
    """Wait for the task's end; lines for people are passed on. Raises Failed when it fails."""
    heard = 0
    ended = False
    while not ended:
        time.sleep(0.2)
        ended = child.process.poll() is not None
        lines = child.log.read_text(errors="replace").splitlines()
        for line in lines[heard:]:
            if line.startswith("- "):
                say(f"  {line.removeprefix('- ')}")
        heard = len(lines)
    code, last = child.process.returncode, child.last_lines()
    processes.stop(child)
    if code:
        raise Failed(f"{child.name} failed:\n{last}")


def _environment(places: Backends, var: Path, metrics: Path) -> dict[str, str]:
    """As docker-compose.yml sets it; the knobs that shape figures are as they are by default."""
    return {
        "DJANGO_SETTINGS_MODULE": "recsys.settings",
        "DATABASE_URL": places.database_url,
        "REDIS_URL": places.redis_url,
        "CELERY_BROKER_URL": places.redis_url,
        "VAR_DIR": str(var),
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "OPENBLAS_NUM_THREADS": "1",
        "SECRET_KEY": "only-for-the-benchmark-" + "0123456789" * 4,
        "DEBUG": "false",
        "HTTPS": "false",
        "ALLOWED_HOSTS": "127.0.0.1",
        "RESULT_CACHE_SECONDS": "300",
        "SERVING_REFRESH_SECONDS": "0.5",
        "LOG_LEVEL": "INFO",
        "LOG_FORMAT": "json",
        "TEXT_ENCODER": "tfidf",  # nothing is encoded: the content model's vectors are made
    }
