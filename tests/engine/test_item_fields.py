"""Fields of items: what they say of each row, and that a patch says the same as reading everything anew."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.recommend.engine import item_fields
from apps.recommend.engine.field_reader import MAX_MEMBERS, MAX_PATHS, MAX_TEXT, FieldReader
from apps.recommend.engine.filters import parse
from apps.recommend.engine.item_fields import ItemFields
from tests import worlds
from tests.engine.filter_worlds import CATALOGS, FILTERS, ITEM, NOW, Item, fields_of, items_of, means

SHOP: list[Item] = [
    {"brand": "Acme", "stock": 3, "category": ["kitchen", "mugs"], "tag": ["tea"],
        "attributes": {"a": {"b": 1}, "c": "x"}},
    {"brand": "Potters", "attributes": {"a": {"b": 2.5, "d": ["p", 1, True]}, "c": 7}},
    {"tag": ["gift", "tea"], "stock": 0, "attributes": {"e": False, "a": "plain"}},
    {},
]  # fmt: skip
TABLE = [{"attributes": {"n": row}} for row in range(5_000)]


def everything(fields: ItemFields) -> list[dict[str, Any]]:
    """All values of all rows, for display."""
    names = ["brand", "stock", "category", "tag", "attributes"]
    return [{name: fields.value(name, row) for name in names} for row in range(len(fields))]


def test_values_come_back_as_they_went_in() -> None:
    fields = fields_of(SHOP)
    assert everything(fields) == [
        {
            "brand": item.get("brand"),
            "stock": item.get("stock"),
            "category": item.get("category", []),
            "tag": item.get("tag", []),
            "attributes": item.get("attributes", {}),
        }
        for item in SHOP
    ]
    assert fields.value("attributes.a.b", 0) == 1
    assert type(fields.value("attributes.a.b", 0)) is int
    assert fields.value("attributes.a.d", 1) == ["p", 1, True]
    assert fields.value("attributes.a", 1) == {"b": 2.5, "d": ["p", 1, True]}
    assert fields.value("attributes.a", 2) == "plain"
    assert fields.value("attributes.nothing", 0) is None
    assert (fields.value("tags", 2), fields.value("categories", 0)) == (["gift", "tea"], ["kitchen", "mugs"])


def test_labels_numbers_and_sets_are_columns_over_all_rows_or_some() -> None:
    fields = fields_of(SHOP)
    labels = fields.labels("brand")
    assert labels is not None
    assert [None if code < 0 else str(labels.values[code]) for code in labels.codes] == ["Acme", "Potters", None, None]
    some = fields.labels("attributes.c", np.array([3, 1, 0]))
    assert some is not None
    assert [None if code < 0 else str(some.values[code]) for code in some.codes] == [None, "7", "x"]
    numbers = fields.numbers("attributes.a.b")
    assert numbers is not None
    assert numbers.tolist()[:2] == [1, 2.5]
    assert np.isnan(numbers[2:]).all()
    stock = fields.numbers("stock", np.array([2, 0]))
    assert stock is not None
    assert stock.tolist() == [0, 3]
    mugs = ["kitchen", "mugs"]
    for rows, expected in [(None, [mugs, [], [], []]), (np.array([3, 0, 0]), [[], mugs, mugs])]:
        sets = fields.sets("category", rows)
        assert sets is not None
        named = [str(one) for one in sets.values[sets.indices]]
        assert [named[sets.indptr[at] : sets.indptr[at + 1]] for at in range(len(sets.indptr) - 1)] == expected
    sets = fields.sets("attributes.c")
    assert sets is not None
    assert np.diff(sets.indptr).tolist() == [1, 1, 0, 0], "a single value is a set of one"
    assert fields.labels("nothing") is fields.numbers("nothing") is fields.sets("nothing") is None


def test_names_are_the_fields_that_some_item_has() -> None:
    assert fields_of(SHOP).names == [
        "attributes.a", "attributes.a.b", "attributes.a.d", "attributes.c", "attributes.e",
        "brand", "category", "stock", "tag",
    ]  # fmt: skip
    assert fields_of([{}]).names == []


def test_reading_in_chunks_is_reading_at_once() -> None:
    whole, reader = fields_of(SHOP), FieldReader()
    for part in (SHOP[:1], SHOP[1:3], SHOP[3:]):
        ids = worlds.item_ids(len(part))
        categories = ["kitchen", "mugs"]
        pairs = [(int(ids[row]), at) for row, item in enumerate(part) for at in range(len(item.get("category", ())))]
        reader.add(
            ids=ids,
            brands=[item.get("brand", "") for item in part],
            stock=np.array([item.get("stock", np.nan) for item in part]),
            tags=[json.dumps(item.get("tag", [])) for item in part],
            attributes=[json.dumps(item.get("attributes", {})) for item in part],
            category_pairs=np.array(pairs, dtype=np.int64).reshape(-1, 2),
            category_names=dict(enumerate(categories)),
        )
    assert everything(ItemFields.read(reader)) == everything(whole)


def test_what_cannot_be_compared_is_left_out() -> None:
    long, fits = "x" * (MAX_TEXT + 1), "x" * MAX_TEXT
    attributes = {
        "long": long, "fits": fits, "none": None, "huge": 10**400, "mixed": [1, None, {"a": 1}, [2], "b", long],
        "many": list(range(MAX_MEMBERS + 5)), "empty": [], "big": 2**60,
    }  # fmt: skip
    fields = fields_of([{"attributes": attributes}])
    found = fields.value("attributes", 0)
    assert set(found) == {"fits", "mixed", "many", "empty", "big"}
    assert (found["mixed"], found["empty"], len(found["many"])) == ([1, "b"], [], MAX_MEMBERS)
    assert found["big"] == 2**60


def test_the_most_frequent_attributes_are_kept_and_the_others_named() -> None:
    rare = {f"rare{n}": 1 for n in range(MAX_PATHS)}
    fields = fields_of([{"attributes": rare}, {"attributes": {"often": 1}}, {"attributes": {"often": 2}}])
    assert "attributes.often" in fields.names
    assert len(fields.names) == MAX_PATHS
    assert fields.left_out == ("attributes.rare99",)
    patched = fields.patched(np.array([3]), fields_of([{"brand": "Acme", "attributes": {"new": 1, "often": 3}}]))
    assert len(patched.names) == MAX_PATHS + 1, "the brand, and no attribute more"
    assert patched.left_out == ("attributes.new", "attributes.rare99")
    assert patched.value("attributes", 3) == {"often": 3}


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(catalog=CATALOGS, data=st.data(), text=FILTERS, kept=st.sampled_from([0, 4_096]))
def test_patched_fields_say_what_fields_read_anew_say(
    catalog: list[Item], data: st.DataObject, text: str, kept: int
) -> None:
    fields, expression = fields_of(catalog), parse(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(item_fields, "_MERGED_FROM", kept)
        for _ in range(data.draw(st.integers(1, 4))):
            replaced = data.draw(st.lists(st.integers(0, len(catalog) - 1), unique=True, max_size=4))
            rows = replaced + list(range(len(catalog), len(catalog) + data.draw(st.integers(0, 3))))
            change = data.draw(st.lists(ITEM, min_size=len(rows), max_size=len(rows)))
            before, old = everything(fields), fields
            fields = fields.patched(np.array(rows, dtype=np.int32), fields_of(change))
            assert everything(old) == before, "what is served meanwhile does not change"
            catalog = [*catalog, *[{}] * (len(catalog) + len(rows))][: max([len(catalog) - 1, *rows]) + 1]
            for row, item in zip(rows, change, strict=True):
                catalog[row] = item
    assert everything(fields) == everything(fields_of(catalog))
    assert everything(fields.merged()) == everything(fields)
    items = items_of(catalog, fields)
    expected = [means(expression.node, catalog, row) for row in range(len(catalog))]
    assert expression.mask(items, now=NOW).tolist() == expected
    backwards = np.arange(len(catalog))[::-1].astype(np.int32)
    assert expression.mask(items, backwards, now=NOW).tolist() == expected[::-1]
    places = np.cumsum(1 + np.arange(len(catalog)) % 2).astype(np.int32)
    spread = everything(fields.spread(places, int(places[-1]) + 2))
    assert [spread[place] for place in places.tolist()] == everything(fields)
    assert all(spread[row] == everything(fields_of([{}]))[0] for row in set(range(len(spread))) - set(places.tolist()))


def test_new_items_can_fill_an_empty_catalog() -> None:
    fields = fields_of([]).patched(np.arange(len(SHOP)), fields_of(SHOP))
    assert everything(fields) == everything(fields_of(SHOP))


@pytest.mark.parametrize("rows", [[0, 0], [4, 6], [5, 6], [0], [0, 1, 2]])
def test_a_patch_without_a_row_for_each_item_is_refused(rows: list[int]) -> None:
    with pytest.raises(ValueError, match="one row for each item"):
        fields_of(SHOP).patched(np.array(rows), fields_of([{}, {}]))


def test_values_that_no_item_has_any_more_are_swept_out() -> None:
    fields = fields_of(TABLE)
    for turn in range(1, 5):
        rows = np.arange(len(TABLE))
        fields = fields.patched(rows, fields_of([{"attributes": {"n": row + turn * 10_000}} for row in rows.tolist()]))
    assert len(fields.columns["attributes.n"].table) <= 2 * len(TABLE)
    assert fields.value("attributes.n", 17) == 40_017


def test_columns_are_small() -> None:
    n = 20_000
    rare_ones = [{"rare": row} if row % 1_000 == 0 else {} for row in range(n)]
    fields = fields_of([{"brand": f"b{row % 100}", "attributes": rare_ones[row]} for row in range(n)])
    brand, rare = fields.columns["brand"], fields.columns["attributes.rare"]
    assert brand.codes.nbytes == n
    assert rare.codes.nbytes < 100
    assert rare.rows is not None
    assert rare.rows.nbytes == 4 * 20
