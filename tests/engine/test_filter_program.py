"""Several filters in one compiled loop: the same as each of them alone, and as a plain reading of each item."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.recommend.engine.filters import parse
from apps.recommend.engine.filters.program import masks
from apps.recommend.engine.types import Items, Mask
from tests.engine.filter_worlds import CATALOGS, FILTERS, ITEM, NOW, Item, fields_of, items_of, means


def told(texts: list[str], items: Items, rows: list[int]) -> Mask:
    return masks([parse(text) for text in texts], items, np.array(rows, np.int32), NOW)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=200)
@given(catalog=CATALOGS, texts=st.lists(FILTERS, min_size=1, max_size=4), data=st.data())
def test_every_filter_is_told_as_reading_each_item_tells_it(
    catalog: list[Item], texts: list[str], data: st.DataObject
) -> None:
    items, n = items_of(catalog), len(catalog)
    rows = data.draw(st.lists(st.integers(0, n - 1), max_size=8))
    filters = [parse(text) for text in texts]
    wanted = [[means(one.node, catalog, row) for row in rows] for one in filters]
    assert told(texts, items, rows).tolist() == wanted
    assert told(texts, items, rows[:1]).tolist() == [row[:1] for row in wanted]  # by the remembered program


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=100)
@given(catalog=CATALOGS, later=st.lists(ITEM, min_size=1, max_size=6), text=FILTERS, data=st.data())
def test_items_that_changed_and_items_that_were_added_are_read_as_they_are_now(
    catalog: list[Item], later: list[Item], text: str, data: st.DataObject
) -> None:
    n = len(catalog)
    rows = data.draw(st.lists(st.integers(0, n - 1), min_size=len(later), max_size=len(later), unique=True)) \
        if len(later) <= n and data.draw(st.booleans()) else list(range(n, n + len(later)))  # fmt: skip
    now: list[Any] = [*catalog, *later] if rows[0] >= n else [*catalog]
    for row, item in zip(rows, later, strict=True):
        now[row] = item
    fields = fields_of(catalog).patched(np.array(rows), fields_of(later))
    every = list(range(len(now)))
    node = parse(text).node
    assert told([text], items_of(now, fields), every).tolist() == [[means(node, now, row) for row in every]]


def test_a_field_that_few_items_have_is_found_where_they_are() -> None:
    catalog: list[Item] = [{"attributes": {"colour": "red"}} if row in {3, 900, 1_999} else {} for row in range(2_000)]
    items = items_of(catalog)
    rows = [0, 3, 4, 899, 900, 901, 1_998, 1_999]
    assert told(['attributes.colour = "red"'], items, rows)[0].nonzero()[0].tolist() == [1, 4, 7]


def test_a_field_with_a_hundred_thousand_values_is_asked_about_the_rows_alone() -> None:
    catalog: list[Item] = [{"attributes": {"isbn": f"{row}"}} for row in range(70_000)]
    items = items_of(catalog)
    found = told(['attributes.isbn = "69999"', "price = null"], items, [5, 69_999])
    assert found.tolist() == [[False, True], [True, True]]
    assert items.fields is not None
    assert not items.fields.columns["attributes.isbn"].table._known  # nothing was compared with all of them


def test_rows_and_columns_that_cannot_be_written_are_read_all_the_same() -> None:
    catalog: list[Item] = [{"price": 5.0, "brand": "Acme"}, {"price": 15.0}, {}]
    items = items_of(catalog)
    price, rows = items.price.copy(), np.array([2, 1, 0, 1, 0, 2], np.int32)[::2]
    price.flags.writeable = rows.flags.writeable = False
    filters = [parse('price < 10 or brand = "Acme"'), parse("price = null")]
    found = masks(filters, replace(items, price=price), rows, NOW)
    assert found.tolist() == [[False, True, True], [True, False, False]]


@pytest.mark.parametrize("row", [-1, 3])
def test_a_row_that_no_item_has_is_refused(row: int) -> None:
    with pytest.raises(IndexError, match="3 items"):
        told(["price < 10"], items_of([{}, {}, {}]), [0, row])


def test_what_was_not_read_cannot_be_filtered_by() -> None:
    items = replace(items_of([{}, {}, {}, {}]), fields=None)
    with pytest.raises(ValueError, match="without the fields"):
        told(['brand = "Acme"'], items, [0])
    assert told(["price = null"], items, [0]).tolist() == [[True]]
