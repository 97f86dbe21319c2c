"""Items that came, or whose texts changed, after the models were trained: found by content within the second.

Encoding a text takes a language model, which the web process does not load, and vectors of TF-IDF of another run do
not compare. So a new item gets a vector from the items it resembles by its words: no training, no encoder.
"""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.products import along, single
from apps.recommend.engine.protocols import ExtendableModel, WordsModel
from apps.recommend.engine.served_model import ServedModel
from apps.recommend.engine.types import Items, Rows, Scores

NEIGHBOURS = 10
KIN = 50  # items of the same category or brand that stand for it
SHARP = 2.0  # power of the likeness of words by which a neighbour counts: the nearest more than all the others

Vector = NDArray[np.float32]


def with_new_items(models: Mapping[str, ServedModel], items: Items, texts: Mapping[int, str]) -> dict[str, ServedModel]:
    """`models`, those that can be told of new items told of these; all others as they are.

    `texts` has the text, in the form of `Items.texts`, of each catalog row (of `items`, over whose rows all `models`
    must be) that the models do not know or know by an older text: rows appended since the last call, and rows whose
    title, brand, categories, tags or description changed. An empty text takes an item out of the delta. Rows of
    earlier calls stay: `texts` need not name them again, except after a model of a new version or a new epoch, whose
    `ServedModel` starts without a delta and must be told of all items changed since its snapshot.

    An item's vector is the mean of its NEIGHBOURS nearest by words, by likeness; without a known word that of items
    of its smallest category or its brand; without those it has none. About 2 ms an item, whatever the catalog.
    """
    words = next((served for served in models.values() if hasattr(served.model, "nearest_to_text")), None)
    rows = np.array(sorted(texts), dtype=np.int32)
    near = [_near(words, texts[row]) for row in rows.tolist()]
    result = dict(models)
    for name, served in models.items():
        if hasattr(served.model, "combined"):
            vectors = np.zeros((len(rows), cast(ExtendableModel, served.model).vectors("seeds").shape[1]), np.float32)
            for place, row in enumerate(rows.tolist()):
                if texts[row]:
                    vector = _vector(served, items, row, *near[place])
                    if vector is not None:
                        vectors[place] = vector
            result[name] = served.with_delta(served.delta.changed(rows, vectors))
    return result


def _near(words: ServedModel | None, text: str) -> tuple[Rows, Scores]:
    """Catalog rows of the items with the most similar texts, and how similar they are."""
    if words is None or not text:
        return np.empty(0, np.int32), np.empty(0, np.float32)
    found, likeness = cast(WordsModel, words.model).nearest_to_text(text, 2 * NEIGHBOURS)
    rows = words.to_catalog[found]
    return rows[rows >= 0], likeness[rows >= 0]


def _vector(served: ServedModel, items: Items, row: int, near: Rows, likeness: Scores) -> Vector | None:
    """The vector of the item at `row`: of its neighbours by words, else of its kin; None where there are none."""
    units: Any = cast(ExtendableModel, served.model).vectors("seeds")
    known = (served.to_model[near] >= 0) & (near != row)
    if known.any():
        model_rows = served.to_model[near[known][:NEIGHBOURS]]
        vector = along(single(units[model_rows]), likeness[known][:NEIGHBOURS] ** np.float32(SHARP))
        if vector is not None:
            return vector
    model_rows = served.to_model[_kin(items, row)]
    model_rows = model_rows[model_rows >= 0][:KIN]
    return along(single(units[model_rows]), np.ones(len(model_rows), np.float32)) if len(model_rows) else None


def _kin(items: Items, row: int) -> Rows:
    """Rows of the smallest category the item is in, those of its own brand first; without a category, of its brand."""
    matrix = items.categories
    columns = matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]
    brand = -1 if items.brands is None else int(items.brands[row])
    if not len(columns):
        if items.brands is None or brand < 0:
            return np.empty(0, np.int32)
        return np.flatnonzero(items.brands == brand).astype(np.int32)
    turned = items.by_category
    sizes = turned.indptr[columns + 1] - turned.indptr[columns]
    column = columns[np.argmin(sizes)]
    rows = turned.indices[turned.indptr[column] : turned.indptr[column + 1]].astype(np.int32)
    if items.brands is None or brand < 0:
        return rows
    return rows[np.argsort(items.brands[rows] != brand, kind="stable")]
