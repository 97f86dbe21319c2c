"""Catalogs for filters: as plain dicts, as the engine's columns, and what a filter says of one dict, the slow way."""

import json
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import sparse

from apps.recommend.engine.filters.tree import Every, Node, Not, Some, Term
from apps.recommend.engine.item_fields import ItemFields
from apps.recommend.engine.types import Items
from tests import worlds

NOW = worlds.NOW
CATEGORIES = ["kitchen", "mugs", "plates", "Mugs"]

Item = Mapping[str, Any]

_ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def fields_of(items: Sequence[Item]) -> ItemFields:
    """The fields of items written as dicts; what is left out is absent."""
    ids = worlds.item_ids(len(items))
    pairs = [
        (int(ids[row]), CATEGORIES.index(name))
        for row, item in enumerate(items)
        for name in sorted(item.get("category", ()), key=CATEGORIES.index)
    ]
    return ItemFields.of(
        ids=ids,
        brands=[item.get("brand", "") for item in items],
        stock=np.array([item.get("stock", np.nan) for item in items], dtype=np.float64),
        tags=[json.dumps(item.get("tag", [])) for item in items],
        attributes=[json.dumps(item.get("attributes", {})) for item in items],
        category_pairs=np.array(pairs, dtype=np.int64).reshape(-1, 2),
        category_names=dict(enumerate(CATEGORIES)),
    )


def items_of(items: Sequence[Item], fields: ItemFields | None = None, *, names: Sequence[str] | None = None) -> Items:
    """Items written as dicts, as the engine reads them. Row r has the id `item-r` unless `names` says otherwise."""
    n = len(items)
    fields = fields_of(items) if fields is None else fields
    names = names or [f"item-{row}" for row in range(n)]
    return Items(
        ids=worlds.item_ids(n),
        available=np.array([item.get("available", True) for item in items], dtype=bool),
        price=np.array([item.get("price", np.nan) for item in items], dtype=np.float64),
        published=np.array([item.get("published", NOW) for item in items], dtype=np.int64),
        categories=sparse.csr_matrix((n, 0), dtype=np.float32),
        category_ids=np.empty(0, np.int64),
        parents=np.array([item.get("parent", -1) for item in items], dtype=np.int32),
        fields=ItemFields(**{**vars(fields), "row_of": dict(zip(names, range(n), strict=True)).get}),
    )


def means(node: Node, items: Sequence[Item], row: int) -> bool:
    """Whether the filter is true of one item, worked out on its dict alone."""
    if isinstance(node, Not):
        return not means(node.of, items, row)
    if isinstance(node, Every):
        return all(means(one, items, row) for one in node.of)
    if isinstance(node, Some):
        return any(means(one, items, row) for one in node.of)
    return _term(node, _values(node.field, items[row], row))


def _values(name: str, item: Item, row: int) -> list[Any]:
    """The values of a field, none where it is absent."""
    published = item.get("published", NOW)
    if name.startswith("attributes."):
        found = _inside(item.get("attributes", {}), name.split(".")[1:])
        return [one for one in found if one is not None] if isinstance(found, list) else [found]
    parent = item.get("parent", -1)
    return {
        "price": [item.get("price")],
        "stock": [item.get("stock")],
        "published": [published],
        "age_days": [(NOW - published) / 86_400],
        "available": [item.get("available", True)],
        "brand": [item.get("brand") or None],
        "category": list(item.get("category", ())),
        "tag": list(item.get("tag", ())),
        "item_id": [f"item-{row}"],
        "parent_id": [f"item-{parent}" if parent >= 0 else None],
    }[name]


def _inside(value: Any, path: list[str]) -> Any:
    for part in path:
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return None if isinstance(value, dict) else value


def _term(term: Term, values: list[Any]) -> bool:
    test = term.test
    present = [value for value in values if value is not None]
    if test.operator != "=":
        return any(
            _comparable(value, test.values[0]) and _ORDER[test.operator](value, test.values[0]) for value in present
        )
    if None in test.values and not present:
        return True
    return any(_comparable(value, other) and value == other for value in present for other in test.values)


