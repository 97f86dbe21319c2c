"""The benchmark of session-kNN compares two ways to the same neighbours."""

import numpy as np
import pytest

from apps.recommend.benchmarks import sessions
from apps.recommend.engine.algorithms.session_knn import SessionKnn


def test_it_says_what_it_measured() -> None:
    said: list[str] = []
    figures = sessions.measure(300, 50, 20, said.append)
    assert 0 < figures.sessions <= 300
    assert figures.items <= 50
    assert figures.events >= 2 * figures.sessions
    assert 0 < figures.median_ms <= figures.p99_ms
    assert figures.ratio == pytest.approx(figures.baseline_median_ms / figures.median_ms)
    assert len(said) == 4


def test_what_it_is_held_against_finds_the_same_items() -> None:
    rng = np.random.default_rng(1)
    config = SessionKnn.Config(k=10_000, shared_weighting="same")  # all neighbours, and no say for shared places
    model = SessionKnn(config).fit(sessions._world(rng, 200, 40), sessions._catalog(40), rng)
    rows = np.arange(len(model.item_ids), dtype=np.int32)
    for _ in range(10):
        query = sessions._current(rng, model)
        _, first = np.unique(query.history.rows, return_index=True)
        if len(first) == len(query.history):
            plain = sessions._brute_force(model, sessions._matrix(model), query)
            np.testing.assert_allclose(np.nan_to_num(model.score(query, rows)), plain, rtol=1e-4)
