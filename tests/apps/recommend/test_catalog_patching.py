"""A catalog that was patched is the catalog read anew, whatever changed; its rows stay what they are."""

import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.recommend.engine.served_model import ServedModel
from apps.recommend.live_catalog import LiveCatalog
from tests.apps.recommend.catalogs import Made, OfItems, assert_same, catalogs, columns_of


@given(st.lists(catalogs, min_size=1, max_size=4), st.booleans())
def test_patched_is_what_reading_anew_gives(changes: list[dict[int, Made]], prepared: bool) -> None:
    items: dict[int, Made] = {}
    live = LiveCatalog.of(columns_of(items), 0)
    for revision, change in enumerate(changes, 1):
        if prepared:
            live.prepare()
        items = items | change
        live = live.patched(columns_of(change), revision)
        assert_same(live, LiveCatalog.of(columns_of(items), revision))


@given(catalogs, catalogs, catalogs)
def test_two_catalogs_that_grow_out_of_one_do_not_disturb_each_other_or_it(
    items: dict[int, Made], one: dict[int, Made], other: dict[int, Made]
) -> None:
    live = LiveCatalog.of(columns_of(items), 1)
    first = live.patched(columns_of(one), 2)
    second = live.patched(columns_of(other), 3)
    assert_same(first, LiveCatalog.of(columns_of(items | one), 2))
    assert_same(second, LiveCatalog.of(columns_of(items | other), 3))
    assert_same(live, LiveCatalog.of(columns_of(items), 1))


@given(catalogs, catalogs)
def test_rows_stay_unless_an_item_comes_between(items: dict[int, Made], change: dict[int, Made]) -> None:
    live = LiveCatalog.of(columns_of(items), 1)
    after = live.patched(columns_of(change), 2)
    between = [one for one in change if one not in items and items and one < max(items)]
    assert (after.epoch != live.epoch) == bool(between)
    if not between:
        assert after.ids[: len(live)].tolist() == live.ids.tolist()


def test_an_epoch_is_never_used_twice() -> None:
    columns = columns_of({1: Made("a"), 5: Made("b")})
    live = LiveCatalog.of(columns, 1)
    epochs = [live.epoch, LiveCatalog.of(columns, 1).epoch]
    epochs += [live.patched(columns_of({one: Made("c")}), 2).epoch for one in (2, 3)]
    assert len(set(epochs)) == 4


def test_a_variant_may_come_before_its_parent() -> None:
    live = LiveCatalog.of(columns_of({1: Made("variant", parent=7)}), 1)
    assert live.items.parents.tolist() == [-1]
    followed = live.patched(columns_of({7: Made("parent")}), 2)
    assert followed.items.parents.tolist() == [1, -1]
    assert not followed.homeless


def test_an_old_catalog_is_let_go_of_at_once() -> None:
    live = LiveCatalog.of(columns_of({1: Made("a"), 2: Made("b")}), 1)
    live.prepare()
    watched, after = weakref.ref(live), live.patched(columns_of({1: Made("a", price=9.0)}), 2)
    after.prepare()
    del live
    assert watched() is None  # without waiting for the garbage collector: each holds columns of many MB


def test_adding_many_times_copies_columns_seldom() -> None:
    live = LiveCatalog.of(columns_of({one: Made(f"i{one}") for one in range(1, 200)}), 1)
    buffers = set()
    for one in range(200, 260):
        live = live.patched(columns_of({one: Made(f"i{one}")}), one)
        buffers.add(live.price.__array_interface__["data"][0])
    assert len(buffers) == 1


@pytest.mark.parametrize("added", [(), (12,), (11, 12), (11, 13, 15)])
def test_a_model_over_more_items_is_the_model_over_all_of_them(added: tuple[int, ...]) -> None:
    items = {one: Made(f"i{one}") for one in (1, 2, 5, 9)}
    live = LiveCatalog.of(columns_of(items), 1)
    model = ServedModel.over(live.items, OfItems(2, 3, 9, 12, 15), name="m", version="m-1")
    more = live.patched(columns_of({one: Made(f"i{one}") for one in added}), 2)
    followed = model.over_more(more.items)
    anew = ServedModel.over(more.items, model.model, name="m", version="m-1")
    assert followed.to_catalog.tolist() == anew.to_catalog.tolist()
    assert followed.to_model.tolist() == anew.to_model.tolist()
    assert model.to_catalog.tolist() == [1, -1, 3, -1, -1]
    assert (followed is model) == (not added)
