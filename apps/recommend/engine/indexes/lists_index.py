"""Search in lists of alike vectors (an inverted file), memory-mapped and shared by all processes that open it.

faiss learns the lists. They are read by loops of our own: its wheels for pip read half precision number by number.
"""

import math
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import faiss
import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.indexes.exact_index import share_found
from apps.recommend.engine.indexes.list_reading import read_bytes, read_halves
from apps.recommend.engine.products import Stored, single
from apps.recommend.engine.types import Rows, Scores

HALF_SCALE = 2.0**112  # what half precision, its bits moved into place in single precision, is too small by
LEARNT_FROM = 24  # vectors for each list that lists are learnt from
PASSES = 5
BLOCK = 65_536  # vectors filed at once
WIDE = 0.3  # how much the width of a list counts when lists are chosen
CALIBRATED = 250  # results asked for when it is measured how many lists must be read
MOST_ASKED = 400  # for more results more lists are read, in proportion
HALF_UP_TO = 100_000_000  # numbers in all up to which lists hold half precision; above, a byte each
LOOKED_UP = 100  # of what was found in bytes
LEAST_READ = 8  # lists that a search reads at least, and
LEAST_SHARE = 100  # one in so many: an average hides the few queries whose answers lie in odd lists
LISTS_BY_ROOT = 4  # lists by the root of the number of vectors
LEAST_IN_LIST = 8
AIM = 0.965  # of the best AIM_DEPTH in all lists, for the queries that the number of lists to read is measured with
AIM_DEPTH = 50


