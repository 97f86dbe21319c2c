"""A few steps of conjugate gradients for the equations of `fold_in`, compiled. Import it only where one trains.

G. Takács, I. Pilászy, D. Tikk: Applications of the Conjugate Gradient Method for Implicit Feedback Collaborative
Filtering, RecSys 2011; here in the basis in which the common part of all equations is diagonal, and preconditioned.
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.compiled import compiled

ENTRIES = 20_000  # of the matrix, in one piece of work for a thread


def improved(
    vectors: NDArray[np.float32],
    rows: sparse.csr_matrix,
    *,
    liked: NDArray[np.float32],
    factors: NDArray[np.float32],
    gram: NDArray[np.floating],
    ridge: NDArray[np.floating],
    steps: int,
    num_threads: int,
) -> NDArray[np.float32]:
    """`vectors`, one for each of `rows`, after `steps` towards the solutions; arguments as for `fold_in.Solver`.

    Every step lowers the squared error that the equation stands for, and min(d, length) + 1 steps reach its lowest
    but for rounding. Float32. A row of n entries costs O(steps n d). The result does not depend on `num_threads`.
    """
    spectrum, basis = np.linalg.eigh(gram.astype(np.float64))
    rotation = basis.astype(np.float32)
    rotated = np.ascontiguousarray(factors @ rotation)
    result = np.ascontiguousarray(vectors @ rotation)
    columns = (
        rows.indptr.astype(np.int64),
        rows.indices.astype(np.int32),
        rows.data.astype(np.float32),
        liked.astype(np.float32),
        np.maximum(spectrum, 0).astype(np.float32),
        ridge.astype(np.float32),
        rotated,
        result,
    )
    bounds = np.unique(np.append(np.searchsorted(rows.indptr, np.arange(0, rows.nnz, ENTRIES)), rows.shape[0]))
    if num_threads == 1:
        _improve(*columns, steps, 0, rows.shape[0])
    else:
        with ThreadPoolExecutor(num_threads) as pool:
            list(pool.map(lambda span: _improve(*columns, steps, *span), pairwise(bounds)))
    return np.asarray(result @ rotation.T)


@compiled
def _improve(  # type: ignore[no-untyped-def]  # noqa: C901 - one loop nest, compiled as a whole
    indptr, indices, beyond, liked, spectrum, ridge, factors, vectors, steps, first, last
):
    width = factors.shape[1]
    longest = 0
    for row in range(first, last):
        longest = max(longest, indptr[row + 1] - indptr[row])
    near = np.empty((longest, width), np.float32)  # a copy of the factors needed: later passes find it in the cache
    residual = np.empty(width, np.float32)
    scale = np.empty(width, np.float32)
    direction = np.empty(width, np.float32)
    image = np.empty(width, np.float32)
    zero = np.float32(0)
    for row in range(first, last):
        start = indptr[row]
        length = indptr[row + 1] - start
        x = vectors[row]
        if length == 0:
            x[:] = zero
            continue
        for k in range(width):
            scale[k] = spectrum[k] + ridge[row]
            residual[k] = -scale[k] * x[k]
        for i in range(length):
            f = factors[indices[start + i]]
            g = near[i]
            product = zero
            for k in range(width):
                g[k] = f[k]
                product += f[k] * x[k]
            weight = beyond[start + i]
            pull = liked[start + i] - weight * product
            for k in range(width):
                residual[k] += pull * g[k]
                scale[k] += weight * g[k] * g[k]
        left = zero
        for k in range(width):
            scale[k] = np.float32(1) / scale[k]
            direction[k] = scale[k] * residual[k]
            left += residual[k] * direction[k]
        for _ in range(steps):
            if left <= np.float32(1e-20):
                break
            for k in range(width):
                image[k] = (spectrum[k] + ridge[row]) * direction[k]
            for i in range(length):
                g = near[i]
                product = zero
                for k in range(width):
                    product += g[k] * direction[k]
                product *= beyond[start + i]
                for k in range(width):
                    image[k] += product * g[k]
            along = zero
            for k in range(width):
                along += direction[k] * image[k]
            step = left / along
            before = left
            left = zero
            for k in range(width):
                x[k] += step * direction[k]
                residual[k] -= step * image[k]
                left += residual[k] * residual[k] * scale[k]
            ratio = left / before
            for k in range(width):
                direction[k] = scale[k] * residual[k] + ratio * direction[k]
