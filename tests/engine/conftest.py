"""Models fitted once for all tests that only look at them."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from apps.recommend.engine.registries import ALGORITHMS
from tests import worlds


@pytest.fixture(scope="session")
def world() -> worlds.World:
    return worlds.planted()


@pytest.fixture(scope="session")
def fitted(world: worlds.World) -> Callable[[str], Any]:
    """The named algorithm with its default configuration, fitted on the planted world."""

    @cache
    def fit(name: str) -> Any:
        return ALGORITHMS.create(name).fit(world.interactions, world.items, np.random.default_rng(1))

    return fit