class ListsIndex:
    """Finds the largest inner products among the vectors of those lists that promise most.

    Lists are clusters by distance (J. Sivic, A. Zisserman: Video Google, ICCV 2003; H. Jégou, M. Douze, C. Schmid:
    Product Quantization for Nearest Neighbor Search, PAMI 2011). A list promises the product of the query with its
    centre and, because its best vector lies beyond its centre, WIDE times the length of the query times the list's
    width, the root mean square of its vectors' distances from the centre. (At 1,000,000 vectors of 384 dimensions
    reading 64 of 4,096 lists finds .92 of the best 50 without that and .99 with it.)

    Lists hold 16 bits a number up to HALF_UP_TO of them and 8 above: half the memory, for .03 of the best 50 where many
    are nearly as good. So of these the best LOOKED_UP are scored anew by the vectors themselves. All other scores are
    as good as the lists: cosines within .002. Immutable: a new generation is a new file. Its pages belong to all
    processes that map it.
    """

    def __init__(self, lists: "_Lists", vectors: Stored) -> None:
        self._lists = lists
        self._vectors = vectors

    @classmethod
    def build(cls, vectors: Stored, path: Path, *, seed: int, queries: NDArray[np.float32]) -> None:
        """Write the index of `vectors` to `path`, complete or not at all. Deterministic by `seed`. Row i is id i.

        As many lists will be read as find the share AIM of what is best in all of them for `queries`, one a row. Costs
        about a minute for 1,000,000 vectors of 64 dimensions on one core, two for 384.
        """
        lists = _filed(vectors, seed)
        lists.reads[0] = _lists_to_read(cls(lists, vectors), queries)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            unfinished = Path(folder) / path.name
            lists.write(unfinished)
            unfinished.replace(path)

    @classmethod
    def open(cls, path: Path, vectors: Stored) -> Self:
        """The index that `build` wrote from the same `vectors`. Maps it: costs no more than one search.

        Raises OSError when the file is missing, damaged or of another number of items.
        """
        if not path.is_file():
            raise FileNotFoundError(f"there is no index {path}")
        try:
            lists = _Lists.read(path)
        except (ValueError, EOFError) as problem:
            raise OSError(f"{path} is not an index ({problem})") from problem
        if len(lists.rows) != len(vectors):
            raise OSError(f"{path} indexes {len(lists.rows):,} items, not {len(vectors):,}")
        index = cls(lists, vectors)
        index.search(np.zeros(vectors.shape[1], np.float32), 1)  # compiles the loops: no request waits for it
        return index

    @property
    def lists_read(self) -> int:
        """How many lists a search reads."""
        return int(self._lists.reads[0])

    @property
    def lists(self) -> int:
        """How many there are."""
        return len(self._lists.promises)

    def search(self, vector: NDArray[np.float32], limit: int) -> tuple[Rows, Scores]:
        limit = min(limit, len(self._lists.rows))
        if limit <= 0:
            return np.empty(0, np.int32), np.empty(0, np.float32)
        reads = min(self.lists, self.lists_read * -(-limit // MOST_ASKED))
        rows, scores = self._read(vector, limit, reads)
        while len(rows) < limit and reads < self.lists:
            reads = min(self.lists, 4 * reads)
            rows, scores = self._read(vector, limit, reads)
        if self._lists.in_bytes:
            scores[:LOOKED_UP] = single(self._vectors[rows[:LOOKED_UP]]) @ vector
            order = np.argsort(-scores, kind="stable")
            rows, scores = rows[order], scores[order]
        return rows, scores

    def _read(self, vector: NDArray[np.float32], limit: int, reads: int) -> tuple[Rows, Scores]:
        """The best `limit` of the `reads` most promising lists; fewer where they hold no more."""
        rows, scores = self._lists.products(vector, reads)
        excess = len(scores) - limit
        if excess > 0:
            best = scores.argpartition(excess)[excess:]
            rows, scores = rows[best], scores[best]
        order = (-scores).argsort()
        return rows[order], scores[order]


@dataclass(frozen=True, eq=False)
class _Lists:
    """The lists as they lie in the file: entries from `starts[l]` to `starts[l + 1]` are those of list l.

    `promises` has each list's centre, and its width behind it. Numbers of `codes` are the bits of half precision, or
    bytes: each so many times its dimension's `steps[0]` above `steps[1]`.
    """

    reads: NDArray[np.int64]  # one number: how many lists a search reads
    starts: NDArray[np.int64]
    promises: NDArray[np.float32]
    steps: NDArray[np.float32]
    rows: Rows
    codes: NDArray[np.int16] | NDArray[np.uint8]

    @property
    def in_bytes(self) -> bool:
        return self.codes.dtype == np.uint8

    def products(self, vector: NDArray[np.float32], reads: int) -> tuple[Rows, Scores]:
        """What lies in the `reads` most promising lists and its products with `vector`, in no order."""
        length = math.sqrt(float(vector @ vector))
        asked = np.empty(len(vector) + 1, dtype=np.float32)
        asked[:-1] = vector
        asked[-1] = WIDE * length
        promised = self.promises @ asked
        chosen = promised.argpartition(len(promised) - reads)[len(promised) - reads :]
        if self.in_bytes:
            least = np.float32(self.steps[1] @ vector)
            read = read_bytes(chosen, self.starts, self.rows, self.codes, vector * self.steps[0], least)
        else:
            scaled = asked[:-1] * np.float32(HALF_SCALE / length) if length else asked[:-1]
            read = read_halves(chosen, self.starts, self.rows, self.codes, scaled, np.float32(length))
        rows, scores = read
        return rows, scores

    def write(self, path: Path) -> None:
        with path.open("wb") as file:
            for part in fields(self):
                np.save(file, getattr(self, part.name))

    @classmethod
    def read(cls, path: Path) -> Self:
        """What `write` wrote, mapped. Raises ValueError where it did not write it."""
        arrays = []
        with path.open("rb") as file:
            for _ in fields(cls):
                np.lib.format.read_magic(file)
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
                start = file.tell()
                arrays.append(np.asarray(np.memmap(path, dtype, "r", start, shape)))
                file.seek(start + arrays[-1].nbytes)
        return cls(*arrays)


def _filed(vectors: Stored, seed: int) -> _Lists:
    """All vectors in lists, those of each list by row."""
    size, dimensions = vectors.shape
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # sums of more threads depend on their timing
    try:
        centres = _centres(vectors, _list_count(size), seed)
        homes, widths = _homes(vectors, centres)
    finally:
        faiss.omp_set_num_threads(threads)
    order = np.argsort(homes, kind="stable").astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(np.bincount(homes, minlength=len(centres)))]).astype(np.int64)
    steps = np.zeros((2, dimensions), np.float32)
    half = size * dimensions <= HALF_UP_TO
    if not half:
        sample = _sample(vectors, LEARNT_FROM * len(centres), seed)
        steps[1] = sample.min(axis=0)
        steps[0] = np.maximum((sample.max(axis=0) - steps[1]) / 255, np.finfo(np.float32).tiny)
    codes = np.empty((size, dimensions), np.int16 if half else np.uint8)
    for start in range(0, size, BLOCK):
        block = vectors[order[start : start + BLOCK]]
        codes[start : start + BLOCK] = (
            block.astype(np.float16).view(np.int16)
            if half
            else np.clip(np.rint((single(block) - steps[1]) / steps[0]), 0, 255).astype(np.uint8)
        )
    promises = np.hstack([centres, widths[:, None]])
    return _Lists(np.array([len(centres)]), starts, promises, steps, order, codes)


