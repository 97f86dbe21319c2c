"""`manage.py demo`, really started: it runs, says how to use it, does what README says, and ends without a trace."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from tests.processes import free_port, until

ROOT = Path(__file__).resolve().parents[2]
SMALL_WORLD = ("--items", "120", "--shoppers", "120", "--events", "4000")

pytestmark = pytest.mark.slow


class Demo:
    """The demo in a folder of its own, at a port of its own, on what it uses when nothing is configured."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.var = folder / "var"
        self.log = folder / "demo.log"
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
        self.environment = kept | {"VAR_DIR": str(self.var), "PORT": str(self.port), "TEXT_ENCODER": "tfidf"}
        self.environment |= {"SECRET_KEY": "only-for-tests-" + "0123456789" * 5}
        for command in (("migrate", "--verbosity", "0"), ("create_demo_shop", *SMALL_WORLD)):
            subprocess.run(self._command(*command), cwd=ROOT, env=self.environment, check=True, capture_output=True)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self._command("demo"), cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def _command(self, *words: str) -> list[str]:
        return [sys.executable, "manage.py", *words]

    def said(self) -> str:
        return self.log.read_text()[-5000:]

    def running(self) -> bool:
        """Whether it has said where everything is, which it does once everything runs."""
        assert self.process.poll() is None, self.said()
        return "Ctrl-C stops everything" in self.log.read_text()

    def processes(self) -> list[str]:
        """Commands of everything that was started for this demo and is still there, known by its folder."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if f"VAR_DIR={self.var}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:  # gone meanwhile, or somebody else's
                continue
        return found

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def requests_library() -> ModuleType:
    """What README uses of the library `requests`, with its way of writing parameters; remembers its `answers`."""
    library = ModuleType("requests")
    answers: list[tuple[int, Any]] = []

    def send(request: Request) -> None:
        try:
            with urlopen(request, timeout=30) as response:
                answers.append((response.status, json.load(response)))
        except HTTPError as refused:
            answers.append((refused.code, json.load(refused)))

    def get(url: str, params: dict[str, object], headers: dict[str, str]) -> None:
        send(Request(f"{url}?{urlencode(params)}", headers=headers))

    def post(url: str, json: object, headers: dict[str, str]) -> None:
        body = _dumps(json)
        send(Request(url, data=body, headers=headers | {"Content-Type": "application/json"}))

    vars(library).update(get=get, post=post, answers=answers)
    return library


def _dumps(value: object) -> bytes:
    return json.dumps(value).encode()


def readme_example(*, host: str, key: str) -> str:
    """The Python of README, with host and key replaced."""
    (example,) = re.findall(r"```python\n(import requests.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert "localhost:8000" in example
    assert "Bearer …" in example
    return example.replace("localhost:8000", host).replace("Bearer …", f"Bearer {key}")


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    demo = Demo(tmp_path)
    yield demo
    demo.stop()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes where Linux lists them")
def test_the_demo_runs_does_what_readme_says_and_leaves_nothing_behind(demo, monkeypatch):
    until(demo.running, patience=120, otherwise=demo.said)

    access = json.loads((demo.var / "demo.json").read_text())
    base = f"http://localhost:{demo.port}"
    assert set(access) == {
        "shop_url", "admin_url", "docs_url", "admin_user", "admin_password", "secret_key", "public_key"
    }  # fmt: skip
    assert all(access.values())
    for address in ("shop_url", "admin_url", "docs_url"):
        assert access[address].startswith(base)
        assert access[address] in demo.said()
        with urlopen(access[address], timeout=30) as page:
            assert page.status == 200

    library = requests_library()
    monkeypatch.setitem(sys.modules, "requests", library)
    exec(readme_example(host=f"localhost:{demo.port}", key=access["secret_key"]), {})
    (asked, recommended), (told, stored) = library.answers
    assert asked == 200, recommended
    assert len(recommended["recommendations"]) == 10
    assert all(entry["reason"]["text"] for entry in recommended["recommendations"])
    assert told in {200, 201, 202}, stored

    commands = " ".join(demo.processes())
    for part in ("manage.py demo", "granian", "celery_worker worker", "celery_worker beat"):
        assert part in commands
    demo.process.send_signal(signal.SIGTERM)
    assert demo.process.wait(30) == 0, demo.said()
    assert demo.processes() == []
    with pytest.raises(URLError):
        urlopen(f"{base}/health/live", timeout=5)
