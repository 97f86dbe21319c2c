"""Compiled ranking of what was found, against `Slate.ranked`."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from apps.recommend.engine import best_found
from apps.recommend.engine.best_found import hashed
from apps.recommend.engine.types import Slate, tie_break

SCORES = st.sampled_from([0.0, -0.0, 1.5, -2.0, float("nan"), float("inf"), float("-inf"), 1e-45, -1e-45]) | st.floats(
    width=32
)


@given(found=st.dictionaries(st.integers(0, 2_000_000), SCORES, max_size=60), limit=st.integers(0, 70))
def test_the_best_are_those_that_sorting_all_finds_ties_and_unknown_scores_included(
    found: dict[int, float], limit: int
) -> None:
    rows, scores = np.array(list(found), np.int32), np.array(list(found.values()), np.float32)
    before = rows.copy(), scores.copy()
    best, expected = best_found.best(rows, scores, limit, "s"), Slate.ranked(rows, scores, limit, "s")
    np.testing.assert_array_equal(best.rows, expected.rows)
    np.testing.assert_array_equal(best.scores, expected.scores)
    assert best.source_names == ("s",)
    assert best.rows.dtype == np.int32
    assert best.scores.dtype == np.float32
    np.testing.assert_array_equal(best.source, expected.source)
    np.testing.assert_array_equal(rows, before[0])
    np.testing.assert_array_equal(scores, before[1])


@given(st.lists(st.integers(0, 2**31 - 1), min_size=1))
def test_rows_are_hashed_as_everywhere_else(rows: list[int]) -> None:
    array = np.array(rows, np.int32)
    assert [hashed(row) for row in array] == tie_break(array).tolist()


@given(places=st.lists(st.integers(-1, 19), min_size=8, max_size=8), seed=st.integers(0, 99), frozen=st.booleans())
def test_what_is_gone_or_may_not_be_shown_is_dropped_and_the_rest_keeps_its_order(
    places: list[int], seed: int, frozen: bool
) -> None:
    rng = np.random.default_rng(seed)
    to_catalog, eligible = np.array(places, np.int32), rng.random(20) < 0.5
    found, scores = rng.permutation(8).astype(np.int32)[:6], rng.normal(size=6).astype(np.float32)
    for array in (to_catalog, eligible, found, scores):
        array.flags.writeable = not frozen  # mapped from a file or not
    rows, kept = best_found.shown(found, scores, to_catalog, eligible)
    expected = [
        (places[row], score)
        for row, score in zip(found.tolist(), scores.tolist(), strict=True)
        if places[row] >= 0 and eligible[places[row]]
    ]
    assert list(zip(rows.tolist(), kept.tolist(), strict=True)) == expected
