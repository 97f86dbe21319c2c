"""What stages share that reorder the top of a slate: scores on one scale, how alike items are, who goes first."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.category_shares import entries_of
from apps.recommend.engine.context import Context
from apps.recommend.engine.products import single
from apps.recommend.engine.protocols import VectorModel
from apps.recommend.engine.types import Rows, Scores, Slate

COUNT = 30
"""How many places a stage fills by default: a shelf's, and some for what drops out after it."""


def chosen_first(slate: Slate, chosen: NDArray[np.integer]) -> Slate:
    """The entries at the positions `chosen`, in that order, then all others in the order they had.

    Every entry keeps its own score: scores descend no more.
    """
    waiting = np.ones(len(slate), dtype=bool)
    waiting[chosen] = False
    return slate.take(np.concatenate([chosen, np.flatnonzero(waiting)]))


def to_unit(scores: Scores) -> NDArray[np.float64]:
    """`scores` brought to [0, 1]: the best is 1, the worst 0; all 0 where they are all alike. NaN counts as the worst.

    Sources measure in different units, so that no weight against likeness or categories could be set otherwise.
    """
    result = np.asarray(scores, dtype=np.float64)
    known = np.isfinite(result)
    if not known.any():
        return np.zeros(len(result))
    low, high = result[known].min(), result[known].max()
    return np.asarray(np.clip((np.where(known, result, low) - low) / max(high - low, 1e-12), 0.0, 1.0))


def item_vectors(rows: Rows, context: Context, model: str | None) -> NDArray[np.float64]:
    """One vector of length 1 for each of `rows`, such that inner products are cosines: shape (len(rows), d).

    They are those of the model called `model`; without one, or where it is not loaded or has no vectors, the
    categories an item is in. What an item's vector cannot be known of is a row of zeros: like no other item.
    """
    served = None if model is None else context.models.get(model)
    if served is not None and hasattr(served.model, "vectors"):
        vectors = cast(VectorModel, served.model).vectors("history")
        model_rows = served.to_model[rows]
        known = model_rows >= 0
        result = np.zeros((len(rows), vectors.shape[1]))
        result[known] = single(vectors[model_rows[known]])
    else:
        owners, columns = entries_of(context.items.categories, rows)
        used, places = np.unique(columns, return_inverse=True)
        result = np.zeros((len(rows), len(used)))
        result[owners, places] = 1.0
    lengths = np.sqrt((result * result).sum(axis=1, keepdims=True))
    return np.asarray(result / np.where(lengths > 0, lengths, 1.0))
