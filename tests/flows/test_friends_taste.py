"""A follow graph all the way: said over HTTP, learned from, and served to somebody who has done nothing yet."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.recommend.asking import Ask, Recommendation
from apps.recommend.pipelines import pipelines
from apps.recommend.serve import recommend
from apps.recommend.train import TrainingOutcome, train_model
from apps.users.services import user_put

MODELS = '[social]\nalgorithm = "social"\nhalf_life_days = 90.0\n'
PIPELINE = """
label = "Liked by people you follow"
[[sources]]
use = "nearest_to_user"
model = "social"
reason = "followed"
"""


@pytest.fixture
def social_shop(shop: None, tmp_path: Path, settings: Any) -> Iterator[None]:
    folder = tmp_path / "plugins" / "pipelines"
    folder.mkdir(parents=True)
    (folder / "models.toml").write_text(MODELS)
    (folder / "friends.toml").write_text(PIPELINE)
    settings.PLUGINS_DIR = folder.parent
    pipelines.cache_clear()
    yield
    pipelines.cache_clear()


def trained() -> TrainingOutcome:
    return train_model("social", force=True)


def asked(user: str | None) -> Recommendation:
    return recommend(Ask(placement="home", user=user, pipeline="friends", limit=5, explain=True))


def test_a_newcomer_gets_what_those_they_follow_have_wanted(social_shop: None, api: APIClient) -> None:
    for friend in ("shopper-1", "shopper-3"):  # who like mugs
        assert api.put(f"/api/v1/users/newcomer/follows/{friend}").status_code == 201
    outcome = trained()
    assert outcome.good, outcome.message
    answer = asked("newcomer")
    assert answer.fallback is None
    assert {entry.item_id.split("-")[0] for entry in answer.entries} == {"mug"}
    assert {entry.source for entry in answer.entries} == {"social"}
    reasons: list[Any] = [entry.reason for entry in answer.entries]
    assert {(reason.code, reason.text) for reason in reasons} == {("followed", "Liked by people you follow")}


def test_who_follows_nobody_or_opted_out_gets_no_list_of_friends(social_shop: None, api: APIClient) -> None:
    api.put("/api/v1/users/newcomer/follows/shopper-1")
    assert trained().good
    assert asked("newcomer").fallback is None
    user_put("newcomer", personalised=False)
    for somebody in ("newcomer", "shopper-2", "stranger", None):
        assert "social" not in {entry.source for entry in asked(somebody).entries}


def test_without_follows_the_model_is_refused_with_a_reason(social_shop: None) -> None:
    outcome = trained()
    assert not outcome.good
    assert "needs at least 1 follows" in outcome.message