def _list_count(size: int) -> int:
    """How many lists: a few hundred vectors in each at a million, fewer in smaller catalogs."""
    return max(1, min(int(LISTS_BY_ROOT * math.sqrt(size)), size // LEAST_IN_LIST))


def _sample(vectors: Stored, count: int, seed: int) -> NDArray[np.float32]:
    """`count` of the vectors, or all of them, in single precision."""
    if len(vectors) <= count:
        return single(np.ascontiguousarray(vectors))
    rows = np.random.default_rng(seed).choice(len(vectors), size=count, replace=False)
    return single(vectors[np.sort(rows)])


def _centres(vectors: Stored, count: int, seed: int) -> NDArray[np.float32]:
    sample = _sample(vectors, LEARNT_FROM * count, seed)
    learner = faiss.Kmeans(
        vectors.shape[1],
        count,
        niter=PASSES,
        seed=seed % 2**31,
        min_points_per_centroid=1,
        max_points_per_centroid=2 * LEARNT_FROM,
    )
    learner.train(sample)
    return np.ascontiguousarray(learner.centroids, dtype=np.float32)


def _homes(vectors: Stored, centres: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The list of each vector, that of the nearest centre, and how wide each list is."""
    by_centre = faiss.IndexFlatL2(vectors.shape[1])
    by_centre.add(centres)
    homes, squares = np.empty(len(vectors), np.int64), np.zeros(len(centres))
    for start in range(0, len(vectors), BLOCK):
        block = single(np.ascontiguousarray(vectors[start : start + BLOCK]))
        distances, nearest = by_centre.search(block, 1)
        homes[start : start + BLOCK] = nearest[:, 0]
        squares += np.bincount(nearest[:, 0], distances[:, 0], minlength=len(centres))
    counts = np.bincount(homes, minlength=len(centres))
    return homes, np.sqrt(np.maximum(squares, 0) / np.maximum(counts, 1)).astype(np.float32)


def _lists_to_read(index: ListsIndex, queries: NDArray[np.float32]) -> int:
    """How many lists must be read to find the share AIM of what reading all would find, on average; half at most."""
    everything = [index._read(query, AIM_DEPTH, index.lists)[0] for query in queries]
    reads = min(max(LEAST_READ, index.lists // LEAST_SHARE), index.lists)
    while reads < index.lists // 2:
        found = [index._read(query, CALIBRATED, reads)[0][:AIM_DEPTH] for query in queries]
        if share_found(everything, found) >= AIM:
            break
        reads = min(reads + max(1, reads // 4), index.lists // 2)
    return reads
