"""One training run, top to bottom, on a small shop."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from django.utils import timezone

from apps.catalog.services import items_upsert, parse_item
from apps.interactions.services import EventInput, events_record
from apps.recommend import model_store, publish, training_runs
from apps.recommend.models import Activation, ModelVersion, TrainingRun
from apps.recommend.recipes import RecipeError
from apps.recommend.train import carry_out, train_model
from apps.recommend.training_runs import Status

pytestmark = pytest.mark.django_db


def fill_shop(shoppers: int = 60, items: int = 30) -> None:
    """Shoppers of two tastes: odd ones want odd items, even ones even items. One purchase a day each."""
    items_upsert([parse_item({"item_id": f"i{n}", "title": f"Item {n}"}) for n in range(items)])
    now = timezone.now()
    rng = np.random.default_rng(3)
    events = []
    for shopper in range(shoppers):
        mine = rng.permutation([n for n in range(items) if n % 2 == shopper % 2])[:10]
        for step, item in enumerate(mine):
            events.append(
                EventInput(
                    "purchase",
                    item_id=f"i{item}",
                    user_id=f"u{shopper}",
                    occurred_at=now - timedelta(days=10 - step, minutes=shopper),
                )
            )
    assert {result.status for result in events_record(events)} == {"stored"}


@pytest.fixture
def shop() -> None:
    fill_shop()


@pytest.fixture
def recipes_file(settings, tmp_path: Path):
    """Writes the shop's own models.toml."""
    settings.PLUGINS_DIR = tmp_path / "plugins"
    path = settings.PLUGINS_DIR / "pipelines" / "models.toml"
    path.parent.mkdir(parents=True)
    return path.write_text


def test_a_training_run_ends_in_an_active_version_that_serves(shop):
    outcome = train_model("als", requested_by="ann")
    assert outcome.status == Status.ACTIVATED, outcome.message
    assert publish.active_versions() == {"als": outcome.version}
    stored = model_store.read(outcome.version)
    assert len(stored.model.item_ids) == 30
    run = TrainingRun.objects.get()
    assert (run.status, run.progress, run.version.version) == (Status.ACTIVATED, 1.0, outcome.version)
    assert Activation.objects.get().by == "ann"


def test_the_manifest_says_what_it_was_made_from(shop):
    manifest = model_store.read(train_model("als").version).manifest
    assert manifest["data"]["events"] == 600
    assert manifest["data"]["users"] == 60
    assert manifest["data"]["items"] == 30
    assert manifest["recipe"]["parameters"]["factors"] == 64
    assert manifest["algorithm"] == "als"
    assert manifest["code_version"]
    assert manifest == ModelVersion.objects.get().manifest


def test_a_planted_taste_shows_in_the_metrics_beside_popularity(shop):
    metrics = train_model("item_knn").metrics
    assert metrics["held_out"]["users"] > 10
    assert metrics["minus_popularity"]["ndcg@10"]["low"] > 0
    assert set(metrics["figures"]) == {"recall@10", "ndcg@10", "hit_rate@10", "coverage@10"}


def test_the_same_data_and_recipe_give_the_same_model(shop):
    first, second = (model_store.read(train_model("als").version).model for _ in range(2))
    np.testing.assert_array_equal(first.factors, second.factors)


def test_a_collaborative_model_on_too_little_data_is_refused_and_says_how_much_is_missing(settings):
    fill_shop(shoppers=1, items=8)
    outcome = train_model("item_knn")
    assert outcome.status == Status.REFUSED
    assert outcome.message == (
        "item_knn needs at least 10 distinct user-item pairs; there are 4, so 6 are missing. "
        "There is no active version yet."
    )
    settings.MIN_INTERACTIONS_FOR_CF = 4
    train_model("item_knn")
    active = publish.active_versions()
    settings.MIN_INTERACTIONS_FOR_CF = 5
    outcome = train_model("item_knn")
    assert outcome.message.endswith("so 1 is missing. The active version stays.")
    assert publish.active_versions() == active
    assert TrainingRun.objects.first().status == Status.REFUSED


