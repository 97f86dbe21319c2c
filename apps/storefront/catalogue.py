"""The catalog as the shop's pages need it: cards, departments and lists, from `apps.catalog.selectors`.

Each process keeps one snapshot and replaces it when the catalog's revision has moved, so a list page costs one
indexed query.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from threading import Lock
from zlib import crc32

import numpy as np
from django.conf import settings
from django.utils.text import slugify
from numpy.typing import NDArray

from apps.catalog import selectors as catalog
from apps.recommend.shelves import price_text
from apps.storefront.assortment import Style, assortment

SORTS = {"picks": "Our picks", "new": "New first", "low": "Price, low to high", "high": "Price, high to low"}


@dataclass(frozen=True)
class Card:
    """A product in a list."""

    item_id: str
    title: str
    maker: str
    price: str
    url: str
    image_url: str
    available: bool
    new: bool


@dataclass(frozen=True)
class Shelf:
    """A category with a page of its own."""

    id: int
    external_id: str
    name: str
    slug: str
    parent: "Shelf | None"


class Catalogue:
    """All products that can be shown, as columns, with the categories they stand in."""

    def __init__(self) -> None:
        self.columns = catalog.item_columns()
        self._row = {item_id: row for row, item_id in enumerate(self.columns.external_ids)}
        self._order = np.array([crc32(item_id.encode()) for item_id in self.columns.external_ids], dtype=np.int64)

    @cached_property
    def shelves(self) -> dict[str, Shelf]:
        """Every category by its slug, such as "table/mugs"; parents before children."""
        tree = catalog.category_tree()
        found: dict[int, Shelf] = {}
        for node in tree.nodes.values():
            for above in tree.ancestry(node.id):
                parent = found.get(above.parent_id) if above.parent_id is not None else None
                slug = slugify(above.name) or str(above.id)
                found.setdefault(
                    above.id,
                    Shelf(above.id, above.external_id, above.name, f"{parent.slug}/{slug}" if parent else slug, parent),
                )
        return {shelf.slug: shelf for shelf in found.values()}

    @cached_property
    def departments(self) -> list[Shelf]:
        """The top of the tree, in the order the shop lists them."""
        order = list(assortment().departments.values())
        tops = [shelf for shelf in self.shelves.values() if shelf.parent is None]
        return sorted(
            tops, key=lambda shelf: (order.index(shelf.name) if shelf.name in order else len(order), shelf.name)
        )

    def children(self, shelf: Shelf) -> list[Shelf]:
        """The categories directly below, by name."""
        below = [other for other in self.shelves.values() if other.parent is not None and other.parent.id == shelf.id]
        return sorted(below, key=lambda other: other.name)

    def first_card(self, shelf: Shelf) -> Card | None:
        """A product that stands for the category."""
        rows = self.rows_in(shelf)
        rows = rows[self.columns.available[rows]]
        return self.card(int(rows[np.argmin(self._order[rows])])) if len(rows) else None

    def rows_in(self, shelf: Shelf) -> NDArray[np.int64]:
        """The products of a category, and of those below it, that are shown."""
        pairs = self.columns.category_pairs
        ids = np.unique(pairs[pairs[:, 1] == shelf.id, 0])
        return self.shown(np.searchsorted(self.columns.ids, ids))

    def every_row(self) -> NDArray[np.int64]:
        """All products that are shown."""
        return self.shown(np.arange(len(self.columns)))

    def shown(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of `rows` that have a page: not deleted. Sold out ones are shown, as such."""
        return rows[~self.columns.deleted[rows]]

    def ordered(self, rows: NDArray[np.int64], sort: str) -> NDArray[np.int64]:
        """`rows` in one of the orders of SORTS, what can be bought before what cannot."""
        columns = self.columns
        price = np.nan_to_num(columns.price[rows], nan=np.inf)
        key = {"new": -columns.published[rows], "low": price, "high": -price}.get(sort, self._order[rows])
        return rows[np.lexsort((self._order[rows], key, ~columns.available[rows]))]

    def of_style(self, rows: NDArray[np.int64], style: Style) -> NDArray[np.int64]:
        """Those of `rows` that come from the style's makers."""
        return rows[[self.columns.brand[row] in style.makers for row in rows]] if len(rows) else rows

    def row_of(self, item_id: str) -> int | None:
        """The product's row, None when it is unknown or deleted."""
        row = self._row.get(item_id)
        return None if row is None or self.columns.deleted[row] else row

    def variants(self, row: int) -> list[int]:
        """The rows of a product and its variants, when it has any."""
        columns = self.columns
        head = int(columns.parents[row]) or int(columns.ids[row])
        family = np.flatnonzero(((columns.parents == head) | (columns.ids == head)) & ~columns.deleted)
        return [int(one) for one in family] if len(family) > 1 else []

    def shelf_of(self, row: int) -> Shelf | None:
        """The deepest category the product is in."""
        pairs = self.columns.category_pairs
        ids = set(pairs[pairs[:, 0] == self.columns.ids[row], 1].tolist())
        inside = [shelf for shelf in self.shelves.values() if shelf.id in ids]
        return max(inside, key=lambda shelf: shelf.slug.count("/"), default=None)

    def card(self, row: int) -> Card:
        columns = self.columns
        return Card(
            item_id=columns.external_ids[row],
            title=columns.titles[row],
            maker=columns.brand[row],
            price=self.price(row),
            url=columns.urls[row],
            image_url=columns.image_urls[row],
            available=bool(columns.available[row]),
            new=bool(columns.published[row] > columns.published.max() - 7 * 86_400),
        )

    def price(self, row: int, count: int = 1) -> str:
        """What `count` of the product cost, as people write it; empty without a price."""
        if self.columns.price_text[row] is None:
            return ""
        amount = Decimal(self.columns.price_text[row] or "0") * count
        return price_text(f"{amount:.2f}", self.columns.currency[row] or settings.SHOP_CURRENCY)

    def total(self, lines: list[tuple[int, int]]) -> str:
        """What rows and counts cost together; empty when their currencies differ."""
        currencies = {self.columns.currency[row] or settings.SHOP_CURRENCY for row, _ in lines}
        amount = sum((Decimal(self.columns.price_text[row] or "0") * count for row, count in lines), Decimal(0))
        return price_text(f"{amount:.2f}", currencies.pop()) if len(currencies) == 1 else ""


_lock = Lock()
_current: tuple[int, Catalogue] | None = None


def catalogue() -> Catalogue:
    """The catalog as of its latest revision. One query, and 15 µs a product when it has changed."""
    global _current
    revision = catalog.latest_revision()
    with _lock:
        if _current is None or _current[0] != revision:
            _current = (revision, Catalogue())
        return _current[1]


def catalogue_forget() -> None:
    """Read the catalog anew: for tests, whose database goes back to what it was."""
    global _current
    _current = None
