"""A model store of the test's own. Imports models inside fixtures: this file is read before Django is ready."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.recommend.engine.algorithms.popularity import PopularityModel


@pytest.fixture(autouse=True)
def models_folder(settings, tmp_path: Path) -> Path:
    settings.MODEL_DIR = tmp_path / "models"
    return settings.MODEL_DIR


@pytest.fixture
def popularity_model() -> PopularityModel:
    return PopularityModel(np.array([3, 5, 8], dtype=np.int64), np.array([0.5, 2.0, 1.0], dtype=np.float32))


@pytest.fixture
def stored(popularity_model: PopularityModel) -> Callable[..., str]:
    """Writes a version of the model `popular` to the store and returns its name."""

    from apps.recommend import model_store

    def write(version: str = "popular-20261121-1", **changes) -> str:
        arguments = {"algorithm": "popularity", "model": popularity_model, "indexes": {}, "facts": {}} | changes
        model_store.write(version=version, **arguments)
        return version

    return write


@pytest.fixture
def registered(stored: Callable[..., str], db: None) -> Callable[[int], Any]:
    """Writes version number `n` of the model `popular` and its row."""

    from apps.recommend.models import ModelVersion

    def register(n: int) -> ModelVersion:
        version = stored(f"popular-20261121-{n}")
        return ModelVersion.objects.create(model="popular", version=version, algorithm="popularity")

    return register
