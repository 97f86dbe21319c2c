"""Real web servers for tests: started as docker-compose.yml starts them, asked over HTTP, stopped with the test."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.processes import database_url, free_port, until

ROOT = Path(__file__).resolve().parents[2]
COMMAND = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["web"]["command"]
GONE = (OSError, http.client.HTTPException)
"""What asking a server raises that does not answer."""


class Web:
    """A web server as docker-compose.yml starts it, on the test's database, at a port of its own."""

    def __init__(
        self, folder: Path, key: str, *, workers: int = 1, environment: Mapping[str, str] | None = None
    ) -> None:
        self.port, self.key = free_port(), key
        self.log = folder / f"web-{self.port}.log"
        ours = {"--host": "127.0.0.1", "--port": str(self.port), "--workers": str(workers)}
        command = [ours.get(before, word) for before, word in zip(["", *COMMAND], COMMAND, strict=False)]
        said = {"SERVING_REFRESH_SECONDS": "0.5", "LOG_LEVEL": "INFO"} | dict(environment or {})
        said.setdefault("DATABASE_URL", database_url())
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT,
                env=os.environ | said,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def call(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """One request over a connection of its own. Raises one of GONE where nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            sent = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"} | dict(headers or {})
            connection.request(method, path, body=None if body is None else json.dumps(body), headers=sent)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def answers(self) -> bool:
        try:
            return self.call("GET", "/health/live")[0] == 200
        except GONE:
            assert self.process.poll() is None, self.said()
            return False

    def get(self, path: str, **headers: str) -> Any:
        """The JSON that is answered with 200 below the API's address."""
        status, body = self.call("GET", f"/api/v1/{path}", headers=headers)
        assert status == 200, f"{path}: {status} {body}"
        return json.loads(body)

    def items(self, path: str) -> list[str]:
        """The ids of the items recommended there, in order."""
        return [entry["item_id"] for entry in self.get(path)["recommendations"]]

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


@contextmanager
def webs(count: int, folder: Path, key: str, **options: Any) -> Iterator[list[Web]]:
    """That many servers, once they answer; all of them end with the block."""
    with ExitStack() as stack:
        started = [Web(folder, key, **options) for _ in range(count)]
        for web in started:
            stack.callback(web.stop)
        for web in started:
            until(web.answers, otherwise=web.said)
        yield started


class Shoppers:
    """Ask every server the same again and again, from threads of their own, and look at every answer.

    `look` raises AssertionError for an answer that is wrong. What was wrong, and how long the slowest answer took, is
    there to be read afterwards.
    """

    def __init__(
        self,
        servers: Sequence[Web],
        paths: Sequence[str],
        look: Callable[[Web, str, Any], None],
        *,
        threads: int = 1,
        pause: float = 0.02,
    ) -> None:
        self.failures: list[str] = []
        self.answered = 0
        self.slowest = 0.0
        self._paths, self._look, self._pause = paths, look, pause
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(web,), daemon=True) for web in servers for _ in range(threads)
        ]

    def __enter__(self) -> "Shoppers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, web: Web) -> None:
        while True:
            for path in self._paths:
                if self._over.wait(self._pause):
                    return
                started = time.monotonic()
                try:
                    self._look(web, path, web.get(path))
                except (*GONE, AssertionError) as failure:
                    self.failures.append(f"{path}: {failure!r}")
                self.slowest = max(self.slowest, time.monotonic() - started)
                self.answered += 1
