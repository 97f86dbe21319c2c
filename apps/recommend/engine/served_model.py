"""A fitted model as serving sees it: in catalog rows, with an index where it has one, and with what came after it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine import best_found
from apps.recommend.engine.delta import Delta
from apps.recommend.engine.products import parts_of_cosines, single
from apps.recommend.engine.protocols import ExtendableModel, Index, Model, Question, VectorModel
from apps.recommend.engine.types import Evidence, Items, Mask, Query, Rows, Scores, Slate, rows_of

SPARE = 1.25  # what finds without filtering is asked for more, so that what may not be shown can be dropped
AGAIN = 1.6  # and this much more than the first answer lets expect, where it did not suffice
ASKED_MOST = 8  # times the limit that it is asked for at most before everything is scanned

Found = tuple[Rows, Scores]
Vector = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Gathered:
    """The vectors of some rows, and which of them have none: None where all do."""

    vectors: Vector
    silent: Mask | None


@dataclass(frozen=True, eq=False)
class ServedModel:
    """`model` spoken to in rows of one catalog. Build anew when either changes; O(items) to build.

    `delta` holds items that the model does not know, or knows by an older text: their vectors answer in its stead.
    """

    name: str
    version: str
    model: Model
    to_catalog: Rows  # catalog row of each model row, -1: the item is gone
    to_model: Rows  # model row of each catalog row, -1: the item is newer than the model
    indexes: Mapping[Question, Index] = field(default_factory=dict)
    delta: Delta = field(default_factory=Delta.none)
    _last: list[tuple[Evidence, Vector | None]] = field(default_factory=list, init=False, repr=False)

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

    def over_more(self, items: Items) -> "ServedModel":
        """This model over a catalog to which items were appended; itself where none were. Copies the row maps."""
        known = len(self.to_model)
        if len(items) == known:
            return self
        of_added = rows_of(np.asarray(self.model.item_ids), items.ids[known:])
        to_catalog = self.to_catalog
        met = of_added >= 0
        if met.any():
            to_catalog = to_catalog.copy()
            to_catalog[of_added[met]] = np.flatnonzero(met) + known
        return replace(self, to_catalog=to_catalog, to_model=np.concatenate([self.to_model, of_added]))

    def with_delta(self, delta: Delta) -> "ServedModel":
        """This model with `delta` in place of its own. The model is not asked for those of its items any more.

        O(rows of both deltas), and a copy of the row maps where the model knows one of the items.
        """
        overridden = self.to_model[delta.rows]
        overridden = overridden[overridden >= 0]
        to_catalog, to_model = self.to_catalog, self.to_model
        if len(overridden):
            to_catalog, to_model = to_catalog.copy(), to_model.copy()
            to_catalog[overridden] = -1
            to_model[delta.rows] = -1
        return replace(self, to_catalog=to_catalog, to_model=to_model, delta=delta)

    def prepare(self) -> None:
        """Make what answers are looked up in now, so that no request waits for it."""
        if hasattr(self.model, "prepare"):
            self.model.prepare()

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
        if not len(evidence):
            return evidence
        rows = self.to_model[evidence.rows]
        known = rows >= 0
        if known.all():
            return Evidence(rows, evidence.weights, evidence.types, evidence.times)
        times = None if evidence.times is None else evidence.times[known]
        return Evidence(rows[known], evidence.weights[known], evidence.types[known], times)

    def score(self, query: Query, rows: Rows) -> Scores:
        """Scores of catalog rows; NaN for items that neither the model nor its delta knows."""
        scores = np.full(len(rows), np.nan, dtype=np.float32)
        model_rows = self.to_model[rows]
        known = model_rows >= 0
        if not len(self.delta):
            translated = self.query(query)
            if translated is not None:
                scores[known] = self.model.score(translated, model_rows[known])
            return scores
        vector = self._vector(query)
        if vector is not None:
            scores[known] = single(self._vectors(query)[model_rows[known]]) @ vector
            places = self.delta.places(rows)
            scores[places >= 0] = self.delta.vectors[places[places >= 0]] @ vector
        return scores

    def gathered(self, rows: Rows) -> Gathered | None:
        """These catalog rows with their vectors at hand, to be scored again and again; None: they have no vectors."""
        if not hasattr(self.model, "query_vector"):
            return None
        known, vectors = self._vectors_of(rows, cast(VectorModel, self.model).vectors("history"))
        return Gathered(vectors, None if known.all() else ~known)

    def score_gathered(self, query: Query, gathered: Gathered) -> Scores:
        """As `score` for the rows that were gathered; a query without seeds."""
        vector = self._vector(query)
        if vector is None:
            return np.full(len(gathered.vectors), np.nan, dtype=np.float32)
        scores: Scores = gathered.vectors @ vector
        if gathered.silent is not None:
            scores[gathered.silent] = np.nan
        return scores

    def best(self, query: Query, eligible: Mask, limit: int, source: str) -> Slate:
        """The `limit` eligible items that answer `query` best.

        Sublinear where there is an index for the question or the model finds its best items by itself, unless of
        ASKED_MOST times as many so few are eligible that only scoring all eligible items can tell; else O(items).
        """
        find = self._finder(query)
        if find is not None:
            asked = int(SPARE * limit) + 1
            while (found := find(asked)) is not None:
                slate, enough = self._slate(found, query, eligible, limit, asked, source)
                if enough:
                    return slate
                if asked >= ASKED_MOST * limit:
                    break
                asked = min(int(asked * max(2, AGAIN * limit / max(len(slate), 1))), ASKED_MOST * limit)
        rows = np.flatnonzero(eligible).astype(np.int32)
        return Slate.ranked(rows, self.score(query, rows), limit, source)

    def _finder(self, query: Query) -> Callable[[int], Found | None] | None:
        """What finds the best model rows for `query`, eligible or not, without a look at all; None: nothing does."""
        index = self.indexes.get("seeds" if len(query.seeds) else "history")
        if index is not None:
            vector = self._vector(query)
            return _nothing if vector is None else lambda asked: index.search(vector, asked)
        if len(self.delta) or not hasattr(self.model, "best_rows"):
            return None
        translated = self.query(query)
        if translated is None:
            return _nothing
        model: Any = self.model
        return lambda asked: model.best_rows(translated, asked)

    def _slate(
        self, found: Found, query: Query, eligible: Mask, limit: int, asked: int, source: str
    ) -> tuple[Slate, bool]:
        """The best of what was found and of the delta, and whether nothing else can be among them."""
        model_rows, scores = found
        rows, scores = best_found.shown(model_rows, scores, self.to_catalog, eligible)
        enough = len(rows) >= limit or len(model_rows) < asked
        if len(self.delta):
            rows, scores = self._with_delta(rows, scores, query, eligible)
        return best_found.best(rows, scores, limit, source), enough

    def _with_delta(self, rows: Rows, scores: Scores, query: Query, eligible: Mask) -> Found:
        vector = self._vector(query)
        if vector is None:
            return rows, scores
        shown = eligible[self.delta.rows]
        return (
            np.concatenate([rows, self.delta.rows[shown]]),
            np.concatenate([scores, self.delta.vectors[shown] @ vector]),
        )

    def _vectors(self, query: Query) -> NDArray[Any]:
        return cast(VectorModel, self.model).vectors("seeds" if len(query.seeds) else "history")

    def _vector(self, query: Query) -> Vector | None:
        """The vector whose products are the answer, of all evidence that the model or its delta knows.

        The last one is remembered: several sources of a pipeline ask the same model with the same history.
        """
        evidence = query.evidence
        for known, vector in self._last[-1:]:  # whole entries: another thread may put in its own meanwhile
            if known is evidence and not len(query.seeds):
                return vector
        vector = self._made_vector(query)
        if not len(query.seeds):
            self._last[:] = [(evidence, vector)]
        return vector

    def _made_vector(self, query: Query) -> Vector | None:
        evidence = query.evidence
        if not len(self.delta) or not (self.delta.places(evidence.rows) >= 0).any():
            translated = self.query(query)
            return None if translated is None else cast(VectorModel, self.model).query_vector(translated)
        known, vectors = self._speaking(query)
        return cast(ExtendableModel, self.model).combined(vectors, evidence.weights[known])

    def _speaking(self, query: Query) -> tuple[Mask, NDArray[np.float32]]:
        """Which of the evidence the model or its delta knows, and the vectors of that."""
        rows = query.evidence.rows
        known, vectors = self._vectors_of(rows, self._vectors(query))
        return known, vectors[known]

    def _vectors_of(self, rows: Rows, of_model: NDArray[Any]) -> tuple[Mask, NDArray[np.float32]]:
        model_rows, places = self.to_model[rows], self.delta.places(rows)
        vectors = np.zeros((len(rows), of_model.shape[1]), dtype=np.float32)
        vectors[model_rows >= 0] = single(of_model[model_rows[model_rows >= 0]])
        if len(self.delta):
            vectors[places >= 0] = self.delta.vectors[places[places >= 0]]
        return (model_rows >= 0) | (places >= 0), vectors

    def contributions(self, query: Query, rows: Rows) -> NDArray[np.float32]:
        """As `Model.contributions`, in catalog rows: shape (len(rows), len(query.evidence)), 0 for the unknown."""
        evidence = query.evidence
        result = np.zeros((len(rows), len(evidence)), dtype=np.float32)
        if len(self.delta):
            known, speaking = self._speaking(query)
            asked = self._vectors_of(rows, self._vectors(query))[1]
            result[:, known] = parts_of_cosines(speaking, evidence.weights[known], asked)
            return result
        translated = self.query(query)
        known_rows = self.to_model[rows] >= 0
        known_evidence = self.to_model[evidence.rows] >= 0
        if translated is not None and known_rows.any() and known_evidence.any():
            part = self.model.contributions(translated, self.to_model[rows][known_rows])
            result[np.ix_(known_rows, known_evidence)] = part
        return result


def _nothing(asked: int) -> Found:
    """Of a query that says nothing."""
    return np.empty(0, np.int32), np.empty(0, np.float32)
