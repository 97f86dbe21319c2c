"""What a lens shows of the events, and that recipes look through it."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from apps.recommend.engine.algorithms.popularity import Popularity
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.lens import Lens, lens_and_rest, through_lens
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.types import DAY
from tests import worlds
from tests.worlds import NOW, PURCHASE, VIEW

RNG = np.random.default_rng(1)


def some_events():
    """User 0 viewed item 0 today, bought item 1 ten days ago and viewed item 2 a hundred days ago."""
    triples = [(0, 0, VIEW), (0, 1, PURCHASE), (0, 2, VIEW)]
    return worlds.events(triples, times=[NOW, NOW - 10 * DAY, NOW - 100 * DAY])


def test_a_blank_lens_changes_nothing() -> None:
    events = some_events()
    assert Lens().apply(events) is events
    algorithm = Popularity(Popularity.Config())
    assert through_lens(algorithm, Lens()) is algorithm


def test_a_window_leaves_out_what_is_older_and_keeps_users_and_items() -> None:
    seen = Lens(window_days=10).apply(some_events())
    assert seen.items.tolist() == [0, 1]
    assert (seen.n_users, seen.n_items, seen.as_of) == (1, 3, NOW)


def test_a_half_life_replaces_every_types_own() -> None:
    weights = Lens(half_life_days=10).apply(some_events()).weights()
    np.testing.assert_allclose(weights, [1.0, 5.0 / 2, 2.0**-10], rtol=1e-5)


def test_weights_replace_those_of_the_named_types_only() -> None:
    weights = Lens(weights={"purchase": 2.0}, half_life_days=1e9).apply(some_events()).weights()
    np.testing.assert_allclose(weights, [1.0, 2.0, 1.0], rtol=1e-5)
    silent = Lens(weights={"view_item": 0.0}).apply(some_events()).weights()
    assert silent.tolist()[::2] == [0.0, 0.0]


def test_a_lens_leaves_the_events_it_was_given_as_they_are() -> None:
    events = some_events()
    before = events.weights()
    Lens(window_days=1, half_life_days=1, weights={"purchase": 9}).apply(events)
    np.testing.assert_array_equal(events.weights(), before)


@pytest.mark.parametrize("name", ["purchse", "render_item_list"])
def test_a_weight_for_a_type_that_is_none_of_taste_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name}.*Known: add_to_cart, dislike, purchase"):
        Lens(weights={name: 1.0}).apply(some_events())


@pytest.mark.parametrize("wrong", [{"window_days": 0}, {"half_life_days": -1}, {"windw_days": 3}])
def test_a_lens_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Lens(**wrong)


def test_a_window_without_events_is_too_little_to_learn_from() -> None:
    later = replace(some_events(), as_of=NOW + 500 * DAY)
    lensed = through_lens(Popularity(Popularity.Config()), Lens(window_days=7))
    with pytest.raises(NotEnoughData):
        lensed.fit(later, worlds.catalog(3), RNG)


@pytest.mark.parametrize("name", list(ALGORITHMS))
def test_every_algorithm_learns_through_a_lens_what_it_learns_from_the_events_so_seen(
    name: str, world: worlds.World
) -> None:
    lens = Lens(window_days=40, half_life_days=20, weights={"purchase": 3.0})
    lensed = through_lens(ALGORITHMS.create(name), lens)
    assert (lensed.Model, lensed.collaborative) == (ALGORITHMS[name].Model, ALGORITHMS[name].collaborative)
    ours = lensed.fit(world.interactions, world.items, np.random.default_rng(3)).to_arrays()
    plain = ALGORITHMS.create(name).fit(lens.apply(world.interactions), world.items, np.random.default_rng(3))
    for key, array in plain.to_arrays().items():
        np.testing.assert_array_equal(ours[key], array, err_msg=key)


def test_a_key_that_the_algorithm_names_itself_is_the_algorithms() -> None:
    class Own(Popularity.Config):
        half_life_days: float = 3.0
        """Its own."""

    parameters = {"half_life_days": 5.0, "window_days": 7.0, "other": 1}
    assert lens_and_rest(Own, parameters) == ({"window_days": 7.0}, {"half_life_days": 5.0, "other": 1})
    assert lens_and_rest(Popularity.Config, parameters)[0] == {"half_life_days": 5.0, "window_days": 7.0}


def test_popularity_through_a_lens_is_the_sum_of_roots_of_faded_weights() -> None:
    triples = [(0, 0, VIEW), (0, 0, PURCHASE), (1, 0, VIEW), (1, 1, PURCHASE)]
    ages = [0, 14, 28, 7]
    events = worlds.events(triples, times=[NOW - age * DAY for age in ages])
    model = through_lens(Popularity(Popularity.Config()), Lens(half_life_days=14)).fit(events, worlds.catalog(2), RNG)
    first = np.sqrt(1 + 5 / 2) + np.sqrt(1 / 4)
    np.testing.assert_allclose(model.popularity, [first, np.sqrt(5 * 2**-0.5)], rtol=1e-5)
