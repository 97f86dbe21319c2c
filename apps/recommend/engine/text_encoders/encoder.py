"""What a text encoder is, and how it says that it cannot be had."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class EncoderUnavailable(Exception):
    """The encoder cannot be had here and now; the message says why, in a form fit for a log."""


class TextEncoder(Protocol):
    """Turns texts into vectors."""

    name: str

    def encode(self, texts: Sequence[str], batch_size: int) -> NDArray[np.float32]:
        """One row a text, not normalised. Reports progress as "encode". Raises EncoderUnavailable."""
