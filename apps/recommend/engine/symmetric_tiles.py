"""Large symmetric matrices in half the memory, and their inverses in place."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import blas, lapack

from apps.recommend.engine.progress import report

TILE = 1_008  # rows and columns of a tile. Rows a power of two apart would share few places of a processor's cache
ROWS = 256  # of a sparse product made dense at a time

Dense = NDArray[Any]  # of the matrix's own precision: float32 or float64


def tiled_bytes(size: int, itemsize: int) -> int:
    """What a matrix of `size` rows, and its inversion, need: half a square and four panels of a tile's height."""
    return itemsize * (size * (size + TILE) // 2 + 4 * size * TILE)


class SymmetricTiles:
    """The upper triangle of a symmetric matrix, cut into square tiles; entries have the precision of `dtype`."""

    def __init__(self, size: int, dtype: type[np.floating]) -> None:
        self.size = size
        self.dtype = np.dtype(dtype)
        self.edges = [*range(0, size, TILE), size]
        self._tiles: dict[tuple[int, int], Dense] = {}

    @classmethod
    def gram(
        cls, rows: sparse.csr_matrix, diagonal: NDArray[np.floating], dtype: type[np.floating], what: str
    ) -> "SymmetricTiles":
        """`rows @ rows.T` plus `diagonal`. O(products of entries that share a column). Reports progress as `what`."""
        made = cls(rows.shape[0], dtype)
        rows = rows.astype(dtype)
        columns = rows.T.tocsr()
        for i in range(len(made)):
            first, last = made.edges[i], made.edges[i + 1]
            right = columns[:, first:]
            panel = np.empty((last - first, made.size - first), dtype)
            for start in range(first, last, ROWS):
                end = min(start + ROWS, last)
                panel[start - first : end - first] = (rows[start:end] @ right).toarray()
            own = np.arange(last - first)
            panel[own, own] += diagonal[first:last]
            for j in range(i, len(made)):
                part = panel[:, made.edges[j] - first : made.edges[j + 1] - first]
                made._tiles[i, j] = np.asfortranarray(part)
            report(what, i + 1, len(made))
        return made

    def __len__(self) -> int:
        """How many tiles a side has."""
        return len(self.edges) - 1

    def diagonal(self) -> Dense:
        return np.concatenate([self._tiles[i, i].diagonal() for i in range(len(self))])

    def rows(self, first: int, last: int) -> Dense:
        """Rows `first` to `last` of the whole matrix: (last - first, size), C-contiguous."""
        return self._across(np.empty((last - first, self.size), self.dtype), first, last)

    def columns(self, first: int, last: int) -> Dense:
        """Columns `first` to `last` of the whole matrix: (size, last - first), C-contiguous."""
        made = np.empty((self.size, last - first), self.dtype)
        self._across(made.T, first, last)
        return made

    def _across(self, panel: Dense, first: int, last: int) -> Dense:
        for i in range(len(self)):
            top, bottom = max(first, self.edges[i]), min(last, self.edges[i + 1])
            if top >= bottom:
                continue
            here, there = slice(top - first, bottom - first), slice(top - self.edges[i], bottom - self.edges[i])
            for j in range(len(self)):
                whole = self._tiles[i, j] if i <= j else self._tiles[j, i].T
                panel[here, self.edges[j] : self.edges[j + 1]] = whole[there]
        return panel

    def spans(self) -> Iterator[tuple[int, int]]:
        """first, last: the rows, or columns, of each tile."""
        return pairwise(self.edges)

    def invert(self, what: str) -> None:
        """Replace this positive definite matrix by its inverse; reports progress as `what`.

        Sweeps block by block (J. H. Goodnight: A Tutorial on the SWEEP Operator, The American Statistician 33(3),
        1979), size³ operations as for Cholesky's way, almost all in products of tiles. Raises
        numpy.linalg.LinAlgError when the matrix is not positive definite in its precision; it is then lost.
        """
        gemm = blas.sgemm if self.dtype == np.float32 else blas.dgemm
        for k in range(len(self)):
            pivot = _inverse(self._tiles[k, k]).astype(self.dtype, order="F")
            others = [i for i in range(len(self)) if i != k]
            across = {i: self._tiles[k, i] if i > k else np.asfortranarray(self._tiles[i, k].T) for i in others}
            swept = {i: gemm(1.0, pivot, across[i]) for i in others}
            for i in others:
                for j in others:
                    if i <= j:
                        self._tiles[i, j] = gemm(
                            -1.0, swept[i], across[j], 1.0, self._tiles[i, j], trans_a=1, overwrite_c=1
                        )
            for i in others:
                if i > k:
                    self._tiles[k, i] = swept[i]
                else:
                    self._tiles[i, k] = np.asfortranarray(swept[i].T)
            self._tiles[k, k] = -pivot
            report(what, k + 1, len(self))
        for tile in self._tiles.values():
            np.negative(tile, out=tile)


def _inverse(matrix: Dense) -> NDArray[np.float64]:
    """In double precision, through Cholesky's factor."""
    factor, failed = lapack.dpotrf(matrix.astype(np.float64), lower=1, overwrite_a=1)
    if failed:
        raise np.linalg.LinAlgError("not positive definite")
    inverse, failed = lapack.dpotri(factor, lower=1, overwrite_c=1)
    if failed:
        raise np.linalg.LinAlgError("not positive definite")
    lower = np.tril(inverse)
    return np.asarray(lower + np.tril(inverse, -1).T)
