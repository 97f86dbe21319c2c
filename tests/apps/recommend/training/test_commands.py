"""`manage.py train` and `manage.py evaluate`."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.recommend import publish
from apps.recommend.models import TrainingRun
from tests.apps.recommend.training.test_train import fill_shop

pytestmark = pytest.mark.django_db


def call(*arguments: object) -> str:
    output = StringIO()
    call_command(*arguments, stdout=output)
    return output.getvalue()


def test_train_names_each_model_with_how_it_ended():
    fill_shop()
    output = call("train", "popular", "als")
    assert set(publish.active_versions()) == {"als", "popular"}
    for line, name in zip(output.splitlines(), ("popular", "als"), strict=True):
        assert line.startswith(f"{name}: activated. {publish.active_versions()[name]} is active. NDCG@10 0.")


def test_train_without_names_trains_everything_and_ends_badly_when_something_was_refused():
    fill_shop()
    with pytest.raises(CommandError, match=r"not trained: viewed_together"):
        call("train")
    active = publish.active_versions()
    assert {"als", "item_knn", "bought_together", "content", "lexical", "popular", "trending"} <= set(active)


def test_train_refuses_an_unknown_name_before_it_trains_anything():
    with pytest.raises(CommandError, match="Known: als"):
        call("train", "popular", "nonsense")
    assert TrainingRun.objects.count() == 0


def test_train_list_only_lists():
    fill_shop()
    call("train", "popular")
    output = call("train", "--list")
    assert publish.active_versions()["popular"] in output
    assert TrainingRun.objects.count() == 1


def test_evaluate_shows_models_beside_popularity_and_item_knn_with_intervals(tmp_path: Path):
    fill_shop()
    file = tmp_path / "figures.json"
    output = call("evaluate", "als", "--holdout-days", "2", "--k", "5", "10", "--json", file)
    assert "popularity" in output
    assert "item_knn" in output
    assert "minus popularity" in output
    figures = json.loads(file.read_text())
    found = {(figure["model"], figure["metric"]): figure for figure in figures["figures"]}
    assert {model for model, _ in found} == {"popularity", "item_knn", "als"}
    assert {metric for _, metric in found} >= {"recall@10", "ndcg@10", "map@10", "hit_rate@10", "coverage@10", "ndcg@5"}
    knn = found["item_knn", "ndcg@10"]
    assert knn["low"] <= knn["mean"] <= knn["high"]
    better = next(
        difference
        for difference in figures["differences"]
        if (difference["model"], difference["baseline"], difference["metric"]) == ("item_knn", "popularity", "ndcg@10")
    )
    assert better["low"] > 0
    assert publish.active_versions() == {}


def test_evaluate_can_test_a_sample_and_split_at_a_date():
    fill_shop()
    output = call("evaluate", "popular", "--holdout-days", "3", "--users", "20")
    assert output.startswith("20 users")
    with pytest.raises(CommandError, match="--at is a date"):
        call("evaluate", "popular", "--at", "yesterday")


def test_evaluate_says_what_is_missing():
    with pytest.raises(CommandError, match="needs at least 1"):
        call("evaluate", "popular")
