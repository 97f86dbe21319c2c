"""The placements a new shop starts with: they resolve, and they answer before anything is trained."""

from pathlib import Path

import pytest
from django.apps import apps

from apps.catalog.services import items_upsert, parse_item
from apps.interactions.services import EventInput, events_record
from apps.recommend import recipes
from apps.recommend.asking import Ask, Recommendation
from apps.recommend.engine.pipeline import PipelineSpec
from apps.recommend.models import Placement
from apps.recommend.pipelines import pipelines
from apps.recommend.serve import recommend
from apps.recommend.shipped_placements import PLACEMENTS, add_placements
from apps.recommend.tuning_files import pipeline_text

pytestmark = pytest.mark.django_db

KEYS = [key for key, *_ in PLACEMENTS]
FILLED = [key for key in KEYS if key != "search"]  # a search that finds nothing says so


@pytest.fixture
def untrained_shop() -> None:
    """A catalog of 20 items, somebody who did things, no model."""
    items_upsert([parse_item({"item_id": f"i{n}", "title": f"Thing {n}", "categories": ["All"]}) for n in range(20)])
    happened = [("view", "i1"), ("view", "i2"), ("purchase", "i3"), ("view", "i4"), ("purchase", "i4")]
    events_record([EventInput(kind, item_id=item, user_id="ann") for kind, item in happened])


def ids(answer: Recommendation) -> list[str]:
    return [entry.item_id for entry in answer.entries]


def test_every_pipeline_and_fallback_exists_and_asks_models_that_are_trained() -> None:
    known = recipes.all_recipes()
    for key, _, _, pipeline, fallback in PLACEMENTS:
        for name in (pipeline, *fallback):
            assert name in pipelines(), key
            assert set(pipelines()[name].spec.models) <= set(known), name


@pytest.mark.parametrize("name", sorted(pipelines()))
def test_a_shipped_pipeline_written_down_as_tuning_does_is_read_back_the_same(name: str, tmp_path: Path) -> None:
    spec = pipelines()[name].spec
    path = tmp_path / f"{name}.toml"
    path.write_text(pipeline_text(spec), encoding="utf-8")
    assert PipelineSpec.read(path) == spec


def test_every_kind_of_page_has_a_placement() -> None:
    assert {page for _, _, page, _, _ in PLACEMENTS} == set(Placement.PageType)


def test_the_admin_can_show_every_fallback_of_a_shipped_placement() -> None:
    """Its form has two fields for them."""
    assert max(len(fallback) for *_, fallback in PLACEMENTS) <= 2


def test_a_new_database_has_them_all_and_none_that_was_deleted_comes_back() -> None:
    assert set(Placement.objects.values_list("key", flat=True)) == set(KEYS)
    for placement in Placement.objects.all():
        placement.full_clean()
    Placement.objects.filter(key="trending").delete()
    add_placements(using="default", apps=apps)
    assert not Placement.objects.filter(key="trending").exists()


@pytest.mark.parametrize("key", FILLED)
@pytest.mark.parametrize(
    ("user", "items"), [(None, ()), ("ann", ()), ("nobody-knows-me", ()), ("ann", ("i5", "i6"))], ids=str
)
def test_no_shelf_is_empty_before_anything_is_trained(
    untrained_shop: None, key: str, user: str | None, items: tuple[str, ...]
) -> None:
    found = ids(recommend(Ask(placement=key, user=user, items=items, limit=5)))
    assert found
    assert len(found) == len(set(found))
    assert not set(items) & set(found)


@pytest.mark.parametrize("key", FILLED)
def test_no_shelf_is_empty_in_a_shop_without_any_event(db: None, key: str) -> None:
    items_upsert([parse_item({"item_id": f"i{n}", "title": f"Thing {n}"}) for n in range(3)])
    assert set(ids(recommend(Ask(placement=key, user="ann", limit=5)))) == {"i0", "i1", "i2"}


def test_recently_viewed_and_buy_again_need_no_model_and_say_why(untrained_shop: None) -> None:
    viewed = recommend(Ask(placement="recently-viewed", user="ann", limit=2, explain=True))
    assert ids(viewed) == ["i2", "i1"]
    assert [entry.reason.text for entry in viewed.entries if entry.reason] == ["You viewed this"] * 2
    bought = recommend(Ask(placement="buy-again", user="ann", limit=2, explain=True))
    assert set(ids(bought)) == {"i3", "i4"}
    assert [entry.reason.code for entry in bought.entries if entry.reason] == ["bought"] * 2


def test_what_was_just_bought_leaves_recently_viewed_and_joins_buy_again(untrained_shop: None) -> None:
    events_record([EventInput("purchase", item_id="i2", user_id="ann")])
    assert ids(recommend(Ask(placement="recently-viewed", user="ann", limit=1))) == ["i1"]
    assert "i2" in ids(recommend(Ask(placement="buy-again", user="ann", limit=3)))
    events_record([EventInput("refund", item_id="i2", user_id="ann")])
    assert ids(recommend(Ask(placement="recently-viewed", user="ann", limit=1))) == ["i2"]
    assert "i2" not in ids(recommend(Ask(placement="buy-again", user="ann", limit=2)))
