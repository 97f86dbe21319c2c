"""What a pipeline's parts may look at while they answer one query."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from apps.recommend.engine.types import Items, Mask

if TYPE_CHECKING:
    from apps.recommend.engine.served_model import ServedModel


@dataclass(frozen=True, eq=False)
class Context:
    """The catalog, which of its items may be shown, and the models that are loaded, by name."""

    items: Items
    eligible: Mask
    models: Mapping[str, "ServedModel"] = field(default_factory=dict)
    rng: np.random.Generator | None = None  # only where a stage draws
