"""The engine's registries, one for each plug shape."""

from pathlib import Path
from typing import Any

from apps.plugins import Registry

ALGORITHMS: Registry[Any] = Registry("algorithm", "apps.recommend.engine.algorithms")
SOURCES: Registry[Any] = Registry("source", "apps.recommend.engine.sources")
STAGES: Registry[Any] = Registry("stage", "apps.recommend.engine.stages")
METRICS: Registry[Any] = Registry("metric", "apps.recommend.engine.evaluation.metrics")

FOLDERS = {"algorithms": ALGORITHMS, "sources": SOURCES, "stages": STAGES, "metrics": METRICS}


def add_plugins(folder: Path) -> None:
    """Let every registry also read the subfolder of `folder` that bears its name."""
    for name, registry in FOLDERS.items():
        if (folder / name).is_dir():
            registry.add_folder(folder / name)