def test_without_any_events_every_model_of_behaviour_is_refused_and_nothing_breaks():
    for name in ("als", "item_knn", "popular", "trending"):
        assert train_model(name).status == Status.REFUSED
    assert publish.active_versions() == {}


def test_a_model_of_texts_needs_no_events():
    items_upsert([parse_item({"item_id": "a", "title": "Brass lamp"}), parse_item({"item_id": "b", "title": "Mug"})])
    outcome = train_model("lexical")
    assert outcome.status == Status.ACTIVATED
    assert outcome.message.startswith(f"{outcome.version} is active. Not measured:")


def test_a_recipe_that_is_clearly_worse_than_the_active_one_is_kept_but_not_activated(shop, recipes_file):
    recipes_file('[ours]\nalgorithm = "item_knn"\n')
    good = train_model("ours")
    recipes_file('[ours]\nalgorithm = "popularity"\n')
    worse = train_model("ours")
    assert worse.status == Status.KEPT
    assert "clearly better" in worse.message
    assert publish.active_versions() == {"ours": good.version}
    assert worse.metrics["minus_active"]["ndcg@10"]["high"] < 0
    forced = train_model("ours", force=True)
    assert publish.active_versions() == {"ours": forced.version}


def test_a_recipe_that_is_not_clearly_worse_replaces_the_active_one(shop, recipes_file):
    recipes_file('[ours]\nalgorithm = "popularity"\n')
    train_model("ours")
    recipes_file('[ours]\nalgorithm = "item_knn"\n')
    better = train_model("ours")
    assert better.status == Status.ACTIVATED
    assert better.metrics["minus_active"]["ndcg@10"]["low"] > 0
    assert publish.active_versions() == {"ours": better.version}


def test_an_algorithm_that_fails_leaves_the_active_version_and_a_message(shop, recipes_file):
    recipes_file('[ours]\nalgorithm = "als"\n')
    good = train_model("ours")
    recipes_file('[ours]\nalgorithm = "content"\nencoder = "no-such-model"\nbatch_size = 0\n')
    with pytest.raises(RecipeError, match="batch_size"):
        train_model("ours")
    run_id = training_runs.request("ours").run_id
    outcome = carry_out(run_id)
    assert outcome.status == Status.FAILED
    assert "batch_size" in outcome.message
    assert publish.active_versions() == {"ours": good.version}


def test_a_run_that_somebody_else_has_is_not_done_twice(shop):
    run_id = training_runs.request("popular").run_id
    training_runs.claim(run_id)
    assert carry_out(run_id) is None
    outcome = train_model("popular")
    assert outcome.status == Status.RUNNING
    assert "already" in outcome.message
    assert ModelVersion.objects.count() == 0


def test_a_run_that_was_taken_over_publishes_nothing(shop):
    def take_over(step: str, progress: float) -> None:
        if step == "storing":
            TrainingRun.objects.update(worker="somebody else")

    outcome = train_model("popular", watcher=take_over)
    assert outcome.status == Status.RUNNING
    assert outcome.version is None
    assert publish.active_versions() == {}
    assert ModelVersion.objects.count() == 0


def test_a_version_that_people_activated_meanwhile_is_not_replaced(shop):
    first = train_model("popular").version
    second = train_model("popular").version

    def roll_back(step: str, progress: float) -> None:
        if step == "storing":
            publish.roll_back("popular", "ann")

    outcome = train_model("popular", watcher=roll_back)
    assert outcome.status == Status.KEPT
    assert "meanwhile" in outcome.message
    assert publish.active_versions() == {"popular": first}
    assert second != first


def test_training_again_and_again_keeps_only_so_many_versions(shop, settings, models_folder: Path):
    settings.MODEL_RETENTION = 2
    for _ in range(4):
        outcome = train_model("popular")
    assert ModelVersion.objects.filter(deleted_at=None).count() == 2
    assert len(list((models_folder / "popular").iterdir())) == 2
    assert publish.active_versions() == {"popular": outcome.version}


def test_an_unknown_model_is_refused_by_name():
    with pytest.raises(RecipeError, match=r"nonsense.*Known: als"):
        train_model("nonsense")
    assert TrainingRun.objects.count() == 0
