"""Search in lists of alike vectors (faiss, inverted file), memory-mapped and shared by all processes that open it."""

import math
import tempfile
from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.indexes.exact_index import share_found
from apps.recommend.engine.products import Stored, single
from apps.recommend.engine.types import Rows, Scores

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
AIM = 0.975  # of the best AIM_DEPTH in all lists, for the queries that the number of lists to read is measured with
AIM_DEPTH = 50


class IvfIndex:
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

    def __init__(self, index: Any, vectors: Stored) -> None:
        self._index = index
        self._vectors = vectors
        self._in_bytes = index.sq.qtype == faiss.ScalarQuantizer.QT_8bit
        self._size = index.ntotal
        self._reading: dict[int, Any] = {}
        # Centre and width of each list: the index's own quantiser serves as their store and is never asked.
        self._lists: NDArray[np.float32] = faiss.downcast_index(index.quantizer).reconstruct_n(0, index.nlist)

    @classmethod
    def build(cls, vectors: Stored, path: Path, *, seed: int, queries: NDArray[np.float32]) -> None:
        """Write the index of `vectors` to `path`, complete or not at all. Deterministic by `seed`. Row i is id i.

        As many lists will be read as find the share AIM of what is best in all of them for `queries`, one a row. Costs
        about a minute for 1,000,000 vectors of 64 dimensions on one core, two for 384.
        """
        size, dimensions = vectors.shape
        threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)  # sums of more threads depend on their timing
        try:
            centres = _centres(vectors, _list_count(size), seed)
            by_centre = faiss.IndexFlatL2(dimensions)
            by_centre.add(centres)
            half = size * dimensions <= HALF_UP_TO
            kind = faiss.ScalarQuantizer.QT_fp16 if half else faiss.ScalarQuantizer.QT_8bit
            metric = faiss.METRIC_INNER_PRODUCT
            index = faiss.IndexIVFScalarQuantizer(by_centre, dimensions, len(centres), kind, metric, False)
            index.train(_sample(vectors, LEARNT_FROM * len(centres), seed))
            widths = _file_all(index, by_centre, vectors)
            store = faiss.IndexFlatIP(dimensions + 1)
            store.add(np.hstack([centres, widths[:, None]]))
            index.quantizer = store
            index.nprobe = _lists_to_read(cls(index, vectors), queries)
            with tempfile.TemporaryDirectory(dir=path.parent) as folder:
                unfinished = Path(folder) / path.name
                faiss.write_index(index, str(unfinished))
                unfinished.replace(path)
        finally:
            faiss.omp_set_num_threads(threads)

    @classmethod
    def open(cls, path: Path, vectors: Stored) -> Self:
        """The index that `build` wrote from the same `vectors`. Maps it: costs no more than reading the lists' centres.

        Raises OSError when the file is missing, damaged or of another number of items.
        """
        if not path.is_file():
            raise FileNotFoundError(f"there is no index {path}")
        try:
            index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
        except RuntimeError as problem:
            raise OSError(f"{path} is not an index ({problem})") from problem
        if index.ntotal != len(vectors):
            raise OSError(f"{path} indexes {index.ntotal:,} items, not {len(vectors):,}")
        return cls(index, vectors)

    @property
    def lists_read(self) -> int:
        """How many lists a search reads."""
        return int(self._index.nprobe)

    @property
    def lists(self) -> int:
        """How many there are."""
        return len(self._lists)

    def search(self, vector: NDArray[np.float32], limit: int) -> tuple[Rows, Scores]:
        limit = min(limit, self._size)
        if limit <= 0:
            return np.empty(0, np.int32), np.empty(0, np.float32)
        reads = min(self.lists, self.lists_read * -(-limit // MOST_ASKED))
        rows, scores = self._read(vector, limit, reads)
        while len(rows) < limit and reads < self.lists:
            reads = min(self.lists, 4 * reads)
            rows, scores = self._read(vector, limit, reads)
        if self._in_bytes:
            scores[:LOOKED_UP] = single(self._vectors[rows[:LOOKED_UP]]) @ vector
            order = np.argsort(-scores, kind="stable")
            rows, scores = rows[order], scores[order]
        return rows, scores

    def _read(self, vector: NDArray[np.float32], limit: int, reads: int) -> tuple[Rows, Scores]:
        """The best `limit` of the `reads` most promising lists; fewer where they hold no more."""
        asked = np.empty(len(vector) + 1, dtype=np.float32)
        asked[:-1] = vector
        asked[-1] = WIDE * math.sqrt(float(vector @ vector))
        promised = self._lists @ asked
        chosen = np.argpartition(promised, self.lists - reads)[self.lists - reads :]
        rows, scores = np.empty(limit, np.int64), np.empty(limit, np.float32)
        pointers = [faiss.swig_ptr(array) for array in (asked, chosen, promised, scores, rows)]
        how = self._reading.get(reads)
        if how is None:
            how = self._reading[reads] = faiss.SearchParametersIVF()
            how.nprobe = reads
        self._index.search_preassigned_c(1, pointers[0], limit, *pointers[1:], False, how)
        found = limit if rows[-1] >= 0 else int(np.count_nonzero(rows >= 0))
        return rows[:found].astype(np.int32), scores[:found]


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


def _file_all(index: Any, by_centre: Any, vectors: Stored) -> NDArray[np.float32]:
    """Put each vector into the list of the nearest centre; returns the lists' widths."""
    squares, counts = np.zeros(index.nlist), np.zeros(index.nlist)
    for start in range(0, len(vectors), BLOCK):
        block = single(np.ascontiguousarray(vectors[start : start + BLOCK]))
        distances, homes = by_centre.search(block, 1)
        ids = np.arange(start, start + len(block), dtype=np.int64)
        index.add_core(len(block), faiss.swig_ptr(block), faiss.swig_ptr(ids), faiss.swig_ptr(homes))
        squares += np.bincount(homes[:, 0], distances[:, 0], minlength=index.nlist)
        counts += np.bincount(homes[:, 0], minlength=index.nlist)
    return np.sqrt(np.maximum(squares, 0) / np.maximum(counts, 1)).astype(np.float32)


def _lists_to_read(index: IvfIndex, queries: NDArray[np.float32]) -> int:
    """How many lists must be read to find the share AIM of what reading all would find, on average; half at most."""
    everything = [index._read(query, AIM_DEPTH, index.lists)[0] for query in queries]
    reads = min(max(LEAST_READ, index.lists // LEAST_SHARE), index.lists)
    while reads < index.lists // 2:
        found = [index._read(query, CALIBRATED, reads)[0][:AIM_DEPTH] for query in queries]
        if share_found(everything, found) >= AIM:
            break
        reads = min(reads + max(1, reads // 4), index.lists // 2)
    return reads
