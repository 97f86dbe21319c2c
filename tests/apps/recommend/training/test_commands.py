"""`manage.py train`."""

from io import StringIO

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