def _comparable(one: Any, other: Any) -> bool:
    return _kind(one) == _kind(other)


def _kind(value: Any) -> str:
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__


# ------------------------------------------------------------------------------------- random ones

TEXTS = st.sampled_from(["red", "Red", "", "a'b", 'say "x"', "back\\slash", "日本", "x y", "\n", "20", "tea", "a.b"])
NUMBERS = st.sampled_from([0, 1, 2, 2.5, -3, 20, 1e-7, 1e20, 123456.75])
SCALARS = st.one_of(TEXTS, NUMBERS, st.booleans())
NAMES = st.sampled_from(["colour", "size", "shoe size", "not", "日", "x-y"])
ATTRIBUTES = st.dictionaries(
    NAMES,
    st.recursive(
        st.one_of(SCALARS, st.none(), st.lists(st.one_of(SCALARS, st.none()), max_size=4)),
        lambda inner: st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=4,
    ),
    max_size=4,
)
TIMES = st.integers(NOW - 40 * 86_400, NOW + 86_400)

ITEM = st.fixed_dictionaries(
    {},
    optional={
        "price": NUMBERS.filter(lambda number: number >= 0),
        "stock": st.integers(0, 3),
        "available": st.booleans(),
        "published": TIMES,
        "brand": TEXTS,
        "category": st.lists(st.sampled_from(CATEGORIES), unique=True),
        "tag": st.lists(TEXTS, unique=True, max_size=3),
        "attributes": ATTRIBUTES,
        "parent": st.integers(0, 3),
    },
)
CATALOGS = st.lists(ITEM, min_size=4, max_size=12)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _list(values: list[str]) -> str:
    return f"({', '.join(values)})"


def _comparisons(name: str, values: st.SearchStrategy[str], *, ordered: bool) -> st.SearchStrategy[str]:
    signs = ["=", "!=", "==", *(["<", "<=", ">", ">="] if ordered else [])]
    return st.one_of(
        st.builds("{} {} {}".format, st.just(name), st.sampled_from(signs), values),
        st.builds(
            "{} {} {}".format,
            st.just(name),
            st.sampled_from(["in", "not in", "NOT IN"]),
            st.lists(st.one_of(values, st.just("null")), min_size=1, max_size=12).map(_list),
        ),
        st.builds("{} {} null".format, st.just(name), st.sampled_from(["=", "!="])),
    )


_NUMBER = NUMBERS.map(repr)
_TEXT = TEXTS.map(_quoted)
_PATHS = st.lists(NAMES.map(_quoted), min_size=1, max_size=2).map(".".join)
TERMS = st.one_of(
    _comparisons("price", _NUMBER, ordered=True),
    _comparisons("stock", _NUMBER, ordered=True),
    _comparisons("age_days", st.sampled_from(["0", "7", "30", "0.5"]), ordered=True),
    _comparisons("published", st.one_of(TIMES.map(str), st.just('"2024-01-01"')), ordered=True),
    _comparisons("brand", _TEXT, ordered=True),
    _comparisons("category", st.sampled_from(CATEGORIES).map(_quoted), ordered=False),
    _comparisons("tags", _TEXT, ordered=False),
    _comparisons("item_id", st.sampled_from(['"item-1"', '"item-3"', '"nobody"']), ordered=False),
    _comparisons("parent_id", st.sampled_from(['"item-1"', '"item-3"', '"nobody"']), ordered=False),
    st.sampled_from(["available", "available = false", "available != true", "available in (true, false)"]),
    _PATHS.flatmap(lambda path: _comparisons(f"attributes.{path}", st.one_of(_TEXT, _NUMBER), ordered=True)),
    _PATHS.flatmap(lambda path: _comparisons(f"attributes.{path}", st.sampled_from(["true", "FALSE"]), ordered=False)),
    _PATHS.map("attributes.{}".format),
)
FILTERS = st.recursive(
    TERMS,
    lambda inner: st.one_of(
        st.builds("{} and {}".format, inner, inner),
        st.builds("{} or {}".format, inner, inner),
        st.builds("not {}".format, inner),
        st.builds("({})".format, inner),
    ),
    max_leaves=6,
)
