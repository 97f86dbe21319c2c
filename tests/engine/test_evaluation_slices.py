"""Figures by users' history, items' age and category are those of asking for that part alone."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from apps.recommend.engine.evaluation.evaluate import Exam, Protocol, evaluate, evaluate_tasks
from apps.recommend.engine.evaluation.slices import ItemGroups, groupings, sliced
from apps.recommend.engine.evaluation.splits import Split, temporal_split
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.types import DAY, Items
from tests import worlds

CUT = worlds.NOW - 10 * DAY


@pytest.fixture(scope="module")
def items(world: worlds.World) -> Items:
    """The world's items, in a category for each group but the last, which is in none."""
    groups = world.item_groups
    named = groups < groups.max()
    shape = (len(groups), int(groups.max()))
    categories = sparse.csr_matrix((np.ones(int(named.sum())), (np.flatnonzero(named), groups[named])), shape=shape)
    return replace(world.items, categories=categories, category_ids=np.arange(shape[1]) + 50)


@pytest.fixture(scope="module")
def split(world: worlds.World) -> Split:
    return temporal_split(world.interactions, at=CUT)


def by_name(split: Split, world: worlds.World, items: Items) -> dict[str, Any]:
    names = {50: "Lights", 51: "Tea"}
    return {one.by.split()[0]: one for one in groupings(split, world.interactions, items, names)}


def test_every_user_is_in_one_group_by_history(world: worlds.World, split: Split, items: Items) -> None:
    grouping = by_name(split, world, items)["items"]
    assert (grouping.member.sum(axis=1) == 1).all()
    known = np.diff(split.had.indptr)
    for label, member in zip(grouping.labels, grouping.member.T, strict=True):
        low, _, high = label.replace(" and more", "–999").partition("–")
        expected = (known >= int(low)) & (known <= int(high or low))
        np.testing.assert_array_equal(member, expected)


def test_items_are_as_old_as_their_first_sight(world: worlds.World, split: Split, items: Items) -> None:
    interactions = world.interactions
    published = items.published.copy()
    published[:] = CUT - 400 * DAY
    published[items.rows_of(interactions.item_ids[[0, 1, 2]])] = CUT + DAY  # met before they were published
    published[items.rows_of(interactions.item_ids[[3]])] = CUT - 8 * DAY
    grouping = by_name(split, world, replace(items, published=published))["days"]
    first = [interactions.times[interactions.items == row].min() for row in range(3)]
    for row, seen in enumerate(first):
        days = (CUT - seen) // DAY
        assert grouping.labels[int(grouping.member[row].argmax())] == ("31–90" if days > 30 else "8–30")
    assert grouping.labels[int(grouping.member[4].argmax())] == "366 and more"
    assert (grouping.member.sum(axis=1) == 1).all()


def test_an_item_first_seen_after_the_split_is_not_yet_seen(world: worlds.World, items: Items) -> None:
    interactions = worlds.events(
        [(0, 0, worlds.PURCHASE), (0, 1, worlds.PURCHASE)], times=[CUT - DAY, CUT + DAY], n_items=2
    )
    later = replace(worlds.catalog(2), published=np.array([0, worlds.NOW]))
    grouping = by_name(temporal_split(interactions, at=CUT), replace(world, interactions=interactions), later)["days"]
    assert [grouping.labels[place] for place in grouping.member.argmax(axis=1)] == ["366 and more", "not yet seen"]


def test_categories_are_called_by_their_names(world: worlds.World, split: Split, items: Items) -> None:
    grouping = by_name(split, world, items)["category"]
    assert {"Lights", "Tea", "category 52", "other categories", "no category"} <= set(grouping.labels)
    lights = grouping.labels.index("Lights")
    np.testing.assert_array_equal(grouping.member[:, lights], world.item_groups == 0)
    nowhere = grouping.labels.index("no category")
    np.testing.assert_array_equal(grouping.member[:, nowhere], world.item_groups == world.item_groups.max())
    without = by_name(split, world, worlds.catalog(len(items)))
    assert "category" not in without


def test_two_categories_of_one_name_are_two_slices(world: worlds.World, split: Split, items: Items) -> None:
    found = groupings(split, world.interactions, items, dict.fromkeys(items.category_ids.tolist(), "Tea"))
    labels = found[-1].labels[:-2]
    assert len(set(labels)) == len(labels) > 1
    assert all(label.startswith("Tea") for label in labels)


def test_a_slice_of_items_is_what_asking_for_them_alone_would_give(
    world: worlds.World, split: Split, items: Items, fitted: Any
) -> None:
    exam = Exam.on(split, n_items=80)
    found = exam.take(fitted("item_knn"), ks=(5, 10))
    grouping = by_name(split, world, items)["category"]
    for label in (0, 1):
        mine = sparse.csr_matrix(split.truth.multiply(grouping.member[:, label]))
        mine.eliminate_zeros()
        users = np.flatnonzero(mine.getnnz(axis=1))
        alone = replace(split, users=split.users[users], truth=mine[users], had=split.had[users])
        expected = Exam.on(alone, n_items=80).take(fitted("item_knn"), ks=(5, 10))
        places, values = sliced(grouping, label, split, found, exam.context, (5, 10))
        np.testing.assert_array_equal(places, users)
        for key, column in values.items():
            np.testing.assert_allclose(column, expected.per_user[key], err_msg=str(key))


def test_an_empty_slice_is_empty(split: Split, fitted: Any) -> None:
    exam = Exam.on(split, n_items=80)
    nothing = ItemGroups("nothing", ("none",), np.zeros((split.train.n_items, 1), bool))
    places, values = sliced(nothing, 0, split, exam.take(fitted("popularity")), exam.context, (10,))
    assert len(places) == 0
    assert values == {}


def test_slices_of_users_add_up_to_the_whole(world: worlds.World, items: Items) -> None:
    splits = [temporal_split(world.interactions, at=at, until=at + 5 * DAY) for at in (CUT - 5 * DAY, CUT)]
    protocol = Protocol(seed=1, slicer=lambda split: groupings(split, world.interactions, items, {}))
    recipes = {name: ALGORITHMS.create(name) for name in ("popularity", "item_knn")}
    result = evaluate_tasks(recipes, items, {"": splits}, protocol)[""]
    for model in recipes:
        mine = [
            one
            for one in result.slices
            if (one.by, one.model, one.metric) == ("items known of the user", model, "ndcg@10")
        ]
        counts = [one.observations for one in mine]
        assert sum(counts) == result.n_observations
        mean = np.average([one.mean for one in mine], weights=counts)
        assert mean == pytest.approx(result.figure(model, "ndcg@10").mean)
        assert all(one.low <= one.mean <= one.high for one in mine)
    assert "ndcg@10 by category of the item" in str(result)


def test_nothing_is_sliced_unless_asked(world: worlds.World, split: Split) -> None:
    result = evaluate({"popularity": ALGORITHMS.create("popularity")}, world.items, split, Protocol(seed=1))
    assert result.slices == []
