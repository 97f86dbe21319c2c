"""Real workers, really killed: a training run is never lost, and nothing is left broken."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 90  # seconds; only ever waited in full when something is broken

# Learning lasts until the file `go` appears, so that the worker can be killed in the middle of it.
SLOW_ALGORITHM = """
import time
from pathlib import Path

import numpy as np

from apps.plugins import ComponentConfig
from apps.recommend.engine.algorithms.popularity import PopularityModel
from apps.recommend.engine.registries import ALGORITHMS


@ALGORITHMS.register("slow")
class Slow:
    class Config(ComponentConfig):
        folder: str
        \"\"\"Where it says that it has begun, and is told that it may end.\"\"\"

    Model = PopularityModel
    collaborative = False
    reads_texts = False

    def __init__(self, config):
        self.folder = Path(config.folder)

    def fit(self, interactions, items, rng):
        (self.folder / "begun").touch()
        while not (self.folder / "go").exists():
            time.sleep(0.05)
        return PopularityModel(np.arange(5, dtype=np.int64), np.arange(5, dtype=np.float32))
"""

REQUEST = """
import django
django.setup()
from apps.recommend.tasks import ask_for_training
print(ask_for_training("slow", requested_by="test").run_id)
"""


class Installation:
    """A SQLite installation of its own, with one slow model and a broker."""

    def __init__(self, folder: Path, broker: str) -> None:
        self.folder = folder
        self.log = folder / "worker.log"
        plugins = folder / "plugins"
        (plugins / "algorithms").mkdir(parents=True)
        (plugins / "pipelines").mkdir()
        (plugins / "algorithms" / "slow.py").write_text(SLOW_ALGORITHM)
        (plugins / "pipelines" / "models.toml").write_text(f'[slow]\nalgorithm = "slow"\nfolder = "{folder}"\n')
        kept = {
            name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "LD_LIBRARY_PATH"}
        }
        self.environment = kept | {
            "DJANGO_SETTINGS_MODULE": "recsys.settings",
            "SECRET_KEY": "only-for-tests-" + "0123456789" * 5,
            "VAR_DIR": str(folder / "var"),
            "DATABASE_URL": f"sqlite:///{folder / 'var' / 'recsys.sqlite3'}",
            "CELERY_BROKER_URL": broker,
            "PLUGINS_DIR": str(plugins),
            "TRAINING_LEASE_SECONDS": "3",
            "TEXT_ENCODER": "tfidf",
        }
        self.workers: list[subprocess.Popen[bytes]] = []
        self.python("manage.py", "migrate", "--verbosity", "0")

    def python(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def request(self) -> int:
        return int(self.python("-c", REQUEST))

    def start_worker(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "celery_worker", "worker", "-Q", "train,refresh"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.workers.append(worker)
        return worker

    def run(self) -> sqlite3.Row:
        with closing(sqlite3.connect(self.folder / "var" / "recsys.sqlite3", timeout=30)) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute("SELECT * FROM recommend_trainingrun ORDER BY id DESC").fetchone()

    def until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < deadline, f"{dict(self.run())}\n{self.log.read_text()[-5000:]}"
            time.sleep(0.1)

    def stop(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()


def redis_broker() -> str:
    """A database of the Redis that this run was given, without what an earlier run left in it."""
    import redis

    url = os.environ.get("REDIS_URL", "")
    if not url.startswith("redis"):
        pytest.skip("needs Redis (REDIS_URL)")
    broker = url.rsplit("/", 1)[0] + "/13" if url.count("/") > 2 else f"{url}/13"
    with closing(redis.Redis.from_url(broker)) as client:
        for pattern in ("train", "refresh", "_kombu*", "unacked*"):
            for key in client.scan_iter(pattern):
                client.delete(key)
    return broker


@pytest.fixture(params=["files", "redis"])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    broker = "filesystem://" if request.param == "files" else redis_broker()
    installation = Installation(tmp_path, broker)
    yield installation
    installation.stop()


@pytest.mark.slow
def test_killing_the_worker_while_it_trains_and_starting_it_again_ends_in_a_trained_model(installation):
    run_id = installation.request()
    worker = installation.start_worker()
    installation.until((installation.folder / "begun").exists)

    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    leftover = installation.folder / "var" / "models" / "slow" / f".run-{run_id}-dead"
    leftover.mkdir(parents=True)  # as if it had died while writing
    (leftover / "item_ids.npy").write_bytes(b"half an arr")
    assert installation.run()["status"] == "running"

    (installation.folder / "go").touch()
    installation.start_worker()
    installation.until(lambda: installation.run()["status"] not in {"queued", "running"})

    run = installation.run()
    assert (run["id"], run["status"], run["attempts"]) == (run_id, "activated", 2), run["message"]
    models = installation.folder / "var" / "models" / "slow"
    installation.until(lambda: not leftover.exists())
    (version,) = models.iterdir()
    assert json.loads((version / "manifest.json").read_text())["run"] == run_id
    assert version.name in installation.python("manage.py", "train", "slow", "--list")


@pytest.mark.slow
def test_a_run_whose_message_was_lost_is_trained_all_the_same(tmp_path):
    installation = Installation(tmp_path, "filesystem://")
    try:
        installation.request()
        shutil.rmtree(tmp_path / "var" / "broker")
        (tmp_path / "go").touch()
        installation.start_worker()
        installation.until(lambda: installation.run()["status"] == "activated")
        assert installation.run()["attempts"] == 1
    finally:
        installation.stop()
