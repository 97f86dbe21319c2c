"""A fitted model as serving sees it: in catalog rows, with an index where it has one."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.protocols import Index, Model, Question, VectorModel
from apps.recommend.engine.types import Evidence, Items, Mask, Query, Rows, Scores, Slate, rows_of

OVERFETCH = 3  # an index cannot filter: ask for more, so that what may not be shown can be dropped


@dataclass(frozen=True, eq=False)
class ServedModel:
    """`model` spoken to in rows of one catalog. Build anew when either changes; O(items) to build."""

    name: str
    version: str
    model: Model
    to_catalog: Rows  # catalog row of each model row, -1: the item is gone
    to_model: Rows  # model row of each catalog row, -1: the item is newer than the model
    indexes: Mapping[Question, Index] = field(default_factory=dict)

    @classmethod
    def over(
        cls, items: Items, model: Model, *, name: str, version: str, indexes: Mapping[Question, Index] | None = None
    ) -> "ServedModel":
        return cls(
            name=name,
            version=version,
            model=model,
            to_catalog=items.rows_of(np.asarray(model.item_ids)),
            to_model=rows_of(np.asarray(model.item_ids), items.ids),
            indexes=indexes or {},
        )

    @property
    def wants_user(self) -> bool:
        """Whether the model knows people by who they are, and not only by what they did."""
        return bool(getattr(self.model, "wants_user", False))

    def query(self, query: Query) -> Query | None:
        """`query` in model rows, without what the model has never seen; None where it knows none of the seeds.

        (Without seeds the model would answer from the history, which is another question.)
        """
        seeds = self._known(query.seeds)
        if len(query.seeds) and not len(seeds):
            return None
        return replace(query, history=self._known(query.history), seeds=seeds)

    def _known(self, evidence: Evidence) -> Evidence:
        rows = self.to_model[evidence.rows]
        known = rows >= 0
        times = None if evidence.times is None else evidence.times[known]
        return Evidence(rows[known], evidence.weights[known], evidence.types[known], times)

    def score(self, query: Query, rows: Rows) -> Scores:
        """Scores of catalog rows; NaN for items the model has never seen."""
        scores = np.full(len(rows), np.nan, dtype=np.float32)
        translated = self.query(query)
        if translated is not None:
            model_rows = self.to_model[rows]
            known = model_rows >= 0
            scores[known] = self.model.score(translated, model_rows[known])
        return scores

    def best(self, query: Query, eligible: Mask, limit: int, source: str) -> Slate:
        """The `limit` eligible items that answer `query` best.

        O(items) by exact scan; sublinear where there is an index for the question, unless so few of what it finds
        is eligible that only the scan can tell.
        """
        question: Question = "seeds" if len(query.seeds) else "history"
        index = self.indexes.get(question)
        if index is not None:
            found = self._from_index(index, query, eligible, limit, source)
            if len(found) == limit:
                return found
        rows = np.flatnonzero(eligible).astype(np.int32)
        return Slate.ranked(rows, self.score(query, rows), limit, source)

    def _from_index(self, index: Index, query: Query, eligible: Mask, limit: int, source: str) -> Slate:
        translated = self.query(query)
        vector = None if translated is None else cast(VectorModel, self.model).query_vector(translated)
        if vector is None:
            return Slate.empty()
        model_rows, scores = index.search(vector, OVERFETCH * limit)
        rows = self.to_catalog[model_rows]
        keep = rows >= 0
        keep[keep] = eligible[rows[keep]]
        return Slate.ranked(rows[keep], scores[keep], limit, source)

    def contributions(self, query: Query, rows: Rows) -> NDArray[np.float32]:
        """As `Model.contributions`, in catalog rows: shape (len(rows), len(query.evidence)), 0 for the unknown."""
        evidence = query.evidence
        result = np.zeros((len(rows), len(evidence)), dtype=np.float32)
        translated = self.query(query)
        known_rows = self.to_model[rows] >= 0
        known_evidence = self.to_model[evidence.rows] >= 0
        if translated is not None and known_rows.any() and known_evidence.any():
            part = self.model.contributions(translated, self.to_model[rows][known_rows])
            result[np.ix_(known_rows, known_evidence)] = part
        return result
