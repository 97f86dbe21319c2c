"""Lexical likeness of texts, sparse: answers searches (words, also misspelt) and "items like these"."""

from collections import Counter
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from apps.plugins import ComponentConfig
from apps.recommend.engine.category_shares import entries_at
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.products import NO_LENGTH, unknown
from apps.recommend.engine.protocols import Arrays
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.scratch import counting, representatives
from apps.recommend.engine.text_terms import PIECE, keys_of, terms, terms_of_item
from apps.recommend.engine.types import Evidence, Interactions, Items, Query, Rows, Scores, best_places

READ = 200_000  # entries of the index by term that a text is compared with at most


@dataclass(frozen=True, eq=False)
class TfidfModel:
    """Unit vectors over terms, by item and (for searches) by term. A query's `text` goes before its evidence."""

    item_ids: NDArray[np.int64]
    keys: NDArray[np.uint64]  # hash of each term, ascending
    term_weights: NDArray[np.float32]
    by_item: sparse.csr_matrix  # items x terms
    by_term: sparse.csr_matrix  # terms x items
    least_match: float

    def score(self, query: Query, rows: Rows) -> Scores:
        if query.text:
            scores = self._search(query.text)
        else:
            vector, length = self._sum(query.evidence)
            if length < NO_LENGTH:
                return unknown(rows)
            scores = (self.by_item @ (vector / length)).astype(np.float32)
            scores[scores == 0] = np.nan
        return scores[rows]

    def score_batch(self, histories: sparse.csr_matrix) -> NDArray[np.float32]:
        """Scores of every item for each row of `histories` (evidence weights, users x items); NaN: nothing shared."""
        users = (histories @ self.by_item).tocsr()
        lengths = np.sqrt(np.asarray(users.multiply(users).sum(axis=1)).ravel())
        scores = np.asarray((users @ self.by_term).todense(), dtype=np.float32)
        scores /= np.where(lengths < NO_LENGTH, np.inf, lengths)[:, None].astype(np.float32)
        scores[scores == 0] = np.nan
        return scores

    def contributions(self, query: Query, rows: Rows) -> NDArray[np.float32]:
        evidence = query.evidence
        parts = np.zeros((len(rows), len(evidence)), dtype=np.float32)
        if query.text or not len(evidence):
            return parts
        length = self._sum(evidence)[1]
        if length >= NO_LENGTH:
            likeness = (self.by_item[rows] @ self.by_item[evidence.rows].T).toarray()
            parts[:] = likeness * (evidence.weights / length)
        return parts

    def _sum(self, evidence: Evidence) -> tuple[NDArray[np.float32], float]:
        """The weighted sum of the evidence's vectors and its length."""
        vector = np.asarray(self.by_item[evidence.rows].T @ evidence.weights, dtype=np.float32)
        return vector, float(np.linalg.norm(vector))

    def _search(self, text: str) -> Scores:
        counts = Counter(terms(text))
        keys = keys_of(list(counts))
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = self.keys[places] == keys
        terms_found = places[known]
        weights = self.term_weights[terms_found] * (1 + np.log(np.array(list(counts.values()))[known]))
        found = self.by_term[terms_found].T @ (weights / max(float(np.linalg.norm(weights)), NO_LENGTH))
        return np.where(found >= self.least_match, found, np.nan).astype(np.float32)

    def nearest_to_text(self, text: str, limit: int) -> tuple[Rows, Scores]:
        """As `WordsModel` says. Reads the rarest terms first and READ entries at most: O(READ), whatever the catalog.

        What is like is told by those terms alone.
        """
        counts = Counter(terms_of_item(text))
        keys = keys_of(list(counts))
        if not len(self.keys) or not len(keys):
            return np.empty(0, np.int32), np.empty(0, np.float32)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = self.keys[places] == keys
        found = places[known]
        weights = self.term_weights[found] * (1 + np.log(np.array(list(counts.values()))[known]))
        length = max(float(np.linalg.norm(weights)), NO_LENGTH)
        sizes = np.diff(self.by_term.indptr)[found]
        rarest = np.argsort(sizes, kind="stable")
        rarest = rarest[: max(1, int(np.searchsorted(np.cumsum(sizes[rarest]), READ, side="right")))]
        owners, entries = entries_at(self.by_term.indptr, found[rarest])
        rows = self.by_term.indices[entries]
        said = self.by_term.data[entries] * (weights[rarest] / length)[owners]
        place = representatives(rows, len(self.item_ids))
        added: Scores = np.bincount(place, said, minlength=len(rows)).astype(np.float32)
        each = np.flatnonzero(place == counting(len(rows)))
        rows, sums = rows[each], added[each]
        best = best_places(rows, sums, limit)
        return rows[best].astype(np.int32), sums[best]

    def to_arrays(self) -> Arrays:
        return {
            "item_ids": self.item_ids,
            "keys": self.keys,
            "term_weights": self.term_weights,
            "least_match": np.array([self.least_match]),
            **{f"by_item_{part}": getattr(self.by_item, part) for part in ("data", "indices", "indptr")},
            **{f"by_term_{part}": getattr(self.by_term, part) for part in ("data", "indices", "indptr")},
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        n_items, n_terms = len(arrays["item_ids"]), len(arrays["keys"])

        def matrix(name: str, shape: tuple[int, int]) -> sparse.csr_matrix:
            return sparse.csr_matrix(tuple(arrays[f"{name}_{part}"] for part in ("data", "indices", "indptr")), shape)

        return cls(
            item_ids=arrays["item_ids"],
            keys=arrays["keys"],
            term_weights=arrays["term_weights"],
            by_item=matrix("by_item", (n_items, n_terms)),
            by_term=matrix("by_term", (n_terms, n_items)),
            least_match=float(arrays["least_match"][0]),
        )


@ALGORITHMS.register("tfidf")
class Tfidf:
    """Term frequency times inverse document frequency, over words and pieces of words."""

    class Config(ComponentConfig):
        piece_weight: float = Field(default=0.4, ge=0)
        """What a piece of a word counts beside a whole word: how far misspelt words are forgiven."""
        common_share: float = Field(default=0.5, gt=0, le=1)
        """Pieces of words that occur in more than this share of the texts are left out."""
        max_terms: int = Field(default=500_000, ge=1)
        """Keep the most frequent terms, at most so many."""
        least_match: float = Field(default=0.1, ge=0, lt=1)
        """Searches do not return items whose cosine is below this."""

    Model = TfidfModel
    collaborative = False
    reads_texts = True

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> TfidfModel:
        from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer  # slow to import
        from sklearn.preprocessing import normalize

        texts = items.texts or []
        described = np.array([i for i, text in enumerate(texts) if any(map(str.isalnum, text))], dtype=np.int64)
        if not len(described):
            raise NotEnoughData("items with a text", 0, 1)
        vectorizer = CountVectorizer(analyzer=terms_of_item, max_features=self.config.max_terms, dtype=np.float32)
        counts = vectorizer.fit_transform(texts[i] for i in described)
        names = vectorizer.get_feature_names_out()
        piece = np.char.startswith(names.astype(str), PIECE)
        kept = np.flatnonzero(~piece | (counts.getnnz(axis=0) <= self.config.common_share * len(described)))
        keys = keys_of(list(names[kept]))
        order = np.argsort(keys)
        kept, keys = kept[order], keys[order]
        counts = counts[:, kept]
        transformer = TfidfTransformer(norm=None, sublinear_tf=True)
        weight = np.where(piece[kept], self.config.piece_weight, 1.0)
        by_item = normalize(transformer.fit_transform(counts).multiply(weight).tocsr()).astype(np.float32)
        by_item.sort_indices()
        return TfidfModel(
            item_ids=items.ids[described],
            keys=keys,
            term_weights=(transformer.idf_ * weight).astype(np.float32),
            by_item=by_item,
            by_term=by_item.T.tocsr(),
            least_match=self.config.least_match,
        )
