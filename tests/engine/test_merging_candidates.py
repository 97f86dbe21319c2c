"""Candidates of several sources become one slate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.recommend.engine.merge import TRACE, Calibration, Lists, Part, Pool, Weights, calibrated, merge
from apps.recommend.engine.types import Slate, tie_break


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


def test_an_item_that_only_the_last_of_a_list_was_given_to_still_beats_one_that_nobody_proposed() -> None:
    merged = merge([Part("a", 1.0, slate({1: 9.0, 2: 1.0})), Part("b", 0.0, slate({3: 5.0, 4: 4.0}))])
    assert merged.rows[:2].tolist() == [1, 2]
    assert set(merged.rows[2:].tolist()) == {3, 4}


def test_scores_of_any_unit_count_alike() -> None:
    """A source in thousandths and one in millions, with the same shape of list, share the top."""
    tiny, huge = slate({1: 0.003, 2: 0.002, 3: 0.001}), slate({4: 3e6, 5: 2e6, 6: 1e6})
    merged = merge([Part("tiny", 1.0, tiny), Part("huge", 1.0, huge)])
    by_row = dict(zip(merged.rows.tolist(), merged.scores.tolist(), strict=True))
    assert by_row[1] == pytest.approx(by_row[4], rel=1e-5)
    assert by_row[2] == pytest.approx(by_row[5], rel=1e-5)


@pytest.mark.parametrize(("history", "first"), [(0, 2), (5, 1), (1000, 1)])
def test_a_cold_weight_counts_for_those_without_history_only(history: int, first: int) -> None:
    personal = Part("personal", 1.0, slate({1: 1.0, 9: 0.0}), cold_weight=0.1)
    popular = Part("popular", 0.2, slate({2: 1.0, 8: 0.0}), cold_weight=1.0)
    assert merge([personal, popular], history=history, half=2.0).rows[0] == first


def test_weights_move_from_cold_to_warm_as_the_formula_says() -> None:
    weights = Weights(warm=np.array([1.0, 0.2]), cold=np.array([0.0, 0.8]), half=4.0)
    for history in (0, 1, 4, 12):
        share = history / (history + 4.0)
        np.testing.assert_allclose(weights.of(history), [share, 0.8 - 0.6 * share])


def test_the_total_is_the_weighted_mean_over_the_parts_that_speak_to_the_user() -> None:
    """Against a loop over users, candidates and parts."""
    rng = np.random.default_rng(3)
    users, length = 6, 5
    lists = []
    for _ in range(3):
        rows = np.stack([rng.permutation(12)[:length] for _ in range(users)]).astype(np.int32)
        scores = -np.sort(-rng.normal(size=(users, length)).astype(np.float32), axis=1)
        rows[np.arange(length)[None, :] >= rng.integers(0, length + 1, size=users)[:, None]] = -1
        lists.append(Lists(rows, scores))
    weights = Weights(np.array([1.0, 0.5, 0.0]), np.array([0.2, 0.5, 1.5]), 3.0)
    history = rng.integers(0, 9, size=users)
    pool = Pool.of(lists)
    totals = weights.totals(pool, history)
    found = {(int(u), int(r)): float(t) for u, r, t in zip(pool.users, pool.rows, totals, strict=True)}
    expected: dict[tuple[int, int], float] = {}
    for user in range(users):
        own = weights.of(int(history[user]))
        speaking = sum(own[n] for n, part in enumerate(lists) if (part.rows[user] >= 0).any())
        for number, part in enumerate(lists):
            listed = part.rows[user] >= 0
            scores = part.scores[user][listed].astype(float)
            for row, score in zip(part.rows[user][listed].tolist(), scores, strict=True):
                spread = scores.std()
                value = (score - scores.min()) / spread + TRACE if spread > 0 else 1.0
                expected[user, row] = expected.get((user, row), 0.0) + own[number] * value / (speaking or 1.0)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=1e-4, abs=1e-6)


lists = st.lists(
    st.dictionaries(st.integers(0, 60) | st.integers(0, 2**31 - 1), st.sampled_from([-0.0, 0.0, 1.0, 2.5, -7.0, 1e6])),
    min_size=1,
    max_size=4,
)


@given(lists, st.integers(0, 20), st.sampled_from(["spread", "range", "rank"]), st.booleans(), st.data())
def test_one_users_merge_is_the_pool_of_that_user(
    told: list[dict[int, float]], history: int, calibration: Calibration, mapped: bool, data: st.DataObject
) -> None:
    """Totals by `Weights.totals`, each from the part that added most, and equals in the order of `tie_break`."""
    slates = [slate(scores) for scores in told]
    for one in slates:
        one.rows.flags.writeable = one.scores.flags.writeable = not mapped  # as arrays mapped from a file
    weight = st.sampled_from([0.0, 0.5, 1.0, 3.0])
    warm, cold = (np.array([data.draw(weight) for _ in told]) for _ in range(2))
    parts = [Part(str(n), warm[n], one, cold[n]) for n, one in enumerate(slates)]
    merged = merge(parts, history=history, half=3.0, calibration=calibration)
    heard = [n for n, one in enumerate(slates) if len(one)]
    if len(heard) < 2:
        assert merged.rows.tolist() == [row for n in heard for row in slates[n].rows.tolist()]
        return
    weights = Weights(warm[heard], cold[heard], 3.0)
    pool = Pool.of([Lists(slates[n].rows[None], slates[n].scores[None]) for n in heard], calibration)
    where = np.argsort(pool.rows)[np.searchsorted(np.sort(pool.rows), merged.rows)]
    assert sorted(merged.rows.tolist()) == pool.rows.tolist()
    np.testing.assert_allclose(merged.scores, weights.totals(pool, np.array([history]))[where], rtol=1e-5, atol=1e-6)
    added = pool.values[where] * weights.of(history)
    assert merged.source_names == tuple(str(n) for n in heard)
    of_source = added[np.arange(len(where)), merged.source]
    np.testing.assert_allclose(of_source, added.max(axis=1), rtol=1e-5)
    hashes = tie_break(merged.rows)
    before, after = merged.scores[:-1], merged.scores[1:]
    assert ((before > after) | ((before == after) & (hashes[:-1] < hashes[1:]))).all()


def test_a_long_tie_is_in_the_order_of_the_hash() -> None:
    rows = np.arange(1500, dtype=np.int32)
    alike = Slate(rows, np.ones(1500, np.float32), np.zeros(1500, np.int16), ("s",))
    merged = merge([Part("a", 1.0, alike), Part("b", 2.0, alike)])
    assert merged.rows.tolist() == rows[np.argsort(tie_break(rows))].tolist()


@pytest.mark.parametrize("calibration", ["spread", "range", "rank"])
def test_each_calibration_keeps_the_order_and_ends_at_a_trace(calibration: Calibration) -> None:
    part = Lists(np.array([[3, 1, 2, -1]], np.int32), np.array([[5.0, 4.0, -2.0, 0.0]], np.float32))
    values = calibrated(part, calibration)[0]
    assert values[0] > values[1] > values[2] == pytest.approx(TRACE)
    assert values[3] == 0.0
    tops = {"range": 1.0, "rank": 1.0, "spread": 7.0 / np.std([5.0, 4.0, -2.0])}
    assert values[0] == pytest.approx(tops[calibration] + TRACE)
    if calibration == "rank":
        assert values[1] == pytest.approx(0.5 + TRACE)


def test_where_all_scores_are_alike_each_entry_is_worth_one() -> None:
    alike = Lists(np.array([[3, 1], [5, -1], [-1, -1]], np.int32), np.array([[2.0, 2.0], [7.0, 0.0], [0.0, 0.0]], "f4"))
    assert calibrated(alike, "spread").tolist() == [[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]]


def test_nobody_and_nothing_make_an_empty_pool() -> None:
    nothing = Lists(np.full((2, 3), -1, np.int32), np.zeros((2, 3), np.float32))
    pool = Pool.of([nothing, nothing])
    assert len(pool.rows) == 0
    assert not pool.speaks.any()
    assert Weights(np.ones(2), np.ones(2)).totals(pool, np.array([0, 4])).shape == (0,)


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
