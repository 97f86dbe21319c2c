"""Latent semantic analysis: needs nothing but the texts themselves."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 384  # as many as the sentence encoders have: a vector costs the same whoever made it
WORD = r"\w+"


class TfidfEncoder:
    """TF-IDF of words and pairs of words, reduced to at most 384 dimensions. Vectors of different calls do not mix."""

    name = "tfidf"

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def encode(self, texts: Sequence[str], batch_size: int) -> NDArray[np.float32]:
        from sklearn.decomposition import TruncatedSVD  # slow to import, and serving does not need it
        from sklearn.feature_extraction.text import TfidfVectorizer
        from threadpoolctl import threadpool_limits

        vectorizer = TfidfVectorizer(
            ngram_range=(1, 2), sublinear_tf=True, max_features=100_000, token_pattern=WORD, strip_accents="unicode"
        )
        matrix = vectorizer.fit_transform(texts)
        dimensions = min(DIMENSIONS, min(matrix.shape) - 1)
        if dimensions < 2:
            return np.ascontiguousarray(matrix.toarray(), dtype=np.float32)
        # One thread: the same texts give the same vectors on any machine size. Without variance, in texts that are all
        # the same, the share of it that is explained is none.
        with threadpool_limits(1, "blas"), np.errstate(invalid="ignore"):
            reduced = TruncatedSVD(dimensions, random_state=self.seed).fit_transform(matrix)
        return np.ascontiguousarray(reduced, dtype=np.float32)
