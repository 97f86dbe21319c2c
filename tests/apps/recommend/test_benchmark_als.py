"""The benchmark of ALS on a small file, and what it says about files that are not what it wants."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from apps.recommend.benchmarks import als
from apps.recommend.benchmarks.lightgcn_file import read_pairs
from tests import worlds


def write(path: Path, pairs: np.ndarray) -> Path:
    path.write_text("".join(f"{user} {' '.join(map(str, np.flatnonzero(row)))}\n" for user, row in enumerate(pairs)))
    return path


def test_both_are_timed_and_ranked_on_the_same_pairs(tmp_path: Path) -> None:
    had = worlds.planted(groups=2, users_per_group=20, items_per_group=15).interactions.matrix().toarray() > 0
    test = had & (np.random.default_rng(0).random(had.shape) < 0.2)
    train = had & ~test
    said: list[str] = []
    figures = als.measure(write(tmp_path / "a", train), write(tmp_path / "b", test), 8, 4, 3, said.append)
    assert (figures.users, figures.items, figures.pairs) == (*had.shape, train.sum())
    assert figures.ratio == figures.fit_seconds / figures.implicit_seconds
    assert figures.recall is not None
    assert figures.implicit_recall is not None
    assert 0.3 < figures.recall <= 1
    assert 0.3 < figures.implicit_recall <= 1
    assert sum(line.startswith("round") for line in said) == 3


def test_without_a_test_file_nothing_is_ranked(tmp_path: Path) -> None:
    figures = als.measure(write(tmp_path / "a", np.eye(5, dtype=bool)), None, 2, 1, 1, lambda line: None)
    assert (figures.recall, figures.ndcg, figures.implicit_recall, figures.implicit_ndcg) == (None,) * 4


def test_packed_files_gaps_repetitions_and_users_without_items_are_read(tmp_path: Path) -> None:
    path = tmp_path / "train.txt.gz"
    path.write_bytes(gzip.compress(b"0 3 1 3\n\n4\n7 0\n"))
    users, items = read_pairs(path)
    assert list(zip(users.tolist(), items.tolist(), strict=True)) == [(0, 1), (0, 3), (7, 0)]


def test_a_line_that_is_not_numbers_is_named(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_text("0 1\n1 two\n")
    with pytest.raises(ValueError, match=r"train\.txt, line 2"):
        read_pairs(path)
