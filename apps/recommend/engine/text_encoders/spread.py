"""Text vectors that compare and add up well: what all texts of a shop have in common is taken out of them.

Encoders put the texts of one shop into a narrow cone, where everything resembles everything and a user's sum of
vectors points along the cone. J. Mu, P. Viswanath: All-but-the-Top, ICLR 2018; J. Su et al.: Whitening Sentence
Representations for Better Semantics and Faster Retrieval, 2021.
"""

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.products import unit_rows

PRIOR = 10  # a variance seen in fewer texts than this is mostly chance
NOTHING = 1e-4  # unit vectors closer than this to the mean differ from it by rounding


def spread(vectors: NDArray[np.floating], whitening: float) -> NDArray[np.float32]:
    """`vectors` about their mean, along each principal axis divided by its deviation ** `whitening`; unit rows.

    `whitening` 0 only takes the mean out, 1 makes all directions equal. Variances are drawn towards their average as
    if there were PRIOR more texts for each dimension, so that few texts keep their shape. A row that equals the mean
    becomes zero; a single row stays as it is. O(n d² + d³).
    """
    wide = unit_rows(vectors).astype(np.float64)
    count, dimensions = wide.shape
    if count < 2:
        return unit_rows(vectors)
    wide -= wide.mean(axis=0)
    wide[np.linalg.norm(wide, axis=1) < NOTHING] = 0
    variances, axes = np.linalg.eigh(wide.T @ wide / count)
    average = max(float(variances.mean()), np.finfo(np.float64).tiny)
    prior = PRIOR * dimensions
    smoothed = (count * np.maximum(variances, 0) + prior * average) / (count + prior)
    return unit_rows((wide @ axes) * (smoothed / average) ** (-whitening / 2) @ axes.T)
