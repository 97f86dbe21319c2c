"""The catalog as serving sees it: patched by revision, equal to one read anew."""

import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.catalog import selectors
from apps.catalog.services import item_delete, item_patch, items_upsert, parse_item, relay_changes
from apps.recommend import snapshot
from apps.recommend.live_catalog import LiveCatalog

pytestmark = pytest.mark.django_db


def add(*ids: str, **fields: object) -> None:
    results = items_upsert([parse_item({"item_id": one, "title": f"Item {one}", **fields}) for one in ids])
    assert all(not result.errors for result in results)


def read() -> LiveCatalog:
    return LiveCatalog.of(selectors.item_columns(), selectors.latest_revision())


def follow(live: LiveCatalog) -> LiveCatalog:
    relay_changes()
    while changes := selectors.changed_since(live.revision):
        live = live.patched(selectors.item_columns(sorted({item for _, item in changes})), changes[-1][0])
    return live


def assert_same(one: LiveCatalog, other: LiveCatalog) -> None:
    assert one.ids.tolist() == other.ids.tolist()
    assert one.available.tolist() == other.available.tolist()
    assert np.array_equal(one.price, other.price, equal_nan=True)
    for name, column in one.cards.items():
        assert column.tolist() == other.cards[name].tolist(), name
    assert one.items.category_ids.tolist() == other.items.category_ids.tolist()
    assert (one.items.categories != other.items.categories).nnz == 0
    assert one.items.parents.tolist() == other.items.parents.tolist()
    assert one.brands.tolist() == other.brands.tolist()
    assert [one.row_of(str(item)) for item in other.cards["external_ids"]] == list(range(len(other.ids)))


changes = st.lists(
    st.tuples(
        st.sampled_from(["add", "price", "hide", "show", "move", "delete", "variant", "brand"]),
        st.integers(0, 7),
        st.integers(0, 3),
    ),
    max_size=12,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=changes, after=changes)
def test_following_the_change_feed_ends_where_reading_anew_does(
    db: None, before: list[tuple[str, int, int]], after: list[tuple[str, int, int]]
) -> None:
    def play(steps: list[tuple[str, int, int]]) -> None:
        for action, number, detail in steps:
            item = f"i{number}"
            if action == "add" or selectors.item_facts(item) is None:
                add(item, categories=[["Home", f"Room {detail}"]])
            elif action == "price":
                item_patch(item, {"price": f"{detail}.25"})
            elif action in ("hide", "show"):
                item_patch(item, {"available": action == "show"})
            elif action == "move":
                item_patch(item, {"categories": [["Garden", f"Corner {detail}"]]})
            elif action == "delete":
                item_delete(item)
            elif action == "variant" and selectors.item_facts("i0") is not None and number:
                item_patch(item, {"parent_id": "i0"})
            elif action == "brand":
                item_patch(item, {"brand": ["", "Acme", " ACME ", "Other"][detail]})

    play(before)
    live = read()
    play(after)
    assert_same(follow(live), read())


def test_items_are_found_by_the_shops_own_id() -> None:
    add("a", "ä", "85123A", "📦")
    live = read()
    for one in ("a", "ä", "85123A", "📦"):
        row = live.row_of(one)
        assert row is not None
        assert live.external_id(row) == one
    assert live.row_of("unknown") is None
    assert LiveCatalog.of(selectors.item_columns([]), 0).row_of("a") is None


def test_a_brand_is_the_same_however_it_is_written_and_none_is_minus_one() -> None:
    for item, brand in [("a", "Acme"), ("b", "ACME "), ("c", "Other"), ("d", "")]:
        add(item, brand=brand)
    acme, again, other, none = read().items.brands.tolist()
    assert acme == again
    assert len({acme, other, none}) == 3
    assert none == -1 < min(acme, other)
    assert snapshot.items().brands.tolist() == [acme, again, other, none]


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({}, True),
        ({"available": False}, False),
        ({"stock": 0}, False),
        ({"stock": 3}, True),
        ({"published_at": "2999-01-01T00:00:00Z"}, False),
        ({"published_at": "2020-01-01T00:00:00Z", "expires_at": "2021-01-01T00:00:00Z"}, False),
    ],
)
def test_only_what_can_be_bought_now_may_be_shown(fields: dict[str, object], shown: bool) -> None:
    add("x", **fields)
    assert read().eligible(int(time.time())).tolist() == [shown]
