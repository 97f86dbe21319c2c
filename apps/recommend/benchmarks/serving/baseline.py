"""What the baseline with implicit knows: the same item factors, its users' factors, what they wanted."""

from pathlib import Path

import numpy as np
from scipy import sparse

from apps.recommend.benchmarks.serving.versions import als_model
from apps.recommend.benchmarks.serving.world import Histories, World

_USERS_AT_ONCE = 10_000


def write(world: World, histories: Histories, users: int, folder: Path) -> None:
    """Files for `baseline_views`, for the first `users` users."""
    ones = np.ones(len(histories), dtype=np.float32)
    wanted = sparse.csr_matrix((ones, (histories.users, histories.items)), shape=(users, len(world)))
    model = als_model(world)
    vectors = [model.user_vectors(wanted[start : start + _USERS_AT_ONCE]) for start in range(0, users, _USERS_AT_ONCE)]
    np.save(folder / "items.npy", world.factors)
    np.save(folder / "users.npy", np.concatenate(vectors))
    sparse.save_npz(folder / "wanted.npz", wanted)
