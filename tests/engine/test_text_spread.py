"""Text vectors about what they have in common."""

import numpy as np
import pytest
from numpy.typing import NDArray

from apps.recommend.engine.algorithms.content import Content
from apps.recommend.engine.text_encoders import tfidf_encoder
from apps.recommend.engine.text_encoders.spread import spread
from apps.recommend.engine.text_encoders.tfidf_encoder import TfidfEncoder
from apps.recommend.engine.types import Evidence, Query
from tests import worlds


def cone(count: int = 400, dimensions: int = 12, seed: int = 1) -> NDArray[np.float32]:
    """Vectors that all point much the same way and differ more along some axes than along others."""
    rng = np.random.default_rng(seed)
    deviations = np.geomspace(1.0, 0.3, dimensions)
    return (rng.normal(size=(count, dimensions)) * deviations + 5.0).astype(np.float32)


def likeness(units: NDArray[np.float32]) -> float:
    return float((units @ units.T)[np.triu_indices(len(units), 1)].mean())


@pytest.mark.parametrize("whitening", [0.0, 0.5, 1.0])
def test_vectors_in_a_cone_point_everywhere(whitening: float) -> None:
    vectors = cone()
    units = spread(vectors, whitening)
    assert likeness(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)) > 0.95
    assert abs(likeness(units)) < 0.02
    assert units.dtype == np.float32
    assert units.flags.c_contiguous
    np.testing.assert_allclose(np.linalg.norm(units, axis=1), 1, rtol=1e-5)


def test_it_is_the_mean_taken_out_and_a_power_of_the_smoothed_singular_values() -> None:
    vectors = cone().astype(np.float64)
    centred = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    centred -= centred.mean(axis=0)
    left, values, right = np.linalg.svd(centred, full_matrices=False)
    smoothed = values**2 + 10 * 12 * np.mean(values**2) / 400
    for whitening in (0.0, 0.5, 1.0):
        wanted = (left * values * smoothed ** (-whitening / 2)) @ right
        wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
        np.testing.assert_allclose(spread(vectors, whitening), wanted, rtol=1e-4, atol=1e-5)


def test_few_vectors_keep_their_shape() -> None:
    """Whitened outright, any few vectors are equally far from each other, whatever they say."""
    rng = np.random.default_rng(2)
    groups = np.repeat(np.eye(2, 300), 8, axis=0)
    units = spread(groups + 0.02 * rng.normal(size=(16, 300)), 1.0)
    alike = units @ units.T
    assert alike[:8, :8].min() > 0.5
    assert alike[:8, 8:].max() < -0.5


def test_texts_that_are_all_the_same_say_nothing() -> None:
    assert not spread(np.full((5, 3), 0.3, np.float32), 0.5).any()
    items = worlds.catalog(3, ["a lantern"] * 3)
    interactions = worlds.events([(0, 0, worlds.VIEW)])
    model = Content(Content.Config()).fit(interactions, items, np.random.default_rng(0))
    assert np.isnan(model.score(Query(history=Evidence.of_rows([0])), np.arange(3, dtype=np.int32))).all()


def test_a_single_vector_stays_and_none_stay_none() -> None:
    np.testing.assert_allclose(spread(np.array([[3.0, 4.0]]), 0.5), [[0.6, 0.8]], rtol=1e-6)
    assert spread(np.empty((0, 4), np.float32), 0.5).shape == (0, 4)


def test_a_catalog_of_many_words_is_reduced_to_384_dimensions() -> None:
    rng = np.random.default_rng(3)
    words = np.array([f"word{number}" for number in range(900)])
    texts = [" ".join(rng.choice(words, 8)) for _ in range(500)]
    vectors = TfidfEncoder(seed=0).encode(texts, 64)
    assert vectors.shape == (500, 384)
    assert tfidf_encoder.DIMENSIONS == 384
    few = TfidfEncoder(seed=0).encode(texts[:10], 64)
    assert few.shape == (10, 9)
