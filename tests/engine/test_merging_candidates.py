"""Candidates of several sources become one slate."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from apps.recommend.engine.merge import Part, merge
from apps.recommend.engine.types import Slate


def slate(scores: dict[int, float], source: str = "s") -> Slate:
    rows = np.array(list(scores), dtype=np.int32)
    return Slate.ranked(rows, np.array(list(scores.values()), dtype=np.float32), 1000, source)


score_maps = st.dictionaries(st.integers(0, 50), st.floats(-100, 100, width=32), max_size=30)


def test_one_source_keeps_its_own_scores() -> None:
    merged = merge([Part("als", 0.3, slate({4: 2.0, 7: 5.0})), Part("empty", 1.0, Slate.empty())])
    assert merged.rows.tolist() == [7, 4]
    assert merged.scores.tolist() == [5.0, 2.0]
    assert merged.source_names == ("als",)


def test_an_item_that_two_sources_agree_on_beats_the_favourites_of_one() -> None:
    merged = merge([Part("a", 1.0, slate({1: 10.0, 2: 9.0, 3: 0.0})), Part("b", 1.0, slate({4: 1.0, 2: 0.9, 5: 0.0}))])
    assert merged.rows[0] == 2


def test_the_source_of_an_entry_is_the_one_that_added_most() -> None:
    merged = merge([Part("a", 1.0, slate({1: 10.0, 2: 0.0})), Part("b", 1.0, slate({2: 7.0, 3: 0.0}))])
    by_row = {int(row): merged.source_names[source] for row, source in zip(merged.rows, merged.source, strict=True)}
    assert by_row[1] == "a"
    assert by_row[2] == "b"


def test_weights_decide_between_sources() -> None:
    heavy_b = merge([Part("a", 1.0, slate({1: 1.0, 9: 0.0})), Part("b", 3.0, slate({2: 1.0, 8: 0.0}))])
    assert heavy_b.rows[0] == 2


@given(score_maps, score_maps)
def test_a_merged_slate_has_every_candidate_once_in_falling_order(a: dict[int, float], b: dict[int, float]) -> None:
    merged = merge([Part("a", 1.0, slate(a)), Part("b", 0.5, slate(b))])
    assert sorted(merged.rows.tolist()) == sorted(set(a) | set(b))
    assert (np.diff(merged.scores) <= 0).all()
    assert len(merged.scores) == len(merged.source) == len(merged.rows)


def test_ties_do_not_fall_to_low_row_numbers() -> None:
    rows = np.arange(1000, dtype=np.int32)
    top = Slate.ranked(rows, np.ones(1000, dtype=np.float32), 100, "s").rows
    assert 300 < top.mean() < 700


@given(st.lists(st.floats(-5, 5, width=32) | st.just(float("nan")), max_size=60), st.integers(1, 70))
def test_ranking_keeps_the_best_and_drops_what_cannot_be_scored(values: list[float], limit: int) -> None:
    scores = np.array(values, dtype=np.float32)
    ranked = Slate.ranked(np.arange(len(scores), dtype=np.int32), scores, limit, "s")
    expected = sorted((v for v in scores.tolist() if v == v), reverse=True)[:limit]
    assert ranked.scores.tolist() == expected
