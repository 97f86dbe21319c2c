import json

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.catalog.models import Category
from apps.catalog.selectors import category_id_of, category_tree, external_ids_of, item_columns, item_ids_of
from apps.catalog.services import category_save, item_delete
from apps.recommend.snapshot import fields_of
from tests.factories import make_items

pytestmark = pytest.mark.django_db


def test_columns_hold_every_item_by_ascending_id() -> None:
    [a, b, c, d, e] = make_items(
        {"price": "2.5", "currency": "GBP", "brand": "Potters", "url": "/a", "image_url": "/a.png"},
        {"stock": 0},
        {"available": False, "parent_id": "item-1"},
        {"published_at": "2024-01-01T00:00:00Z", "expires_at": "2024-02-01T00:00:00Z", "stock": 3},
        {},
    )
    item_delete("item-5")
    columns = item_columns()
    by_id = np.argsort([a, b, c, d, e])
    assert columns.ids.tolist() == sorted([a, b, c, d, e])
    inverse = np.argsort(by_id)
    assert columns.available[inverse].tolist() == [True, False, False, True, False]
    assert columns.deleted[inverse].tolist() == [False] * 4 + [True]
    at = inverse[0]
    assert (columns.external_ids[at], columns.titles[at], columns.urls[at]) == ("item-1", "Item 1", "/a")
    assert (columns.price[at], columns.price_text[at], columns.currency[at]) == (2.5, "2.50", "GBP")
    assert np.isnan(columns.price[inverse[1]])
    assert columns.price_text[inverse[1]] is None
    assert columns.published[inverse[3]] == 1704067200
    assert columns.expires[inverse[3]] == 1706745600
    assert columns.expires[at] == np.iinfo(np.int64).max
    assert columns.published[at] > 1704067200, "without a date an item counts as published when it was created"
    assert columns.parents[inverse].tolist() == [0, 0, a, 0, 0]
    assert columns.texts is None


def test_an_item_is_in_its_categories_and_all_above_them() -> None:
    [a, b] = make_items({"categories": ["Home > Kitchen > Mugs", "Home > Gifts"]}, {"categories": ["Home"]})
    names = dict(Category.objects.values_list("pk", "name"))
    pairs = {(item, names[category]) for item, category in item_columns().category_pairs.tolist()}
    assert pairs == {(a, "Home"), (a, "Kitchen"), (a, "Mugs"), (a, "Gifts"), (b, "Home")}


def test_what_filters_read_comes_as_it_is_stored() -> None:
    ids = make_items(
        {
            "tags": ["tea", "größe"],
            "stock": 4,
            "attributes": {"colour": "röt", "sizes": [1, "M"], "box": {"width": 2.5}},
            "categories": ["Kitchen > Mugs"],
        },
        {},
    )
    columns = item_columns()
    first = int(np.flatnonzero(columns.ids == ids[0])[0])
    assert json.loads(columns.tags[first]) == ["tea", "größe"]
    assert json.loads(columns.attributes[first]) == {"colour": "röt", "sizes": [1, "M"], "box": {"width": 2.5}}
    assert (columns.tags[1 - first], columns.attributes[1 - first]) == ("[]", "{}")
    assert columns.stock[first] == 4
    assert np.isnan(columns.stock[1 - first])
    named = dict(Category.objects.values_list("pk", "external_id"))
    assert columns.category_names == named
    assert set(named.values()) == {"Kitchen", "Kitchen > Mugs"}


def test_fields_of_items_are_those_of_the_database() -> None:
    ids = make_items(
        {"brand": "Acme", "tags": ["tea"], "attributes": {"a": {"b": [1]}}, "categories": ["Kitchen > Mugs"]},
        {"stock": 2},
        *[{"attributes": {"n": n}} for n in range(3)],
    )
    columns = item_columns()
    fields = fields_of(columns)
    row = {item_id: int(np.flatnonzero(columns.ids == item_id)[0]) for item_id in ids}
    assert [fields.value(name, row[ids[0]]) for name in ("brand", "tag", "attributes")] == [
        "Acme", ["tea"], {"a": {"b": [1]}},
    ]  # fmt: skip
    assert set(fields.value("category", row[ids[0]])) == {"Kitchen", "Kitchen > Mugs"}
    assert fields.value("stock", row[ids[1]]) == 2
    assert [fields.value("attributes.n", row[one]) for one in ids[2:]] == [0, 1, 2]


def test_texts_are_what_describes_an_item_one_part_to_a_line() -> None:
    make_items(
        {
            "title": "Blue mug",
            "brand": "Potters",
            "categories": ["Kitchen > Mugs"],
            "tags": ["tea", "large"],
            "description": "Holds tea.",
        }
    )
    assert item_columns(texts=True).texts == ["Blue mug\nPotters\nKitchen Mugs\ntea large\nHolds tea."]


def test_columns_of_some_items_are_those_of_all_at_those_items() -> None:
    ids = make_items(*[{"categories": [f"Kitchen > C{n}"], "price": n} for n in range(6)])
    some = item_columns([ids[4], ids[1]], texts=True)
    assert some.ids.tolist() == sorted([ids[1], ids[4]])
    assert sorted(some.price.tolist()) == [1, 4]
    assert set(some.category_pairs[:, 0].tolist()) == {ids[1], ids[4]}
    assert set(some.category_names.values()) == {"Kitchen", "Kitchen > C1", "Kitchen > C4"}
    assert item_columns([]).ids.tolist() == []
    many = item_columns(list(range(-25_000, 0)) + ids, texts=True)
    assert len(many) == len(many.attributes) == len(many.stock) == 6
    assert len(many.category_names) == 7


def test_columns_take_the_same_number_of_queries_for_any_number_of_items() -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            item_columns(texts=True)
        return len(captured)

    make_items({"categories": ["A"]})
    few = queries()
    make_items(*[{"item_id": f"x{n}", "categories": ["A"]} for n in range(50)])
    assert queries() == few <= 4


def test_ids_are_translated_both_ways_and_unknown_ones_left_out() -> None:
    [a, b] = make_items({}, {})
    assert item_ids_of(["item-1", "item-2", "nobody"]) == {"item-1": a, "item-2": b}
    assert external_ids_of([a, b, -1]) == {a: "item-1", b: "item-2"}
    many = [f"n{n}" for n in range(40_000)]
    assert item_ids_of([*many, "item-1"]) == {"item-1": a}


def test_a_category_is_found_by_id_or_by_name_in_any_case() -> None:
    root = category_save(external_id="c1", name="Kitchen", parent_id=None)
    leaf = category_save(external_id="Mugs", name="Cups", parent_id=root)
    named = category_save(external_id="c3", name="mugs", parent_id=root)
    assert category_id_of("c1") == category_id_of("KITCHEN") == root
    assert category_id_of("Mugs") == leaf, "ids win over names"
    assert category_id_of("MUGS") == named
    assert category_id_of("nothing") is None


def test_the_tree_lists_each_category_above_what_lies_below_it() -> None:
    make_items({"categories": ["B > b", "A > z > y", "A > a"]})
    assert [(depth, node.name) for depth, node in category_tree().in_order()] == [
        (0, "A"), (1, "a"), (1, "z"), (2, "y"), (0, "B"), (1, "b"),
    ]  # fmt: skip
