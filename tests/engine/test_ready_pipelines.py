"""The shipped pipelines, as their files stand, in worlds where the right answers were planted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from apps.recommend.engine.context import Context
from apps.recommend.engine.registries import SOURCES
from apps.recommend.engine.types import DAY
from tests import worlds
from tests.engine.shipped import FILES, RECIPES, first, fit, of_group, pipeline, served, who
from tests.worlds import NOW, PURCHASE, VIEW


@pytest.fixture(scope="module")
def shop(world: worlds.World) -> Context:
    """The planted world with every model that a shipped pipeline asks."""
    asked = {name for path in FILES for name in pipeline(path.stem).spec.models}
    models = {name: fit(name, world.interactions, world.items) for name in sorted(asked)}
    return Context(world.items, np.ones(len(world.items), bool), served(models, world.items))


GROUP = 2
PERSONAL = ("home", "email", "home-repeats", "because-you-viewed")
WITH_SEEDS = ("item-page", "bought-together", "viewed-together", "cart", "after-purchase")


@pytest.mark.parametrize("name", PERSONAL)
def test_a_personal_list_holds_what_suits_who_asks(name: str, world: worlds.World, shop: Context) -> None:
    mine = of_group(world, GROUP)
    query = who((mine[0], VIEW, 3), (mine[1], PURCHASE, 2), (mine[2], VIEW, 1))
    found = first(name, query, shop)
    assert len(found) == 10
    assert np.mean(world.item_groups[found] == GROUP) >= 0.7


@pytest.mark.parametrize("name", WITH_SEEDS)
def test_a_list_around_items_holds_what_goes_with_them_and_not_them(
    name: str, world: worlds.World, shop: Context
) -> None:
    wanted = np.bincount(world.interactions.items, minlength=len(world.item_groups))
    seeds = sorted(of_group(world, GROUP), key=lambda row: -wanted[row])[:2]
    found = first(name, who(seeds=tuple(seeds)), shop, 5)
    assert len(found) == 5
    assert np.mean(world.item_groups[found] == GROUP) >= 0.8
    assert not set(seeds) & set(found)


def test_a_category_page_holds_its_best_sellers_and_what_suits_who_asks(world: worlds.World, shop: Context) -> None:
    mine = of_group(world, GROUP)
    page = replace(shop, eligible=np.isin(np.arange(len(world.items)), [*mine, *of_group(world, 0)]))
    wanted = np.bincount(world.interactions.items, minlength=len(world.item_groups))
    assert set(first("category", who(), page, 2)) <= set(np.argsort(-np.where(page.eligible, wanted, 0))[:5].tolist())
    query = who(*((row, VIEW, 1) for row in mine[:4]))
    assert np.mean(world.item_groups[first("category", query, page)] == GROUP) >= 0.7


def test_a_search_holds_what_it_names(world: worlds.World, shop: Context) -> None:
    found = first("search", who(text="teapot saucer"), shop)
    assert set(world.item_groups[found]) == {1}


def test_the_files_speak_for_themselves() -> None:
    """Personal is what looks at the user, and only models that are trained are asked."""
    for path in FILES:
        built = pipeline(path.stem)
        looks = {step.use for step in (*built.spec.sources, *built.spec.stages)}
        impersonal = looks <= {"goes_with_seeds", "most_wanted", "newest", "drop_seeds"}
        assert built.spec.personal is not impersonal, path.stem
        assert set(built.spec.models) <= set(RECIPES), path.stem


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_without_any_model_a_pipeline_is_silent_or_needs_none(path: Path, world: worlds.World) -> None:
    bare = Context(world.items, np.ones(len(world.items), bool))
    query = who((0, VIEW, 1), (1, PURCHASE, 2), seeds=(3,), text="teapot")
    found = first(path.stem, query, bare)
    expected = {"newest": 10, "recently-viewed": 1, "buy-again": 1}
    if "newest" not in {source.use for source in pipeline(path.stem).spec.sources}:
        assert len(found) == expected.get(path.stem, 0)


# Because you viewed


def test_because_you_viewed_is_around_the_last_item_viewed_that_was_not_bought(
    world: worlds.World, shop: Context
) -> None:
    one, other = of_group(world, 0)[0], of_group(world, 3)[0]
    for query, group in (
        (who((one, VIEW, 2), (other, VIEW, 1)), 3),
        (who((one, VIEW, 1), (other, VIEW, 2)), 0),
        (who((one, VIEW, 3), (other, VIEW, 2), (other, PURCHASE, 1)), 0),
    ):
        assert query.events is not None
        assert world.item_groups[query.events.last_viewed] == group
        assert np.mean(world.item_groups[first("because-you-viewed", query, shop, 5)] == group) >= 0.8


def test_because_you_viewed_holds_neither_the_item_nor_its_variants(world: worlds.World, shop: Context) -> None:
    seed, *others = of_group(world, 0)
    parents = world.items.parents.copy()
    parents[others[:5]] = seed
    family = replace(shop, items=replace(world.items, parents=parents))
    found = first("because-you-viewed", who((seed, VIEW, 1)), family, 100)
    assert found
    assert not {seed, *others[:5]} & set(found)


def test_because_you_viewed_names_the_item_in_its_label() -> None:
    assert pipeline("because-you-viewed").spec.label_with_item.format(title="Mug") == "Because you viewed Mug"


def test_after_a_purchase_what_was_bought_before_is_left_out_and_what_was_viewed_stays(
    world: worlds.World, shop: Context
) -> None:
    seed = of_group(world, 0)[0]
    one, other, *_ = first("after-purchase", who(seeds=(seed,)), shop)
    query = who((one, PURCHASE, 9), (other, VIEW, 9), seeds=(seed,))
    found = first("after-purchase", query, shop)
    assert one not in found
    assert other in found


# New items on the home page


def with_newcomers(world: worlds.World, shop: Context, ages: list[float]) -> Context:
    """The shop with as many new items of GROUP as `ages` (days), which only the content model knows."""
    known = len(world.items)
    texts = [*(world.items.texts or []), *(" ".join(worlds.WORDS[GROUP][:3]) for _ in ages)]
    items = worlds.catalog(len(texts), texts)
    published = items.published.copy()
    published[known:] = [NOW - round(age * DAY) for age in ages]
    items = replace(items, published=published)
    models = {name: served_model.model for name, served_model in shop.models.items()}
    models["content"] = fit("content", world.interactions, items)
    return Context(items, np.ones(len(items), bool), served(models, items))


def test_a_brand_new_item_that_suits_is_shown_on_the_home_page_though_nobody_wanted_it_yet(
    world: worlds.World, shop: Context
) -> None:
    context = with_newcomers(world, shop, [0.1] * 8)
    mine, new = of_group(world, GROUP), set(range(len(world.items), len(context.items)))
    found = first("home", who((mine[0], VIEW, 3), (mine[1], VIEW, 2)), context, 50)
    assert len(new & set(found[:10])) == 1
    assert len(new & set(found)) <= 5


def test_what_is_new_for_others_or_no_longer_new_is_not_proposed_as_a_newcomer(
    world: worlds.World, shop: Context
) -> None:
    context = with_newcomers(world, shop, [0.1, 30.0, 0.2])
    known = len(world.items)
    query = who((of_group(world, GROUP)[0], VIEW, 3))
    source = SOURCES.create("newcomers", {"model": "content"})
    assert set(source.propose(query, context, 10).rows.tolist()) == {known, known + 2}
    assert len(source.propose(who(), context, 10)) == 0
    only_last = SOURCES.create("newcomers", {"model": "content", "added": 1})
    assert only_last.propose(query, context, 10).rows.tolist() == [known + 2]


def test_a_visitor_nobody_knows_is_not_shown_new_items_as_recommended_for_them(
    world: worlds.World, shop: Context
) -> None:
    assert first("home", who(), with_newcomers(world, shop, [0.1] * 3)) == []
