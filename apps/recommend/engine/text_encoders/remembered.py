"""Vectors kept on disk between trainings: encoding is slow, and most texts have not changed."""

import hashlib
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.text_encoders.encoder import TextEncoder

log = logging.getLogger(__name__)


class Remembered:
    """Asks `encoder` only for texts it has not kept. Keeps the texts of the last call that brought new ones."""

    def __init__(self, encoder: TextEncoder, folder: Path) -> None:
        self.name = encoder.name
        self._encoder = encoder
        self._file = folder / f"{hashlib.blake2b(encoder.name.encode(), digest_size=8).hexdigest()}.npz"

    def encode(self, texts: Sequence[str], batch_size: int) -> NDArray[np.float32]:
        keys = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts]
        known = self._read()
        new = list({key: i for i, key in enumerate(keys) if key not in known}.values())
        if new:
            vectors = self._encoder.encode([texts[i] for i in new], batch_size)
            if known and vectors.shape[1] != len(next(iter(known.values()))):
                vectors, new, known = self._encoder.encode(texts, batch_size), list(range(len(texts))), {}
            known.update((keys[i], vector) for i, vector in zip(new, vectors, strict=True))
        result = np.array([known[key] for key in keys], dtype=np.float32)
        if new:
            self._write(keys, result)
        return result

    def _read(self) -> dict[bytes, NDArray[np.float32]]:
        try:
            with np.load(self._file, allow_pickle=False) as stored:
                keys, vectors = stored["keys"], stored["vectors"]
        except FileNotFoundError:
            return {}
        except (OSError, EOFError, BadZipFile, ValueError, KeyError) as error:
            log.warning("stored text vectors in %s cannot be read and are made anew: %s", self._file, error)
            return {}
        return {key.tobytes(): vector for key, vector in zip(keys, vectors, strict=True)}

    def _write(self, keys: list[bytes], vectors: NDArray[np.float32]) -> None:
        """Replaces the file in one step: another process reads the old or the new one."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._file.parent) as unfinished:
            file = Path(unfinished) / self._file.name
            np.savez(file, keys=np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 16), vectors=vectors)
            file.replace(self._file)
