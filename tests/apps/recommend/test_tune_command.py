"""`manage.py tune`: what it reads, finds, writes and says."""

import tomllib
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.recommend import recipes
from apps.recommend.engine.pipeline import Pipeline, PipelineSpec
from apps.recommend.pipelines import pipelines
from apps.recommend.tuning_files import model_tables, pipeline_text
from tests.apps.recommend.training.test_train import fill_shop

pytestmark = pytest.mark.django_db

QUICK = ("--trials", "12", "--part-trials", "0", "--cutoffs", "2", "--window-days", "2", "--holdout-days", "2")


@pytest.fixture(autouse=True)
def var(settings, tmp_path: Path):
    settings.VAR_DIR = tmp_path / "var"


@pytest.fixture
def own(settings, tmp_path: Path):
    """A shop's own folder of pipelines."""
    settings.PLUGINS_DIR = tmp_path / "plugins"
    folder = settings.PLUGINS_DIR / "pipelines"
    folder.mkdir(parents=True)
    pipelines.cache_clear()
    yield folder
    pipelines.cache_clear()


def tune(*arguments: object) -> str:
    output = StringIO()
    call_command("tune", *arguments, stdout=output)
    return output.getvalue()


def largest(spec: PipelineSpec) -> float:
    return max(max(source.weight, source.cold_weight or 0.0) for source in spec.sources)


def test_a_tuned_pipeline_is_written_where_it_is_served_and_shown_beside_what_it_was(own: Path):
    fill_shop()
    was = largest(pipelines()["home"].spec)
    output = tune("home", *QUICK, "--with", "popular")
    spec = PipelineSpec.read(own / "home.toml")
    Pipeline(spec)
    assert spec.label == pipelines()["home"].spec.label
    assert [stage.use for stage in spec.stages] == ["drop_seen", "explore"]
    kept = [source for source in spec.sources if source.use == "newcomers"]
    assert kept == [source for source in pipelines()["home"].spec.sources if source.use == "newcomers"]  # not tunable
    assert all(source.cold_weight is not None for source in spec.sources if source not in kept)
    assert largest(spec) == was
    for told in ("as it is", "tuned", "popular alone", "tuned minus as it is", "NDCG@10", "coverage@10", "12 sets of"):
        assert told in output
    assert "last 2 days were not looked at" in output
    assert f"Written to {own / 'home.toml'}." in output
    pipelines.cache_clear()
    assert pipelines()["home"].spec == spec


def test_models_that_changed_are_written_beside_the_pipeline_and_read_from_there(own: Path, tmp_path: Path):
    fill_shop()
    (own / "models.toml").write_text('[weak]\nalgorithm = "item_knn"\nneighbours = 1\n')
    (own / "mine.toml").write_text('label = "Mine"\n[[sources]]\nuse = "nearest_to_user"\nmodel = "weak"\n')
    pipelines.cache_clear()
    output = tune("mine", *QUICK, "--part-trials", "6")
    table = tomllib.loads((own / "models" / "mine.toml").read_text())["weak"]
    assert table["algorithm"] == "item_knn"
    assert table["neighbours"] > 1
    assert {"shrinkage", "weighting"} <= set(table)
    assert "The model weak now has: " in output
    known = recipes.recipe("weak").parameters
    assert {key: known[key] for key in table if key != "algorithm"} == {
        key: value for key, value in table.items() if key != "algorithm"
    }


def test_a_tuning_that_was_interrupted_is_resumed(own: Path, monkeypatch: pytest.MonkeyPatch):
    fill_shop()
    from apps.recommend.engine.tuning.weighing import WeighedWindows

    class PlugPulled(Exception):
        pass

    real, calls = WeighedWindows.figures, []

    def fails(self, weights):
        calls.append(weights)
        if len(calls) == 8:
            raise PlugPulled
        return real(self, weights)

    monkeypatch.setattr(WeighedWindows, "figures", fails)
    with pytest.raises(PlugPulled):
        tune("home", *QUICK)
    assert not (own / "home.toml").exists()
    resumed = tune("home", *QUICK, "--resume")
    tried = len(calls) - 8
    assert tried < 12 + 6  # six trials were in the journal; the rest are figures of the table
    monkeypatch.setattr(WeighedWindows, "figures", real)
    written = (own / "home.toml").read_text()
    (own / "home.toml").unlink()
    assert tune("home", *QUICK) == resumed
    assert (own / "home.toml").read_text() == written


def test_without_a_folder_of_the_shops_own_the_file_lies_in_var(settings, tmp_path: Path):
    fill_shop()
    tune("home", *QUICK)
    assert PipelineSpec.read(settings.VAR_DIR / "tuning" / "home.toml").name == "home"
    tune("home", *QUICK, "--out", tmp_path / "elsewhere" / "mine.toml")
    assert PipelineSpec.read(tmp_path / "elsewhere" / "mine.toml").label == "Recommended for you"


def test_a_budget_that_was_too_small_is_said():
    fill_shop()
    output = tune("home", *QUICK, "--budget-minutes", "0")
    left_out = "1 of 2 validation windows; 11 of 12"
    assert f"The budget did not allow all that was to be tried; left out: {left_out}" in output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nonsense"], "no pipeline is called 'nonsense'. Known: .*home"),
        (["home", "--with", "nonsense"], "no model is called 'nonsense'"),
        (["viewed-together"], "viewed-together has no source that answers for a user's history alone"),
        (["home", "--trials", "0"], "--trials counts from 1"),
    ],
)
def test_what_cannot_be_tuned_is_said(arguments: list[str], complaint: str):
    fill_shop()
    with pytest.raises(CommandError, match=complaint):
        tune(*arguments)


def test_an_empty_shop_has_nothing_to_tune_on():
    with pytest.raises(CommandError, match="Tuning needs at least 1"):
        tune("home", *QUICK)


@pytest.mark.parametrize("name", sorted(pipelines()))
def test_every_shipped_pipeline_is_written_as_it_was_read(name: str, tmp_path: Path):
    spec = pipelines()[name].spec
    path = tmp_path / f"{name}.toml"
    path.write_text(pipeline_text(spec), encoding="utf-8")
    assert PipelineSpec.read(path) == spec


def test_values_of_every_kind_survive_being_written():
    tables = {
        "a": {"algorithm": "x", "on": True, "n": 3, "f": 1e-7, "s": 'quo"te\n\\é', "l": ["a", "b"]},
        "b": {"weights": {"purchase": 5.0, "view_item": 0.3}, "nothing": None},
    }
    read = tomllib.loads(model_tables(tables))
    tables["b"].pop("nothing")
    assert read == tables
