"""Validation data are taken out of training data in two ways, and nothing else is touched."""

import numpy as np
import pytest
from scipy import sparse

from apps.recommend.benchmarks.accuracy.holdout import LEAST_HAD, HeldOut, hold_out


@pytest.fixture(scope="module")
def had() -> sparse.csr_matrix:
    """400 users of two hobbies each, out of eight with 25 items a hobby; some users have hardly anything."""
    rng = np.random.default_rng(4)
    rows = []
    for user in range(400):
        hobbies = rng.choice(8, size=2, replace=False)
        size = 3 if user % 10 == 0 else 30
        rows.append(np.sort(rng.choice(np.concatenate([np.arange(25) + 25 * h for h in hobbies]), size, replace=False)))
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    return sparse.csr_matrix((np.ones(starts[-1], np.float32), np.concatenate(rows), starts), shape=(400, 200))


@pytest.fixture(scope="module")
def held(had: sparse.csr_matrix) -> HeldOut:
    return hold_out(had, 0.1, np.random.default_rng(1))


def test_train_and_validation_are_the_whole_and_share_nothing(had: sparse.csr_matrix, held: HeldOut) -> None:
    assert (held.train + held.validation != had).nnz == 0
    assert held.train.multiply(held.validation).nnz == 0


def test_about_the_wanted_fraction_is_hidden_and_from_nobody_with_hardly_anything(
    had: sparse.csr_matrix, held: HeldOut
) -> None:
    assert held.validation.nnz / had.nnz == pytest.approx(0.1, abs=0.02)
    assert not np.diff(held.validation.indptr)[np.diff(had.indptr) < LEAST_HAD].any()


def test_a_block_is_more_of_one_hobby_than_a_random_part(held: HeldOut) -> None:
    def of_one_hobby(users: np.ndarray) -> float:
        shares = []
        for user in users:
            hobbies = held.validation[user].indices // 25
            if len(hobbies) > 1:
                shares.append(np.bincount(hobbies).max() / len(hobbies))
        return float(np.mean(shares))

    tested = np.diff(held.validation.indptr) > 0
    blocks, random = np.flatnonzero(tested & held.in_block), np.flatnonzero(tested & ~held.in_block)
    assert min(len(blocks), len(random)) > 50
    assert of_one_hobby(blocks) > of_one_hobby(random) + 0.1


def test_the_same_seed_hides_the_same(had: sparse.csr_matrix, held: HeldOut) -> None:
    again = hold_out(had, 0.1, np.random.default_rng(1))
    assert (again.validation != held.validation).nnz == 0
    assert (hold_out(had, 0.1, np.random.default_rng(2)).validation != held.validation).nnz > 0


def test_nothing_to_hide_hides_nothing() -> None:
    empty = hold_out(sparse.csr_matrix((3, 4), dtype=np.float32), 0.1, np.random.default_rng(1))
    assert empty.validation.nnz == 0
    one = hold_out(sparse.csr_matrix(np.ones((1, 1), np.float32)), 0.1, np.random.default_rng(1))
    assert (one.train.nnz, one.validation.nnz) == (1, 0)
