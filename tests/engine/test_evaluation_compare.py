"""Intervals by bootstrap and p-values by permutation, against theory and scipy."""

import numpy as np
import pytest
from scipy import stats

from apps.recommend.engine.evaluation import compare


def test_bootstrap_intervals_are_those_of_theory() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, size=(900, 1))
    (interval,) = compare.intervals(values, np.random.default_rng(1))
    expected = 1.96 * values.std() / 30
    assert interval.mean == pytest.approx(values.mean())
    assert interval.high - interval.mean == pytest.approx(expected, rel=0.1)
    assert interval.mean - interval.low == pytest.approx(expected, rel=0.1)


def test_a_paired_difference_is_surer_than_two_intervals() -> None:
    rng = np.random.default_rng(0)
    users = rng.normal(0.0, 5.0, size=500)  # users differ far more than models do
    ours, theirs = users + 0.1 + rng.normal(0, 0.2, 500), users
    (difference,) = compare.intervals((ours - theirs)[:, None], np.random.default_rng(1))
    assert difference.low > 0
    alone = compare.intervals(np.stack([ours, theirs], axis=1), np.random.default_rng(1))
    assert alone[0].low < alone[1].high


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(200):
        (interval,) = compare.intervals(rng.normal(size=(80, 1)), rng, resamples=400)
        covered += interval.low <= 0 <= interval.high
    assert 0.88 < covered / 200 < 0.99


def test_resampling_in_blocks_uses_every_user_once_on_average(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "DRAWS_AT_ONCE", 700)
    means = compare.bootstrap_means(np.ones((300, 2)), np.random.default_rng(0), resamples=7)
    np.testing.assert_allclose(means, np.ones((7, 2)))


def test_a_resampled_mean_is_that_of_the_users_drawn() -> None:
    values = np.random.default_rng(0).normal(size=(6, 2))
    clusters = np.array([7, 7, 7, 1, 1, 4])
    found = compare.bootstrap_means(values, np.random.default_rng(5), resamples=40, clusters=clusters)
    drawn = np.random.default_rng(5).integers(3, size=(40, 3))
    users = np.unique(clusters)
    for means, sample in zip(found, drawn, strict=True):
        observations = np.concatenate([values[clusters == users[user]] for user in sample])
        np.testing.assert_allclose(means, observations.mean(axis=0))


def test_users_with_several_observations_make_intervals_wider() -> None:
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(100), 8)
    values = (rng.normal(size=100)[users] + 0.1 * rng.normal(size=800))[:, None]
    (naive,) = compare.intervals(values, np.random.default_rng(1))
    (clustered,) = compare.intervals(values, np.random.default_rng(1), clusters=users)
    width = 2 * 1.96 * values.reshape(100, 8).mean(axis=1).std() / 10
    assert clustered.high - clustered.low == pytest.approx(width, rel=0.1)
    assert clustered.high - clustered.low > 2 * (naive.high - naive.low)


def test_users_of_one_observation_each_need_no_clusters() -> None:
    values = np.random.default_rng(0).normal(size=(50, 2))
    both = [compare.intervals(values, np.random.default_rng(1), clusters=one) for one in (None, np.arange(50)[::-1])]
    assert both[0] == both[1]


def test_p_values_of_few_users_are_exact() -> None:
    rng = np.random.default_rng(2)
    differences = rng.normal(0.4, 1.0, size=(9, 3))
    found = compare.sign_flip_p_values(differences, rng)
    for column, p_value in zip(differences.T, found, strict=True):
        oracle = stats.permutation_test((column,), np.mean, permutation_type="samples", n_resamples=10_000)
        assert p_value == pytest.approx(oracle.pvalue)


def test_p_values_of_many_users_are_close_to_those_of_scipy() -> None:
    rng = np.random.default_rng(3)
    differences = np.stack([rng.normal(shift, 1.0, 300) for shift in (0.0, 0.08, 0.15)], axis=1)
    found = compare.sign_flip_p_values(differences, np.random.default_rng(1))
    for column, p_value in zip(differences.T, found, strict=True):
        oracle = stats.permutation_test(
            (column,), np.mean, permutation_type="samples", n_resamples=9_999, rng=np.random.default_rng(2)
        )
        assert p_value == pytest.approx(oracle.pvalue, abs=0.015)
        assert p_value == pytest.approx(stats.ttest_1samp(column, 0).pvalue, abs=0.02)


def test_signs_are_flipped_by_user_not_by_observation() -> None:
    differences = np.array([[1.0], [1.0], [1.0], [-0.5], [2.0]])
    users = np.array([3, 3, 3, 9, 5])
    (found,) = compare.sign_flip_p_values(differences, np.random.default_rng(0), clusters=users)
    sums = np.array([3.0, -0.5, 2.0])
    oracle = stats.permutation_test((sums,), np.sum, permutation_type="samples")
    assert found == pytest.approx(oracle.pvalue)


def test_false_alarms_are_as_rare_as_promised() -> None:
    rng = np.random.default_rng(4)
    alarms = sum(
        (
            compare.sign_flip_p_values(
                rng.choice([-1.0, 0.0, 0.5, 2.0], size=(60, 1)) * rng.choice([-1, 1], (60, 1)), rng, flips=499
            )
            < 0.05
        )[0]
        for _ in range(400)
    )
    assert 5 <= alarms <= 36


def test_no_difference_at_all_is_no_evidence() -> None:
    (test,) = compare.paired_tests(np.zeros((20, 1)), np.random.default_rng(0))
    assert (test.difference.mean, test.difference.low, test.difference.high) == (0, 0, 0)
    assert (test.p_value, test.wilcoxon_p) == (1.0, 1.0)
    assert (test.wins, test.ties, test.losses) == (0, 20, 0)
    assert not test.sure


def test_one_user_proves_nothing() -> None:
    (test,) = compare.paired_tests(np.array([[0.5]]), np.random.default_rng(0))
    assert test.p_value == 1.0
    assert not test.sure
    assert test.wins == 1


def test_a_paired_test_says_what_wilcoxon_says() -> None:
    rng = np.random.default_rng(6)
    differences = rng.normal(0.3, 1.0, size=(40, 1))
    users = np.repeat(np.arange(20), 2)
    (test,) = compare.paired_tests(differences, rng, clusters=users)
    sums = differences[:, 0].reshape(20, 2).sum(axis=1)
    assert test.wilcoxon_p == pytest.approx(stats.wilcoxon(sums, method="exact").pvalue)
    assert (test.wins, test.losses) == (int((sums > 0).sum()), int((sums < 0).sum()))


def test_flipping_in_blocks_gives_the_same_kind_of_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = np.random.default_rng(7).normal(0.2, 1.0, size=(60, 2))
    whole = compare.sign_flip_p_values(differences, np.random.default_rng(0))
    monkeypatch.setattr(compare, "DRAWS_AT_ONCE", 6_000)
    np.testing.assert_allclose(compare.sign_flip_p_values(differences, np.random.default_rng(0)), whole, atol=0.02)
