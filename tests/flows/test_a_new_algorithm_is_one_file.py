"""A shop adds one file and one table, and has a new model. Nothing else is touched."""

import csv
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

ALGORITHM = '''
"""Items in the order of their ids: as little as an algorithm can be."""

import numpy as np

from apps.plugins import ComponentConfig
from apps.recommend.engine.registries import ALGORITHMS


class AlphabetModel:
    def __init__(self, item_ids, scores):
        self.item_ids, self.scores = item_ids, scores

    def score(self, query, rows):
        return self.scores[rows]

    def contributions(self, query, rows):
        return np.zeros((len(rows), len(query.evidence)), dtype=np.float32)

    def to_arrays(self):
        return {"item_ids": self.item_ids, "scores": self.scores}

    @classmethod
    def from_arrays(cls, arrays):
        return cls(arrays["item_ids"], arrays["scores"])


@ALGORITHMS.register("alphabet")
class Alphabet:
    class Config(ComponentConfig):
        descending: bool = False
        """From the last to the first."""

    Model = AlphabetModel
    collaborative = False
    reads_texts = False

    def __init__(self, config):
        self.config = config

    def fit(self, interactions, items, rng):
        scores = np.arange(len(items), dtype=np.float32)
        return AlphabetModel(items.ids, scores if self.config.descending else -scores)
'''


class Shop:
    """An installation of its own, with a folder of plug-ins."""

    def __init__(self, folder: Path) -> None:
        self.plugins = folder / "plugins"
        self.environment = os.environ | {
            "VAR_DIR": str(folder / "var"),
            "DATABASE_URL": f"sqlite:///{folder / 'shop.sqlite3'}",
            "PLUGINS_DIR": str(self.plugins),
            "TEXT_ENCODER": "tfidf",
        }
        items, events = folder / "items.csv", folder / "events.csv"
        with items.open("w", newline="") as file:
            csv.writer(file).writerows([("item_id", "title"), *((f"i{n}", f"Item {n}") for n in range(12))])
        start = datetime.now(UTC) - timedelta(days=20)
        rows = [
            ("purchase", f"u{user}", f"i{(user + step) % 12}", (start + timedelta(days=step, minutes=user)).isoformat())
            for user in range(20)
            for step in range(10)
        ]
        with events.open("w", newline="") as file:
            csv.writer(file).writerows([("interaction_type", "user_id", "item_id", "occurred_at"), *rows])
        self.manage("migrate", "--verbosity", "0")
        self.manage("import_items", str(items))
        self.manage("import_events", str(events))

    def add_plugin(self) -> None:
        for name in ("algorithms", "pipelines"):
            (self.plugins / name).mkdir(parents=True)
        (self.plugins / "algorithms" / "alphabet.py").write_text(ALGORITHM)
        (self.plugins / "pipelines" / "models.toml").write_text(
            '[backwards]\nalgorithm = "alphabet"\ndescending = true\n'
        )

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.mark.slow
def test_a_file_and_a_table_make_a_model_that_is_checked_trained_and_evaluated(shop: Shop, tmp_path: Path):
    assert "backwards" not in shop.manage("train", "--list")
    shop.add_plugin()

    shop.manage("check")
    assert "backwards: activated." in shop.manage("train", "backwards")
    listed = next(line for line in shop.manage("train", "--list").splitlines() if line.startswith("backwards"))
    assert listed.split()[1] == "alphabet"
    assert listed.split()[2].startswith("backwards-")

    figures = tmp_path / "figures.json"
    shop.manage("evaluate", "backwards", "--holdout-days", "4", "--json", str(figures))
    measured = {figure["model"] for figure in json.loads(figures.read_text())["figures"]}
    assert measured == {"popularity", "item_knn", "backwards"}
