"""Ridge regressions of every item on all others, asked: with the strongest links of each item, or with all."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.item_links import ItemLinksModel
from apps.recommend.engine.products import unknown
from apps.recommend.engine.types import Query, Rows, Scores


@dataclass(frozen=True, eq=False)
class RidgeModel(ItemLinksModel):
    """As ItemLinksModel; but where all links are kept, `neighbours` has no columns and `weights` is items x items.

    Then row i of `weights` is what item i says of every item, and only a query without evidence gets NaN. A list
    costs O(evidence items), a batch O(entries items).
    """

    @property
    def whole(self) -> bool:
        """Whether all links are kept."""
        return bool(self.neighbours.shape[1] == 0)

    def score(self, query: Query, rows: Rows) -> Scores:
        if not self.whole:
            return super().score(query, rows)
        evidence = query.evidence
        if not len(evidence):
            return unknown(rows)
        return np.asarray((evidence.weights @ self.weights[evidence.rows])[rows], dtype=np.float32)

    def score_batch(self, histories: sparse.csr_matrix) -> NDArray[np.float32]:
        """Scores of every item for each row of `histories` (evidence weights, users x items); NaN: cannot say."""
        if not self.whole:
            return super().score_batch(histories)
        scores = np.asarray(histories @ self.weights, dtype=np.float32)
        scores[np.diff(histories.indptr) == 0] = np.nan
        return scores

    def contributions(self, query: Query, rows: Rows) -> NDArray[np.float32]:
        if not self.whole:
            return super().contributions(query, rows)
        evidence = query.evidence
        said = self.weights[np.ix_(evidence.rows, rows)].T * evidence.weights
        return np.ascontiguousarray(said, dtype=np.float32)
