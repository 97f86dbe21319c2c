"""Made-up catalogs, and whether two live catalogs say the same of every item."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from apps.catalog.selectors import NEVER, ItemColumns
from apps.recommend.live_catalog import COLUMNS, LiveCatalog

NOW = int(time.time())
DAY = 86_400


@dataclass(frozen=True)
class Made:
    """What is different from item to item."""

    external_id: str
    title: str = "An item"
    price: float = 1.5
    available: bool = True
    deleted: bool = False
    published: int = 0
    expires: int = NEVER
    parent: int = 0
    brand: str = ""
    categories: tuple[int, ...] = ()
    colour: str = ""
    tags: tuple[str, ...] = ()


def columns_of(items: Mapping[int, Made]) -> ItemColumns:
    """The items by id, as the catalog reads them from the database."""
    ids = sorted(items)
    rows = [items[one] for one in ids]
    pairs = [(one, category) for one in ids for category in sorted(items[one].categories)]
    return ItemColumns(
        ids=np.array(ids, np.int64),
        external_ids=[row.external_id for row in rows],
        titles=[row.title for row in rows],
        urls=[f"/{row.title}" for row in rows],
        image_urls=["" for row in rows],
        price=np.array([row.price for row in rows], np.float64),
        price_text=[None if row.price != row.price else f"{row.price:.2f}" for row in rows],
        currency=["EUR" if row.brand else "" for row in rows],
        available=np.array([row.available and not row.deleted for row in rows], bool),
        deleted=np.array([row.deleted for row in rows], bool),
        published=np.array([row.published for row in rows], np.int64),
        expires=np.array([row.expires for row in rows], np.int64),
        parents=np.array([row.parent for row in rows], np.int64),
        brand=[row.brand for row in rows],
        stock=np.full(len(rows), np.nan),
        tags=[json.dumps(row.tags) for row in rows],
        attributes=[json.dumps({"colour": row.colour} if row.colour else {}) for row in rows],
        category_pairs=np.array(pairs, np.int64).reshape(-1, 2),
        category_names={category: f"category {category}" for _, category in pairs},
        texts=None,
    )


class OfItems:
    """A model that knows some items."""

    def __init__(self, *item_ids: int) -> None:
        self.item_ids = np.array(item_ids, np.int64)


moments = st.sampled_from([0, NOW - DAY, NOW + 1, NOW + DAY])


def made(item_id: int) -> st.SearchStrategy[Made]:
    """Any item with this id; one in four has another external id than most."""
    return st.builds(
        Made,
        external_id=st.sampled_from([f"i{item_id}"] * 3 + [f"renamed ä {item_id}"]),
        title=st.text(max_size=5),
        price=st.sampled_from([np.nan, 0.0, 2.55]),
        available=st.booleans(),
        deleted=st.booleans(),
        published=moments,
        expires=st.one_of(moments, st.just(NEVER)),
        parent=st.integers(0, 12),
        brand=st.sampled_from(["", "Acme", "Émile"]),
        categories=st.sets(st.integers(1, 6), max_size=3).map(tuple),
        colour=st.sampled_from(["", "red", "blue"]),
        tags=st.sets(st.sampled_from("ab")).map(tuple),
    )


def some(ids: st.SearchStrategy[list[int]]) -> st.SearchStrategy[dict[int, Made]]:
    """Items with these ids."""
    return ids.flatmap(lambda chosen: st.fixed_dictionaries({one: made(one) for one in chosen}))


catalogs = some(st.lists(st.integers(1, 12), unique=True, max_size=8))


def assert_same(one: LiveCatalog, other: LiveCatalog) -> None:
    """Every column, text, category, field and look-up is the same. Epochs and what is kept in files may differ."""
    assert one.revision == other.revision
    for name in COLUMNS:
        mine, theirs = one.columns[name].values, other.columns[name].values
        assert mine.dtype == theirs.dtype, name
        assert np.array_equal(mine, theirs, equal_nan=mine.dtype.kind == "f"), name
    rows = range(len(other))
    assert [one.texts.row(row) for row in rows] == [other.texts.row(row) for row in rows]
    assert one.cards(rows) == other.cards(rows)
    assert [one.row_of(external_id) for external_id in other.external_ids(rows)] == list(rows)
    assert one.growth == other.growth
    assert dict(one.homeless) == dict(other.homeless)
    assert_same_items(one, other)
    for now in (NOW - 1000 * DAY, NOW, NOW + 1, NOW + 1000 * DAY, NOW):
        assert one.eligible(now).tolist() == other.eligible(now).tolist()


def assert_same_items(one: LiveCatalog, other: LiveCatalog) -> None:
    mine, theirs = one.items, other.items
    assert mine.category_ids.tolist() == theirs.category_ids.tolist()
    for matrix, expected in ((mine.categories, theirs.categories), (mine.by_category, theirs.by_category)):
        assert matrix.shape == expected.shape
        assert matrix.indptr.tolist() == expected.indptr.tolist()
        assert matrix.indices.tolist() == expected.indices.tolist()
        assert matrix.data.tolist() == expected.data.tolist()
    names = {*one.fields.names, *other.fields.names}
    for row in range(len(other)):
        for name in names:
            assert mine.fields.value(name, row) == theirs.fields.value(name, row), (name, row)
