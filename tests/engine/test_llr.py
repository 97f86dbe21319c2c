"""The log-likelihood ratio of co-occurrence against scipy's G-test."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2_contingency

from apps.recommend.engine.algorithms.llr import LogLikelihood, log_likelihood_ratio
from apps.recommend.engine.item_links import ItemLinksModel
from apps.recommend.engine.types import Interactions
from tests import worlds


def fit(interactions: Interactions, **config: Any) -> ItemLinksModel:
    algorithm = LogLikelihood(LogLikelihood.Config(**config))
    return algorithm.fit(interactions, worlds.catalog(interactions.n_items), np.random.default_rng(0))


def g_test(table: NDArray[np.int64]) -> float:
    return float(chi2_contingency(table, lambda_="log-likelihood", correction=False).statistic)


def expected_links(interactions: Interactions, min_llr: float) -> dict[tuple[int, int], float]:
    """Every ordered pair that occurs together more often than by chance, by scipy."""
    sessions = np.unique(interactions.sessions)
    had = np.zeros((len(sessions), interactions.n_items), dtype=bool)
    had[np.searchsorted(sessions, interactions.sessions), interactions.items] = True
    links = {}
    for one in range(interactions.n_items):
        for other in range(interactions.n_items):
            a, b = had[:, one], had[:, other]
            table = np.array([[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]])
            if one != other and table[0, 0] * len(sessions) > a.sum() * b.sum():
                ratio = g_test(table)
                if ratio >= min_llr:
                    links[one, other] = ratio
    return links


@pytest.fixture(scope="module")
def sessions() -> Interactions:
    return worlds.planted(groups=2, users_per_group=12, items_per_group=8, visits=3).interactions


def test_links_and_their_ratios_are_those_of_the_g_test(sessions: Interactions) -> None:
    model = fit(sessions, weight="llr", min_llr=1.0, neighbours=50)
    found = {
        (item, int(near)): float(weight)
        for item in range(len(model.item_ids))
        for near, weight in zip(model.neighbours[item], model.weights[item], strict=True)
        if near >= 0
    }
    expected = expected_links(sessions, 1.0)
    assert len(expected) > 20
    assert found.keys() == expected.keys()
    np.testing.assert_allclose([found[pair] for pair in expected], list(expected.values()), rtol=1e-4)


@pytest.mark.parametrize("cells", [(3, 0, 0, 5), (1, 2, 3, 4), (10, 1, 1, 1_000_000), (7, 40, 3, 0)])
def test_the_ratio_of_a_table_is_that_of_the_g_test(cells: tuple[int, int, int, int]) -> None:
    both, one, other, _ = (np.array([float(cell)]) for cell in cells)
    ratio = log_likelihood_ratio(both, both + one, both + other, float(sum(cells)))
    assert ratio == pytest.approx(g_test(np.array(cells).reshape(2, 2)), rel=1e-6)


def test_weights_are_the_ratio_its_root_or_the_share_of_sessions(sessions: Interactions) -> None:
    ratio, root, share = (fit(sessions, weight=weight, neighbours=50) for weight in ("llr", "root", "confidence"))
    np.testing.assert_allclose(np.sqrt(ratio.weights), root.weights, rtol=1e-5)
    assert 0 < share.weights.max() <= 1
    assert ((share.neighbours >= 0).sum(axis=1) == (ratio.neighbours >= 0).sum(axis=1)).all()


def test_a_pair_in_every_session_is_no_surprise_and_a_pair_apart_is_no_link() -> None:
    triples = [(s, item, worlds.PURCHASE) for s in range(6) for item in (0, 1, 2 + s % 2)]
    model = fit(worlds.events(triples, sessions=[t[0] for t in triples]), min_llr=0.0)
    assert (model.neighbours == -1).all()


def test_a_higher_threshold_keeps_fewer_links(sessions: Interactions) -> None:
    counts = [(fit(sessions, min_llr=least, neighbours=50).neighbours >= 0).sum() for least in (0.0, 3.84, 10.83)]
    assert counts[0] > counts[1] > counts[2] > 0
