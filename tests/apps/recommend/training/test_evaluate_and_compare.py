"""`manage.py evaluate` and `manage.py compare`."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.recommend import publish
from apps.recommend.models import TrainingRun
from tests.apps.recommend.training.test_train import fill_shop

pytestmark = pytest.mark.django_db
QUICK = ("--metrics", "ndcg", "--no-slices", "--holdout-days", "3")


def call(*arguments: object) -> str:
    output = StringIO()
    call_command(*arguments, stdout=output)
    return output.getvalue()


def test_evaluate_shows_models_beside_popularity_and_item_knn_with_intervals(tmp_path: Path):
    fill_shop()
    file = tmp_path / "figures.json"
    output = call("evaluate", "als", "--holdout-days", "2", "--k", "5", "10", "--json", file)
    assert "minus popularity" in output
    assert "minus item_knn" in output
    assert "ndcg@10 by items known of the user" in output
    report = json.loads(file.read_text())
    assert list(report["tasks"]) == ["new to the user"]
    figures = report["tasks"]["new to the user"]
    found = {(figure["model"], figure["metric"]): figure for figure in figures["figures"]}
    assert {model for model, _ in found} == {"popularity", "item_knn", "als"}
    assert {metric for _, metric in found} >= {
        "recall@10", "ndcg@10", "map@10", "mrr@10", "hit_rate@10", "coverage@10", "gini@10", "novelty@10", "ndcg@5",
        "diversity_by_vectors@10", "serendipity@10", "popularity_lift@10",
    }  # fmt: skip
    knn = found["item_knn", "ndcg@10"]
    assert knn["low"] <= knn["mean"] <= knn["high"]
    better = next(
        difference
        for difference in figures["differences"]
        if (difference["model"], difference["baseline"], difference["metric"]) == ("item_knn", "popularity", "ndcg@10")
    )
    assert better["low"] > 0
    assert better["p_value"] < 0.01
    assert report["parameters"]["als"]["factors"] == 64
    assert report["cores"] >= 1
    assert publish.active_versions() == {}
    assert not TrainingRun.objects.exists()


def test_evaluate_can_test_a_sample_and_write_a_page(tmp_path: Path):
    fill_shop()
    html = tmp_path / "figures.html"
    assert call("evaluate", "popular", *QUICK, "--users", "20", "--html", html).startswith("20 users")
    assert "<title>Evaluation of popular</title>" in html.read_text()


def test_a_window_from_a_date_is_as_long_as_was_said(tmp_path: Path):
    fill_shop()
    file = tmp_path / "figures.json"
    now = timezone.now()
    at = (now - timezone.timedelta(days=6)).strftime("%Y-%m-%d")
    call("evaluate", "popular", *QUICK[:-1], "2", "--at", at, "--json", file)
    [task] = json.loads(file.read_text())["tasks"].values()
    assert task["until"] - task["at"] == 2 * 86_400
    assert now.timestamp() - 7 * 86_400 < task["at"] <= now.timestamp() - 6 * 86_400


def test_cutoffs_tasks_and_pipelines_are_reported_together(tmp_path: Path):
    fill_shop()
    file = tmp_path / "figures.json"
    output = call(
        "evaluate", "pipeline:home", *QUICK[:-1], "2", "--cutoffs", "2", "--both", "--truncate", "1", "--new-items",
        "30", "--json", file,
    )  # fmt: skip
    tasks = json.loads(file.read_text())["tasks"]
    assert list(tasks)[:3] == ["new to the user", "repetition allowed", "users known by 1 item"]
    assert len(tasks["new to the user"]["cutoffs"]) == 2
    assert tasks["new to the user"]["n_observations"] > tasks["new to the user"]["n_users"]
    assert not tasks["repetition allowed"]["new_only"]
    assert "New to the user\n===============" in output
    models = {figure["model"] for figure in tasks["new to the user"]["figures"]}
    assert models == {"popularity", "item_knn", "newest_first", "content_knn", "pipeline:home"}
    against = {one["baseline"] for one in tasks["new items"]["differences"]}
    assert against == {"newest_first", "content_knn"}


@pytest.mark.parametrize("split", ["last-item", "unknown-users"])
def test_other_splits_can_be_asked_for(split: str):
    fill_shop()
    assert "ndcg@10" in call("evaluate", "popular", *QUICK, "--split", split)


def test_a_model_that_is_a_baseline_under_another_name_is_shown_once():
    fill_shop()
    output = call("evaluate", "popular", *QUICK)
    assert "popular is the same model as popularity." in output


def test_compare_says_which_model_is_better(tmp_path: Path):
    fill_shop()
    file, html = tmp_path / "figures.json", tmp_path / "figures.html"
    output = call("compare", "item_knn", "popular", *QUICK, "--json", file, "--html", html)
    assert "better/same/worse" in output
    [task] = json.loads(file.read_text())["tasks"].values()
    [difference] = task["differences"]
    assert (difference["model"], difference["baseline"]) == ("item_knn", "popular")
    assert difference["wins"] + difference["ties"] + difference["losses"] == task["n_users"]
    sentence = "item_knn is better than popular in ndcg@10"
    assert sentence in output
    assert sentence in html.read_text()


def test_compare_finds_no_difference_between_a_model_and_its_double(settings, tmp_path: Path):
    fill_shop()
    settings.PLUGINS_DIR = tmp_path
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "models.toml").write_text('[double]\nalgorithm = "item_knn"\n')
    output = call("compare", "item_knn", "double", *QUICK)
    assert "item_knn and double cannot be told apart in ndcg@10: +0.0000" in output


def test_a_pipeline_in_a_file_brings_its_models_along(tmp_path: Path):
    fill_shop()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.toml").write_text('[small]\nalgorithm = "als"\nfactors = 4\n')
    (tmp_path / "mine.toml").write_text(
        'label = "Mine"\n[[sources]]\nuse = "nearest_to_user"\nmodel = "small"\n[[stages]]\nuse = "drop_seen"\n'
    )
    assert "ndcg@10" in call("compare", f"pipeline:{tmp_path / 'mine.toml'}", "popular", *QUICK)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("popular", "--at", "yesterday"), "--at is a date"),
        (("popular", "--k", "0"), "--k counts from 1"),
        (("popular", "--cutoffs", "0"), "--cutoffs counts from 1"),
        (("popular", "--truncate", "0"), "--truncate counts from 1"),
        (("popular", "--holdout-days", "0"), "--holdout-days must be more than 0"),
        (("popular", "--events", "purchases"), "no event type is called 'purchases'"),
        (("popular", "--metrics", "nonsense"), "no metric is called 'nonsense'"),
        (("nonsense",), "no model is called 'nonsense'"),
        (("pipeline:nonsense",), "no pipeline is called 'nonsense'"),
        (("pipeline:nonsense.toml",), "nonsense.toml is not a pipeline"),
        (("pipeline:bought-together",), "cannot be evaluated"),
        (("popular", *QUICK, "--json", "/nowhere/at/all.json"), "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_reason(arguments: tuple[str, ...], said: str):
    fill_shop(shoppers=8)
    with pytest.raises(CommandError, match=said):
        call("evaluate", *arguments)


def test_comparing_a_model_with_itself_is_refused():
    with pytest.raises(CommandError, match="name two"):
        call("compare", "als", "als")


def test_evaluate_says_what_is_missing():
    for arguments in (("evaluate", "popular"), ("compare", "popular", "als")):
        with pytest.raises(CommandError, match="needs at least 1"):
            call(*arguments)
    with pytest.raises(CommandError, match="needs at least 1"):
        call("evaluate", "popular", "--split", "last-item")


def test_a_comparison_needs_both_models():
    fill_shop()  # nobody has viewed anything
    with pytest.raises(CommandError, match="viewed_together cannot be compared: it needs"):
        call("compare", "viewed_together", "popular", *QUICK)


def test_a_budget_that_is_too_small_for_anything_is_an_error():
    fill_shop()
    with pytest.raises(CommandError, match="Allow more --budget-minutes"):
        call("evaluate", "popular", *QUICK, "--budget-minutes", "0.000001")
