"""What filters mean, over random catalogs and against a plain reading of each item."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.recommend.engine.filters import Expression, parse
from apps.recommend.engine.types import Items
from tests import worlds
from tests.engine.filter_worlds import CATALOGS, FILTERS, NOW, Item, items_of, means

SHOP: list[Item] = [
    {"price": 5.0, "brand": "Acme", "category": ["kitchen", "mugs"], "attributes": {"colour": "red", "size": 3}},
    {"price": 25.0, "brand": "Potters", "category": ["kitchen", "plates"], "attributes": {"colour": "blue"}},
    {"brand": "acme", "tag": ["tea", "gift"], "stock": 0, "attributes": {"sizes": ["M", "L"], "organic": True}},
    {"price": 20.0, "available": False, "stock": 7, "parent": 0, "attributes": {"size": "3", "box": {"width": 2.5}}},
    {"published": NOW - 86_400 * 10, "attributes": {"sizes": [], "organic": False, "a b": 1, "made": "2024-05-01"}},
]


def rows(text: str, items: Items | None = None) -> list[int]:
    """The rows of SHOP that a filter leaves."""
    return np.flatnonzero(parse(text).mask(items or items_of(SHOP), now=NOW)).tolist()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('price < 20 and category in ("mugs", "plates") and not brand = "Acme"', []),
        ('price < 20 and category in ("mugs", "plates") and attributes.colour = "red"', [0]),
        ("price <= 20", [0, 3]),
        ("price != 20", [0, 1, 2, 4]),
        ("not price < 20", [1, 2, 3, 4]),
        ("price = null", [2, 4]),
        ("price != null", [0, 1, 3]),
        ("price in (5, 25, null)", [0, 1, 2, 4]),
        ('category = "kitchen"', [0, 1]),
        ('category = "Mugs"', []),
        ("category = null", [2, 3, 4]),
        ('brand = "Acme"', [0]),
        ('brand >= "B"', [1, 2]),
        ('tag = "tea" or tags = "gift"', [2]),
        ("stock = 0", [2]),
        ("stock = null", [0, 1, 4]),
        ("available", [0, 1, 2, 4]),
        ("available = false", [3]),
        ('parent_id = "item-0"', [3]),
        ("parent_id != null", [3]),
        ('item_id not in ("item-0", "item-3", "nobody")', [1, 2, 4]),
        ("age_days > 9.5", [4]),
        ("attributes.size = 3", [0]),
        ('attributes.size = "3"', [3]),
        ("attributes.size > 2", [0]),
        ('attributes.size in (3, "3")', [0, 3]),
        ('attributes.sizes = "M"', [2]),
        ('attributes.sizes != "M"', [0, 1, 3, 4]),
        ("attributes.sizes != null", [2]),
        ("attributes.organic", [2]),
        ("attributes.organic = false", [4]),
        ("attributes.organic = 1", []),
        ("attributes.box.width < 3", [3]),
        ('attributes."a b" = 1', [4]),
        ('attributes.made >= "2024-01-01"', [4]),
        ('attributes.nobody_has = "x"', []),
        ('attributes.nobody_has != "x" and attributes.nobody_has = null', [0, 1, 2, 3, 4]),
        ('available and price < 10 or brand = "acme"', [0, 2]),
        ('available and (price < 10 or brand = "acme")', [0, 2]),
        ("available and (price > 10 or stock = 7)", [1]),
    ],
)  # fmt: skip
def test_a_filter_leaves_what_it_says(text: str, left: list[int]) -> None:
    assert rows(text) == left


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=150)
@given(catalog=CATALOGS, text=FILTERS, data=st.data())
def test_a_mask_is_what_reading_each_item_gives(catalog: list[Item], text: str, data: st.DataObject) -> None:
    expression, items = parse(text), items_of(catalog)
    expected = [means(expression.node, catalog, row) for row in range(len(catalog))]
    assert expression.mask(items, now=NOW).tolist() == expected
    some = np.array(data.draw(st.lists(st.integers(0, len(catalog) - 1))), dtype=np.int32)
    found = expression.mask(items, some, now=NOW)
    assert found.dtype == np.bool_
    assert found.tolist() == [expected[row] for row in some]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=100)
@given(text=FILTERS, catalog=CATALOGS)
def test_the_canonical_text_is_read_as_the_same_filter(text: str, catalog: list[Item]) -> None:
    expression = parse(text)
    again = parse(expression.text)
    assert (again, hash(again), again.text, again.fields) == (
        expression, hash(expression), expression.text, expression.fields,
    )  # fmt: skip
    assert len({expression, again}) == 1
    items = items_of(catalog)
    assert again.mask(items, now=NOW).tolist() == expression.mask(items, now=NOW).tolist()


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("PRICE".lower() + "<20.0", "price < 20"),
        ("(price<20)AND((not(not available)))", "price < 20 and available = true"),
        ("brand == 'it\\'s'", 'brand = "it\'s"'),
        ("brand in ('b','a','b')", 'brand in ("a", "b")'),
        ("not brand in ('a')", 'brand != "a"'),
        ("not brand != 'a'", 'brand = "a"'),
        ("not (price < 1 or price > 2)", "not (price < 1 or price > 2)"),
        ("price < 1 or (price > 2 or price = 3)", "price < 1 or price > 2 or price = 3"),
        ("(price < 1 or price > 2) and stock = 1", "(price < 1 or price > 2) and stock = 1"),
        ("tags = 'x' and categories = 'y'", 'tag = "x" and category = "y"'),
        ('attributes."colour" = "\\u0041\\t"', 'attributes.colour = "A\\t"'),
        ("published < '2024-01-01T00:00:00+00:00'", 'published < "2024-01-01"'),
        ("published < '2024-01-01T02:00:00+01:00'", 'published < "2024-01-01T01:00:00Z"'),
        ("price < 1e3 and price > -0", "price < 1000 and price > 0"),
    ],
)
def test_spelling_does_not_matter(text: str, canonical: str) -> None:
    assert parse(text).text == canonical
    assert str(parse(canonical)) == canonical


def test_an_expression_says_which_fields_it_reads() -> None:
    expression = parse('price < 2 and (attributes.a.b = 1 or price > 1) and not tags = "x"')
    assert expression.fields == ("attributes.a.b", "price", "tag")


def test_filters_over_no_rows_and_no_items_are_empty() -> None:
    text = 'price < 2 and brand = "x" and tag in ("a", "b") and attributes.x > 1 and item_id = "a" and available'
    assert parse(text).mask(items_of(SHOP), np.empty(0, np.int32), now=NOW).tolist() == []
    assert parse(text).mask(items_of([]), now=NOW).tolist() == []


@pytest.mark.parametrize(
    ("text", "items", "complaint"),
    [
        ("age_days < 3", items_of(SHOP), "what time it is"),
        ('brand = "x"', worlds.catalog(3), "without the fields"),
        ('item_id = "x"', worlds.catalog(3), "without the fields"),
    ],
)
def test_what_the_items_cannot_answer_is_refused(text: str, items: Items, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse(text).mask(items)


def test_filters_on_prices_need_no_fields() -> None:
    assert parse("price < 10 and available").mask(worlds.catalog(2)).tolist() == [True, True]


def test_large_tables_are_read_only_where_asked_and_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    n = 300
    catalog: list[Item] = [
        {"attributes": {"code": f"c{row % 97}" if row % 3 else row, "many": [f"m{row}", row] if row % 2 else []}}
        for row in range(n)
    ]
    some = np.array([5, 4, 4, 200, 299, 0], dtype=np.int32)
    texts = [
        'attributes.code in ("c5", 0, null)',
        'attributes.code > "c50"',
        "attributes.many < 6",
        "attributes.many = null",
    ]

    def masks() -> list[Any]:
        items = items_of(catalog)
        return [parse(text).mask(items, some).tolist() for text in texts]

    whole = masks()
    monkeypatch.setattr("apps.recommend.engine.value_table._INDEXED", 8)
    assert masks() == whole
    assert whole == [[means(parse(text).node, catalog, row) for row in some.tolist()] for text in texts]


def test_expressions_are_equal_by_what_they_say() -> None:
    assert parse("price<3") == parse("price < 3.0")
    assert parse("price < 3") != parse("price < 4")
    assert parse("attributes.a = true") != parse("attributes.a = 1")
    assert isinstance(parse("price < 3"), Expression)
