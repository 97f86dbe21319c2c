"""The best of every row, whatever the ties, the gaps and the number of threads."""

import threading
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from apps.recommend.engine.evaluation import ranking
from apps.recommend.engine.evaluation.splits import temporal_split
from apps.recommend.engine.types import DAY, tie_break
from tests import worlds

CUT = worlds.NOW - 10 * DAY


def test_top_rows_are_those_of_sorting_with_nan_last() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(20, 50)).astype(np.float32)
    scores[rng.random(scores.shape) < 0.7] = np.nan
    for k in (1, 10, 50, 60):
        rows = ranking.top_rows(scores, k)
        assert rows.shape == (20, min(k, 50))
        for user in range(20):
            finite = np.flatnonzero(~np.isnan(scores[user]))
            expected = finite[np.argsort(-scores[user][finite])][:k]
            np.testing.assert_array_equal(rows[user][: len(expected)], expected)
            assert (rows[user][len(expected) :] == -1).all()


def test_ties_do_not_favour_low_rows() -> None:
    rows = ranking.top_rows(np.zeros((2, 1000), np.float32), 100)
    assert 300 < rows[0].mean() < 700
    np.testing.assert_array_equal(rows[0], rows[1])
    zeros = np.array([[0.0, -0.0, 0.0, -0.0]], np.float32)
    np.testing.assert_array_equal(ranking.top_rows(zeros, 4), ranking.top_rows(np.abs(zeros), 4))


def sorted_in_full(scores: NDArray[np.float32], k: int) -> NDArray[np.int32]:
    """The oracle: each row sorted by score, ties by their hash."""
    found = np.full((len(scores), min(k, scores.shape[1])), -1, dtype=np.int32)
    for row, one in enumerate(scores):
        known = np.flatnonzero(one > -np.inf)
        order = known[np.lexsort((tie_break(known), -one[known]))][:k]
        found[row, : len(order)] = order
    return found


def worlds_of_scores(rng: np.random.Generator, shape: tuple[int, int]) -> dict[str, NDArray[np.float32]]:
    found = {
        "all different": rng.normal(size=shape),
        "all the same": np.zeros(shape),
        "few levels": rng.integers(0, 3, size=shape),
        "mostly zero": np.where(rng.random(shape) < 0.01, rng.random(shape), 0),
        "best first": -np.sort(rng.normal(size=shape), axis=1),
        "mostly unknown": np.where(rng.random(shape) < 0.99, np.nan, rng.integers(0, 2, size=shape)),
        "nothing known": np.full(shape, np.nan),
        "infinities": rng.choice([-np.inf, np.inf, 0.0, 1.0], size=shape),
        "huge": rng.choice([np.finfo(np.float32).min, np.finfo(np.float32).max, 0.0], size=shape),
        "blocks": np.repeat(rng.integers(0, 2, size=(shape[0], 1)), shape[1], axis=1) * rng.random(shape),
    }
    return {name: scores.astype(np.float32) for name, scores in found.items()}


@pytest.mark.parametrize("columns", [1, 2, 255, 256, 257, 5_000])
@pytest.mark.parametrize("k", [1, 10, 300])
def test_top_rows_are_those_of_a_full_sort_whatever_the_scores_look_like(columns: int, k: int) -> None:
    rng = np.random.default_rng([columns, k])
    for name, scores in worlds_of_scores(rng, (5, columns)).items():
        before = scores.copy()
        rows, values = ranking.top_rows_and_scores(scores, k)
        np.testing.assert_array_equal(rows, sorted_in_full(scores, k), err_msg=name)
        expected = np.where(rows >= 0, np.take_along_axis(scores, np.maximum(rows, 0), axis=1), np.nan)
        np.testing.assert_array_equal(values, expected, err_msg=name)
        np.testing.assert_array_equal(scores, before)


def test_rows_with_and_without_crowds_of_ties_can_stand_in_one_batch() -> None:
    rng = np.random.default_rng(0)
    scores = np.concatenate(list(worlds_of_scores(rng, (3, 4_000)).values()))
    np.testing.assert_array_equal(ranking.top_rows(scores, 20), sorted_in_full(scores, 20))


def test_no_items_no_users_and_no_places_give_empty_lists() -> None:
    for shape, k, expected in (((0, 5), 3, (0, 3)), ((3, 0), 3, (3, 0)), ((3, 5), 0, (3, 0))):
        rows, values = ranking.top_rows_and_scores(np.zeros(shape, np.float32), k)
        assert rows.shape == values.shape == expected


def test_the_number_of_threads_changes_nothing(
    world: worlds.World, fitted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "BATCH_SCORES", 400)
    split = temporal_split(world.interactions, at=CUT)
    evidence = ranking.evidence_of(split, None)
    for name in ("als", "item_knn", "popularity"):
        one, four = (
            ranking.recommended_rows(
                fitted(name), split, evidence, 10, exclude_had=True, as_of=split.at, threads=threads
            )
            for threads in (1, 4)
        )
        np.testing.assert_array_equal(one, four)


def test_batches_are_ranked_by_several_threads_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "BATCH_SCORES", 10)
    together = threading.Barrier(2, timeout=20)  # broken unless two threads stand before it at a time
    seen: list[tuple[int, int]] = []

    def work(batch: slice) -> None:
        together.wait()
        seen.append((batch.start, batch.stop))

    ranking.each_batch(work, n_users=20, n_items=5, threads=2)
    assert sorted(seen) == [(start, start + 2) for start in range(0, 20, 2)]


def test_what_a_model_raises_in_a_thread_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "BATCH_SCORES", 1)

    def work(batch: slice) -> None:
        raise ZeroDivisionError(str(batch.start))

    with pytest.raises(ZeroDivisionError, match="0"):
        ranking.each_batch(work, n_users=5, n_items=1, threads=2)


def test_scores_that_must_not_be_written_to_are_copied(world: worlds.World) -> None:
    class Frozen:
        item_ids = world.interactions.item_ids
        scores = np.arange(len(item_ids), dtype=np.float64)

        def score_batch(self, histories: Any) -> Any:
            return np.broadcast_to(self.scores, histories.shape)

    split = temporal_split(world.interactions, at=CUT)
    evidence = ranking.evidence_of(split, None)
    model: Any = Frozen()
    found = ranking.recommended_rows(model, split, evidence, 5, exclude_had=True, as_of=split.at)
    had = split.had.toarray()
    for user, rows in enumerate(found):
        assert rows.tolist() == [row for row in range(len(model.item_ids) - 1, -1, -1) if not had[user, row]][:5]
