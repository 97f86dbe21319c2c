"""Trees as arrays answer as the library that trained them."""

from typing import Any

import lightgbm
import numpy as np
import pytest
from numpy.typing import NDArray

from apps.recommend.engine.trees import Trees

RNG = np.random.default_rng(3)


def table(rows: int, missing: float, columns: int = 6) -> NDArray[np.float32]:
    """Numbers, some of them few and whole, some missing."""
    values = RNG.normal(size=(rows, columns))
    values[:, 1] = RNG.integers(-2, 3, rows)
    values[:, 2] *= 1e6
    values[RNG.random(values.shape) < missing] = np.nan
    return values.astype(np.float32)


def trained(missing: float, rounds: int = 40, **settings: Any) -> lightgbm.Booster:
    features = table(3_000, missing)
    known = np.nan_to_num(features)
    wanted = (known[:, 0] * known[:, 3] > 0).astype(int) + (known[:, 1] > 0)
    parameters = {"objective": "lambdarank", "num_leaves": 15, "verbosity": -1, "num_threads": 1, "seed": 1} | settings
    return lightgbm.train(parameters, lightgbm.Dataset(features, wanted, group=[50] * 60), rounds)


@pytest.mark.parametrize("missing_in_training", [0.0, 0.2])
@pytest.mark.parametrize("leaves", [2, 15, 64])
def test_predictions_are_those_of_lightgbm_missing_values_included(missing_in_training: float, leaves: int) -> None:
    booster = trained(missing_in_training, num_leaves=leaves, min_data_in_leaf=5)
    trees = Trees.of_lightgbm(booster.dump_model())
    assert len(trees) == 40
    asked = table(2_500, 0.3)
    asked[0], asked[1], asked[2] = np.nan, np.inf, -np.inf
    np.testing.assert_allclose(trees.predict(asked), booster.predict(asked), rtol=1e-9, atol=1e-9)


def test_values_at_a_threshold_go_left_and_those_just_above_it_right() -> None:
    booster = trained(0.0)
    trees = Trees.of_lightgbm(booster.dump_model())
    asked = np.tile(table(1, 0.0), (len(trees.threshold), 1))
    places = np.flatnonzero(np.abs(trees.threshold) > 1e-30)  # the library takes smaller values for 0
    assert len(places) > 200
    for value in (trees.threshold, np.nextafter(trees.threshold, np.float32(np.inf))):
        asked[places, trees.feature[places]] = value[places]
        np.testing.assert_allclose(trees.predict(asked), booster.predict(asked), rtol=1e-9, atol=1e-9)


def test_trees_saved_as_arrays_and_read_back_answer_the_same() -> None:
    trees = Trees.of_lightgbm(trained(0.1).dump_model())
    twin = Trees.from_arrays(trees.to_arrays())
    asked = table(200, 0.1)
    np.testing.assert_array_equal(trees.predict(asked), twin.predict(asked))


def test_a_tree_that_learned_nothing_is_its_one_leaf() -> None:
    features = table(100, 0.0)
    settings = {"objective": "regression", "min_data_in_leaf": 1_000, "verbosity": -1, "num_threads": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(features, np.full(100, 2.5)), 3)
    trees = Trees.of_lightgbm(booster.dump_model())
    asked = table(7, 0.5)
    np.testing.assert_allclose(trees.predict(asked), booster.predict(asked))
    assert trees.predict(asked)[0] == pytest.approx(2.5)


def test_no_trees_and_no_rows_are_answered() -> None:
    np.testing.assert_array_equal(Trees.none(3).predict(np.ones((2, 3), np.float32)), [0.0, 0.0])
    assert Trees.of_lightgbm(trained(0.0).dump_model()).predict(np.empty((0, 6), np.float32)).shape == (0,)


def test_a_table_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="want 6 features"):
        Trees.of_lightgbm(trained(0.0).dump_model()).predict(table(5, 0.0, columns=7))


def test_what_the_arrays_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 64"):
        Trees.of_lightgbm(trained(0.0, rounds=2, num_leaves=100, min_data_in_leaf=1).dump_model())
    features = table(3_000, 0.0)
    features[:, 1] += 2
    wanted = np.isin(features[:, 1], [0, 3]).astype(float)
    data = lightgbm.Dataset(features, wanted, categorical_feature=[1])
    booster = lightgbm.train({"verbosity": -1, "num_threads": 1}, data, 2)
    with pytest.raises(ValueError, match="not a comparison"):
        Trees.of_lightgbm(booster.dump_model())
