"""Search in a forest of random splits (Annoy), memory-mapped and shared by all processes that open it."""

import tempfile
from pathlib import Path
from typing import Any, Self

import numpy as np
from annoy import AnnoyIndex as Forest
from numpy.typing import NDArray

from apps.recommend.engine.indexes.exact_index import best
from apps.recommend.engine.products import Stored, all_products, single
from apps.recommend.engine.types import Rows, Scores

TREES = 20
RANGES = 8
INSPECTED = 40  # nodes inspected in each range for every result asked for: more finds more and takes longer
LEAST_RESULTS = 100  # inspect at least what so many results take
APART = 4.0  # how far the ranges lie from one another, in lengths of the longest item


class AnnoyIndex:
    """Finds the largest inner products by angles.

    One more dimension gives all items the same length, so that the nearest angle is the largest inner product
    (Y. Bachrach et al.: Speeding Up the Xbox Recommender System, RecSys 2014). Factors differ in length so much
    that most items would then look alike; so each range of lengths is scaled for itself and asked in turn (X. Yan
    et al.: Norm-Ranging LSH for Maximum Inner Product Search, NeurIPS 2018), and ranges whose longest item cannot
    reach the results are left out. A dimension for each range keeps them apart in the same trees. What Annoy
    proposes is scored exactly and ranked anew. Immutable: a new generation is a new file.

    Measured on the factors (64) of 41,000 items, best 200: without ranges it finds .42 of them, with them .95.
    """

    def __init__(self, forest: Any, vectors: Stored, ranges: NDArray[np.int8], longest: list[float]):
        self._forest = forest
        self._vectors = vectors
        self._ranges = ranges
        self._longest = longest

    @classmethod
    def build(cls, vectors: Stored, path: Path, *, seed: int, trees: int = TREES) -> None:
        """Write the index of `vectors` to `path`, complete or not at all. Deterministic by `seed`. Row i is id i."""
        lengths, ranges, longest = _by_length(vectors)
        size, dimensions = vectors.shape
        scale = np.array([1 / length if length else 0.0 for length in longest])
        forest = Forest(dimensions + 1 + len(longest), "angular")
        forest.set_seed(seed % 2**31)
        point = np.zeros(dimensions + 1 + len(longest))
        for row in range(size):  # Annoy takes one item at a time; a matrix of them all would double the memory
            number = ranges[row]
            point[:dimensions] = vectors[row] * scale[number]
            point[dimensions] = np.sqrt(max(0.0, 1 - (lengths[row] * scale[number]) ** 2))
            point[dimensions + 1 :] = 0.0
            point[dimensions + 1 + number] = APART
            forest.add_item(row, point.tolist())
        forest.build(trees, n_jobs=1)  # with more threads the forest depends on their timing
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            unfinished = Path(folder) / path.name
            forest.save(str(unfinished))
            unfinished.replace(path)

    @classmethod
    def open(cls, path: Path, vectors: Stored) -> Self:
        """The index that `build` wrote from the same `vectors`, its pages touched. O(items).

        Raises OSError when the file is missing, damaged or of another number of items.
        """
        if not path.is_file():  # Annoy would say so on stderr, without the name
            raise FileNotFoundError(f"there is no index {path}")
        _, ranges, longest = _by_length(vectors)
        forest = Forest(vectors.shape[1] + 1 + len(longest), "angular")
        forest.load(str(path), prefault=True)
        if forest.get_n_items() != len(vectors):
            raise OSError(f"{path} indexes {forest.get_n_items():,} items, not {len(vectors):,}")
        return cls(forest, vectors, ranges, longest)

    def search(self, vector: NDArray[np.float32], limit: int) -> tuple[Rows, Scores]:
        rows, scores = np.empty(0, np.int32), np.empty(0, np.float32)
        length = float(np.linalg.norm(vector))
        if limit <= 0:
            return rows, scores
        inspected = max(limit, LEAST_RESULTS) * INSPECTED
        direction = (vector / length if length else vector).tolist()
        for number, longest in enumerate(self._longest):
            if len(rows) >= limit and length * longest < scores[-1]:
                break
            beside = [0.0] * (len(self._longest) + 1)
            beside[1 + number] = APART
            found = np.array(self._forest.get_nns_by_vector(direction + beside, limit, inspected), dtype=np.int32)
            found = found[self._ranges[found] == number]
            rows = np.concatenate([rows, found])
            places, scores = best(np.concatenate([scores, single(self._vectors[found]) @ vector]), limit)
            rows = rows[places]
        if len(rows) < min(limit, len(self._vectors)):  # too much of what was inspected lies in other ranges
            return best(all_products(self._vectors, vector), limit)
        return rows, scores


def _by_length(vectors: Stored) -> tuple[NDArray[np.float64], NDArray[np.int8], list[float]]:
    """Each item's length and range, and each range's longest item, the longest range first.

    One range where all lengths are nearly the same, as those of unit vectors are.
    """
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    order = np.argsort(-lengths, kind="stable")
    alike = not len(order) or lengths[order[-1]] > 0.99 * lengths[order[0]]
    parts = [part for part in np.array_split(order, 1 if alike else RANGES) if len(part)]
    ranges = np.zeros(len(lengths), dtype=np.int8)
    for number, part in enumerate(parts):
        ranges[part] = number
    return lengths, ranges, [float(lengths[part[0]]) for part in parts]
