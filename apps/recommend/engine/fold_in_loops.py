"""The equation of `fold_in` for one short history, compiled. Import it only where it runs: numba takes a second."""

import numpy as np
from numba import float32, float64

from apps.recommend.engine.compiled import compiled_for, read_only


@compiled_for(float64[:, ::1], float64[::1])
def solve_in_place(system, right):  # type: ignore[no-untyped-def]
    """Cholesky's way, for a symmetric `system` without eigenvalues below 1. The solution is left in `right`."""
    size = len(right)
    for column in range(size):
        pivot = np.sqrt(system[column, column])
        for row in range(column, size):
            system[column, row] /= pivot
        right[column] /= pivot
        for row in range(column + 1, size):
            factor = system[column, row]
            right[row] -= factor * right[column]
            for place in range(row, size):
                system[row, place] -= factor * system[column, place]
    for column in range(size - 1, -1, -1):
        for place in range(column + 1, size):
            right[column] -= system[column, place] * right[place]
        right[column] /= system[column, column]


@compiled_for(
    read_only(float32, 2),
    read_only(float64, 2),
    read_only(float64),
    read_only(float64),
    read_only(float64),
    read_only(float64),
)
def folded(factors, basis, spectrum, beyond, liked, ridge):  # type: ignore[no-untyped-def]
    """The vector x of `fold_in`, float32, for the factors of n items; `ridge` has one entry.

    `basis` holds the eigenvectors of the gram, one a column, `spectrum` its eigenvalues, which with the ridge are
    above 0. With K = F (gram + ridge I)^-1 F^T, x = (gram + ridge I)^-1 F^T z for z = (I + B K)^-1 liked. With S the
    root of B that is liked - S (I + S K S)^-1 S K liked, of a symmetric system. O(n d^2 + n^3).
    """
    size = len(beyond)
    width = 1 / np.sqrt(spectrum + ridge[0])
    turned = np.dot(factors.astype(np.float64), basis)
    turned *= width
    nearness = np.dot(turned, turned.T)
    root = np.sqrt(beyond)
    right = root * np.dot(nearness, liked)
    for one in range(size):
        for other in range(size):
            nearness[one, other] *= root[one] * root[other]
        nearness[one, one] += 1.0
    solve_in_place(nearness, right)
    speaking = liked - root * right
    return np.dot(basis, width * np.dot(speaking, turned)).astype(np.float32)
