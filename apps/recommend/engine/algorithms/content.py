"""Likeness of meaning: items whose texts say similar things, so that new items are found before anybody clicks."""

from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from apps.plugins import ComponentConfig
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.products import (
    NO_LENGTH,
    Stored,
    along,
    cosine_contributions,
    direction,
    inner_products,
    single,
    unknown,
)
from apps.recommend.engine.protocols import Arrays, Question
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.text_encoders.choice import encode
from apps.recommend.engine.text_encoders.spread import spread
from apps.recommend.engine.tuning.ranges import Between
from apps.recommend.engine.types import Interactions, Items, Query, Rows, Scores

FEW_NUMBERS = 4_000_000  # so many are kept in single precision, which a full scan reads at once


@dataclass(frozen=True, eq=False)
class ContentModel:
    """A unit vector an item; a score is the cosine with the weighted sum of the evidence's vectors.

    Zero for an item whose text says no more than what all texts have in common: its score is 0. Vectors are stored in
    half precision, which changes a cosine by less than .001, and stay so in memory where there are many.
    """

    item_ids: NDArray[np.int64]
    units: Stored
    encoder: str  # the one that was really used

    def score(self, query: Query, rows: Rows) -> Scores:
        vector = self.query_vector(query)
        return unknown(rows) if vector is None else inner_products(self.units, vector, rows)

    def score_batch(self, histories: sparse.csr_matrix) -> NDArray[np.float32]:
        """Scores of every item for each row of `histories` (evidence weights, users x items); NaN for empty rows."""
        units = single(self.units)
        users = np.asarray(histories @ units, dtype=np.float32)
        lengths = np.linalg.norm(users, axis=1, keepdims=True)
        users /= np.where(lengths < NO_LENGTH, np.nan, lengths)
        return users @ units.T

    def contributions(self, query: Query, rows: Rows) -> NDArray[np.float32]:
        return cosine_contributions(self.units, query.evidence, rows)

    def vectors(self, question: Question) -> Stored:
        return self.units

    def query_vector(self, query: Query) -> NDArray[np.float32] | None:
        return direction(self.units, query.evidence)

    def combined(self, vectors: NDArray[np.float32], weights: Scores) -> NDArray[np.float32] | None:
        return along(vectors, weights)

    def to_arrays(self) -> Arrays:
        encoder = np.frombuffer(self.encoder.encode(), dtype=np.uint8)
        return {"item_ids": self.item_ids, "units": self.units.astype(np.float16), "encoder": encoder}

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        units = arrays["units"]
        if units.size <= FEW_NUMBERS:
            units = single(units)
        return cls(arrays["item_ids"], units, np.asarray(arrays["encoder"]).tobytes().decode())


@ALGORITHMS.register("content")
class Content:
    """Encodes each item's text as a vector, with a language model or with TF-IDF."""

    class Config(ComponentConfig):
        encoder: str = "tfidf"
        """tfidf, minilm, a sentence-transformers name or folder, or openai:<model>."""
        batch_size: int = Field(default=64, ge=1)
        """Texts encoded at once."""
        whitening: Annotated[float, Between(0.0, 1.0)] = Field(default=0.5, ge=0, le=1)
        """How far vectors are spread where the shop's texts crowd together: 0 only takes out what all have in common.

        Language models gain most; the vectors of tfidf lie apart already.
        """

    Model = ContentModel
    collaborative = False
    reads_texts = True

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> ContentModel:
        texts = items.texts or []
        described = np.array([i for i, text in enumerate(texts) if any(map(str.isalnum, text))], dtype=np.int64)
        if not len(described):
            raise NotEnoughData("items with a text", 0, 1)
        seed = int(rng.integers(2**31))
        vectors, encoder = encode([texts[i] for i in described], self.config.encoder, self.config.batch_size, seed)
        units = single(spread(vectors, self.config.whitening).astype(np.float16))  # as they will be read again
        return ContentModel(item_ids=items.ids[described], units=units, encoder=encoder)
