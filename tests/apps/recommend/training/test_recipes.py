"""Recipes: read from the shop's models.toml, checked when the application starts."""

from pathlib import Path

import pytest
from django.core.checks import run_checks

from apps.recommend import recipes
from apps.recommend.recipes import Recipe, RecipeError


@pytest.fixture
def own(settings, tmp_path: Path):
    """Writes the shop's own models.toml."""
    settings.PLUGINS_DIR = tmp_path
    (tmp_path / "pipelines").mkdir()
    return (tmp_path / "pipelines" / "models.toml").write_text


def test_every_recipe_that_comes_with_the_software_is_sound():
    assert recipes.faults() == []
    assert {"als", "item_knn", "content", "popular", "trending"} <= set(recipes.all_recipes())


def test_a_shops_own_file_adds_and_replaces(own):
    own('[popular]\nalgorithm = "popularity"\nhalf_life_days = 3\n[mine]\nalgorithm = "als"\nfactors = 8\n')
    known = recipes.all_recipes()
    assert known["popular"].parameters["half_life_days"] == 3
    assert known["mine"].parameters["factors"] == 8
    assert "als" in known


def test_a_placeholder_stands_for_the_setting(own, settings):
    settings.TEXT_ENCODER = "some-encoder"
    assert recipes.recipe("content").parameters["encoder"] == "some-encoder"


def test_the_digest_changes_with_algorithm_and_parameters_and_with_nothing_else():
    one = Recipe.of("one", "als", {"factors": 8})
    assert one.digest == Recipe.of("other", "als", {"factors": 8}).digest
    assert one.digest == Recipe.of("one", "als", one.parameters).digest
    assert one.digest != Recipe.of("one", "als", {"factors": 9}).digest
    assert Recipe.of("one", "popularity", {}).digest != Recipe.of("one", "als", {}).digest


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[mine]\nalgorithm = "phrenology"\n', "phrenology"),
        ('[mine]\nalgorithm = "popularity"\nhalf_life_days = 0\n', "half_life_days"),
        ('[mine]\nalgorithm = "als"\nfactors = 0\n', "factors"),
        ('[mine]\nalgorithm = "als"\nfactor = 8\n', "factor"),
        ("[mine]\nfactors = 8\n", "names no algorithm"),
        ('[mine]\nalgorithm = "content"\nencoder = "${SECRET_KEY}"\n', "SECRET_KEY"),
        ('[Mine-1]\nalgorithm = "als"\n', "Mine-1"),
        ('mine = "als"\n', "outside any table"),
        ("[mine\n", "not TOML"),
    ],
)
def test_a_wrong_recipe_stops_the_start_with_a_sentence_and_a_hint(own, text, complaint):
    own(text)
    (error,) = [message for message in run_checks(tags=["recommend"]) if message.id == "recommend.E001"]
    assert complaint in error.msg
    assert "models.toml" in error.msg
    assert error.hint


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(RecipeError, match=r"no model is called 'nonsense'\. Known: als, .*popular"):
        recipes.recipe("nonsense")
