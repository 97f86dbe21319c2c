"""The accuracy benchmark on the command line: two files in, figures out, no database anywhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    rng = np.random.default_rng(2)
    rows = [[user, *rng.choice(np.arange(15) * 4 + user % 4, size=10, replace=False)] for user in range(80)]
    for name, part in (("train", slice(1, 8)), ("test", slice(8, None))):
        text = "\n".join(" ".join(map(str, [row[0], *row[part]])) for row in rows)
        (tmp_path / f"{name}.txt").write_text(text)
    return ["--train", str(tmp_path / "train.txt"), "--test", str(tmp_path / "test.txt")]


def benchmark(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "benchmark", "accuracy", *arguments],
        cwd=ROOT,
        env=os.environ | {"VAR_DIR": str(folder / "var"), "DATABASE_URL": f"sqlite:///{folder}/none/shop.sqlite3"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_prints_a_table_and_writes_json_a_page_and_markdown(tmp_path: Path, files: list[str]) -> None:
    out, page, table = (str(tmp_path / name) for name in ("result.json", "result.html", "result.md"))
    done = benchmark(
        tmp_path, *files, "--algorithms", "rp3beta,popularity", "--trials", "1",
        "--out", out, "--html", page, "--markdown", table,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "The recipe minus its best part, rp3beta" in done.stdout
    content = json.loads(Path(out).read_text())
    assert [one["algorithm"] for one in content["results"]] == ["rp3beta", "popularity"]
    assert content["recipe"]["parts"]["rp3beta"]["weight"] > 0
    assert "<svg" in Path(page).read_text()
    assert Path(table).read_text().startswith("| algorithm |")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--algorithms", "magic"], "magic is no algorithm"),
        (["--set", "rp3beta.alpha=much", "--algorithms", "rp3beta"], "alpha"),
        (["--budget-minutes", "0"], "--budget-minutes"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_sentence(
    tmp_path: Path, files: list[str], arguments: list[str], said: str
) -> None:
    done = benchmark(tmp_path, *files, *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broken_line_is_named_with_its_file(tmp_path: Path, files: list[str]) -> None:
    (tmp_path / "test.txt").write_text("0 1\n1 two\n")
    done = benchmark(tmp_path, *files, "--algorithms", "rp3beta", "--trials", "0")
    assert done.returncode == 1
    assert "test.txt, line 2" in done.stderr
