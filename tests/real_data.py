"""The real data sets: read where they lie, never copied into the repository."""

import os
from pathlib import Path

import pytest

_BESIDE_THE_REPOSITORY = Path(__file__).resolve().parents[2] / "shared" / "data"


def real_data(*names: str) -> Path:
    """The path of a real data set, e.g. `real_data("online-retail")`; its folder is only to be read.

    Looked for in RECSYS_DATA_DIR, else in ../shared/data beside the repository. Skips the test where it is
    missing; under CI=true that skip is a failure.
    """
    folder = Path(os.environ.get("RECSYS_DATA_DIR") or _BESIDE_THE_REPOSITORY)
    path = folder.joinpath(*names)
    if not path.exists():
        pytest.skip(f"needs the data set {'/'.join(names)} in {folder} (set RECSYS_DATA_DIR)")
    return path
