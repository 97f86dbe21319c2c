"""Fallbacks stand behind the pipeline they help."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from apps.recommend.engine.types import Slate
from apps.recommend.pool import Pool

LISTS = st.lists(
    st.lists(st.tuples(st.integers(0, 30), st.floats(-5, 5, width=32)), max_size=12, unique_by=lambda pair: pair[0]),
    min_size=1,
    max_size=4,
)


def slate(pairs: list[tuple[int, float]], name: str) -> Slate:
    pairs = sorted(pairs, key=lambda pair: -pair[1])
    return Slate(
        np.array([row for row, _ in pairs], np.int32),
        np.array([score for _, score in pairs], np.float32),
        np.zeros(len(pairs), np.int16),
        (name,),
    )


@given(LISTS)
def test_no_item_twice_and_each_pipeline_below_those_before_it(lists: list[list[tuple[int, float]]]) -> None:
    pool = Pool.empty()
    for number, pairs in enumerate(lists):
        pool = pool.with_(slate(pairs, str(number)), number)
    rows = pool.slate.rows.tolist()
    assert len(set(rows)) == len(rows)
    assert set(rows) == {row for pairs in lists for row, _ in pairs}
    assert (np.diff(pool.slate.scores) <= 0).all()
    firsts = {row: number for number, pairs in reversed([*enumerate(lists)]) for row, _ in pairs}
    assert pool.made_by(pool.slate.rows).tolist() == [firsts[row] for row in rows]
    assert [pool.slate.source_names[at] for at in pool.slate.source] == [str(firsts[row]) for row in rows]


def test_rows_of_no_pipeline_are_told_apart() -> None:
    pool = Pool.empty().with_(slate([(3, 1.0)], "a"), 0)
    assert pool.made_by(np.array([3, 4], np.int32)).tolist() == [0, -1]
    assert Pool.empty().made_by(np.array([3], np.int32)).tolist() == [-1]
