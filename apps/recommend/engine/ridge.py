"""Ridge regressions of every item on all others: the closed forms behind EASE and EDLAE.

With X the users' wants (users x items), r the items' ridges and C = (XᵀX + diag r)⁻¹, the weights are
B = I - C diag(1 / diag C): row i of B is what having item i says for each item, its own entry being 0.
H. Steck: Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019 (equation 8, r the same for all items);
Autoencoders that Don't Overfit towards the Identity, NeurIPS 2020 (r grows with the items' frequency).

*Primal*: C itself, a matrix of items x items. *Dual*: with Y = X diag(r)^-½ and M = (YYᵀ + I)⁻¹, a matrix of users x
users, Woodbury's identity gives C = diag(r)^-½ (I - YᵀMY) diag(r)^-½. Both are exact; half of the symmetric matrix is
kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.symmetric_tiles import Dense, SymmetricTiles, tiled_bytes

Form = Literal["primal", "dual"]

DOUBLE = 2_048  # sides up to this are computed in double precision: it costs seconds
BLOCK = 2_048  # items or users whose dense rows are made at a time
SLICE = 256  # of those, in one product


class ItemWeights(Protocol):
    """The exact weights B, given in blocks of dense rows."""

    @property
    def n_items(self) -> int: ...

    def blocks(self) -> Iterator[tuple[int, int, Dense]]:
        """first, last, rows `first` to `last` of B (float32, C-contiguous), in order and all of them."""

    def training_scores(self, first: int, last: int) -> Dense:
        """Rows `first` to `last` of XB, float32: what the users who were learned from want, what they had included."""


@dataclass(frozen=True, eq=False)
class PrimalWeights:
    """From the inverse C of the items' Gram matrix."""

    matrix: sparse.csr_matrix  # X
    inverse: SymmetricTiles  # C

    @property
    def n_items(self) -> int:
        return int(self.matrix.shape[1])

    def blocks(self) -> Iterator[tuple[int, int, Dense]]:
        scale = -1 / self.inverse.diagonal()
        for first, last in self.inverse.spans():
            rows = self.inverse.rows(first, last)
            rows *= scale
            yield first, last, _without_own(rows, first)

    def training_scores(self, first: int, last: int) -> Dense:
        """XB = X - XC diag(1 / diag C). Reads all of C: ask for many users at once."""
        some = self.matrix[first:last]
        products = np.empty(some.shape, self.inverse.dtype)
        for left, right in self.inverse.spans():
            products[:, left:right] = some @ self.inverse.columns(left, right)
        products /= -self.inverse.diagonal()
        return _plus(products, some)


@dataclass(frozen=True, eq=False)
class DualWeights:
    """From the inverse M of the users' Gram matrix."""

    matrix: sparse.csr_matrix  # X
    ridge: NDArray[np.float64]  # r
    inverse: SymmetricTiles  # M

    @property
    def n_items(self) -> int:
        return int(self.matrix.shape[1])

    @cached_property
    def by_item(self) -> sparse.csr_matrix:
        """Yᵀ: items x users, float of the inverse's precision."""
        scaled = sparse.diags_array(self.ridge**-0.5) @ self.matrix.T
        return sparse.csr_matrix(scaled, dtype=self.inverse.dtype)

    @cached_property
    def left(self) -> NDArray[np.float64]:
        """1 - diag(YᵀMY), which is r diag(C), for each item. O(sum of the squares of the items' numbers of users)."""
        by_item, by_user = self.by_item, self.by_item.T.tocsr()
        explained = np.zeros(self.n_items)
        for first, last in self.inverse.spans():
            rows = self.inverse.rows(first, last)
            for user in range(first, last):
                mine = slice(by_user.indptr[user], by_user.indptr[user + 1])
                items = by_user.indices[mine]
                explained[items] += by_user.data[mine] * (by_item[items] @ rows[user - first])
        squares = np.asarray(self.matrix.multiply(self.matrix).sum(axis=0, dtype=np.float64)).ravel()
        # Less than this is only rounding: C⁻¹ has no larger diagonal than the Gram matrix with its ridge.
        return np.asarray(np.maximum(1 - explained, self.ridge / (self.ridge + squares)))

    def blocks(self) -> Iterator[tuple[int, int, Dense]]:
        """Rows of YᵀMY without its diagonal, times (r_j / r_i)^½ / (1 - diag(YᵀMY)_j). O(items x entries of X)."""
        scale = np.sqrt(self.ridge) / self.left
        for start in range(0, self.n_items, BLOCK):
            some = self.by_item[start : start + BLOCK]
            spread = np.empty((some.shape[0], self.inverse.size), self.inverse.dtype)  # rows of YᵀM
            for left, right in self.inverse.spans():
                spread[:, left:right] = some @ self.inverse.columns(left, right)
            for first in range(start, start + some.shape[0], SLICE):
                last = min(first + SLICE, start + some.shape[0])
                transposed = np.ascontiguousarray(spread[first - start : last - start].T)
                rows = np.ascontiguousarray((self.by_item @ transposed).T)
                rows *= scale
                rows /= np.sqrt(self.ridge[first:last])[:, None]
                yield first, last, _without_own(rows, first)

    def training_scores(self, first: int, last: int) -> Dense:
        """XB = X - MY diag(r^½ / (1 - diag(YᵀMY))), as YYᵀM = I - M. O(users asked x entries of X)."""
        products = np.ascontiguousarray((self.by_item @ self.inverse.columns(first, last)).T)
        products *= -np.sqrt(self.ridge) / self.left
        return _plus(products, self.matrix[first:last])


