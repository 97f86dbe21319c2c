"""The benchmark of the matrix leaves no trace and tells what it measured."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_the_matrix_benchmark_measures_in_a_scratch_database(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    environment = os.environ | {
        "VAR_DIR": str(tmp_path / "var"),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'shop.sqlite3'}",
    }
    done = subprocess.run(
        [
            sys.executable,
            "manage.py",
            "benchmark",
            "matrix",
            "--events",
            "2000",
            "--rounds",
            "1",
            "--json",
            str(report),
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(report.read_text())
    assert figures["events"] == 2000
    assert 0 < figures["nonzeros"] <= 2000
    assert f"{figures['nonzeros']:,}" in done.stdout
    shop = tmp_path / "shop.sqlite3"
    assert not shop.exists() or shop.stat().st_size == 0
    assert not list((tmp_path / "var").glob("test*.sqlite3"))