def _without_own(rows: Dense, first: int) -> Dense:
    own = np.arange(len(rows))
    rows[own, first + own] = 0.0
    return np.asarray(rows, dtype=np.float32)


def _plus(products: Dense, some: sparse.csr_matrix) -> Dense:
    user = np.repeat(np.arange(some.shape[0]), np.diff(some.indptr))
    products[user, some.indices] += some.data  # at most one entry a pair
    return np.asarray(products, dtype=np.float32)


def smaller_side(matrix: sparse.csr_matrix) -> Form:
    """The form whose square matrix is smaller."""
    return "dual" if matrix.shape[0] < matrix.shape[1] else "primal"


def bytes_needed(matrix: sparse.csr_matrix, form: Form) -> int:
    """About what `exact` and then `blocks` hold at most, beside `matrix` and a few copies of it."""
    n_users, n_items = matrix.shape
    side = n_users if form == "dual" else n_items
    itemsize = 8 if side <= DOUBLE else 4
    blocks = itemsize * (BLOCK * n_users + 4 * SLICE * n_items) if form == "dual" else 0
    return tiled_bytes(side, itemsize) + blocks


def exact(matrix: sparse.csr_matrix, ridge: NDArray[np.floating], form: Form, what: str = "ridge") -> ItemWeights:
    """The weights for `matrix` (users x items, no entry twice) and each item's ridge, all above 0.

    side³ operations, side being the items (primal) or users (dual): in double precision for sides up to DOUBLE or
    where single precision proves too little, else in single. Reports progress as `what`. Raises ValueError when the
    ridge is too small even for double precision.
    """
    matrix, pull = matrix.tocsr(), np.asarray(ridge, dtype=np.float64)
    if not (pull > 0).all():
        raise ValueError("every item's regularisation must be above 0")
    side = matrix.shape[0] if form == "dual" else matrix.shape[1]
    for dtype in (np.float64,) if side <= DOUBLE else (np.float32, np.float64):
        try:
            return _exact(matrix, pull, form, dtype, what)
        except np.linalg.LinAlgError:
            continue  # too little precision
    raise ValueError(f"a regularisation of {pull.min():g} is lost beside these weights: raise it")


def _exact(
    matrix: sparse.csr_matrix, ridge: NDArray[np.float64], form: Form, dtype: type[np.floating], what: str
) -> ItemWeights:
    if form == "primal":
        tiles = SymmetricTiles.gram(matrix.T.tocsr(), ridge, dtype, f"{what}: products")
        tiles.invert(what)
        return PrimalWeights(matrix, tiles)
    scaled = sparse.csr_matrix(matrix @ sparse.diags_array(ridge**-0.5))
    tiles = SymmetricTiles.gram(scaled, np.ones(matrix.shape[0]), dtype, f"{what}: products")
    tiles.invert(what)
    return DualWeights(matrix, ridge, tiles)


def ease_weights(matrix: sparse.csr_matrix, l2: float, form: Form | None = None) -> ItemWeights:
    """EASE's weights for `matrix` (users x items, no entry twice). `form` None: whichever side is smaller."""
    return exact(matrix, np.full(matrix.shape[1], l2), form or smaller_side(matrix), "ease")
