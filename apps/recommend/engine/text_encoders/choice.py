"""From an encoder's name to vectors."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.products import unit_rows
from apps.recommend.engine.text_encoders.encoder import EncoderUnavailable, TextEncoder
from apps.recommend.engine.text_encoders.openai_encoder import OpenAIEncoder
from apps.recommend.engine.text_encoders.remembered import Remembered
from apps.recommend.engine.text_encoders.sentence_encoder import SentenceEncoder
from apps.recommend.engine.text_encoders.tfidf_encoder import TfidfEncoder

log = logging.getLogger(__name__)

OPENAI = "openai:"


@dataclass(frozen=True)
class Surroundings:
    """What encoders need from outside and no model's parameters should hold."""

    openai_base_url: str = ""
    openai_api_key: str = ""
    cache_folder: Path | None = None


_surroundings = Surroundings()


def configure(*, openai_base_url: str = "", openai_api_key: str = "", cache_folder: Path | None = None) -> None:
    """To be called once when a process starts. With a `cache_folder`, no text is encoded by a language model twice."""
    global _surroundings
    _surroundings = Surroundings(openai_base_url, openai_api_key, cache_folder)


def encode(texts: Sequence[str], name: str, batch_size: int, seed: int) -> tuple[NDArray[np.float32], str]:
    """A unit vector for each text, and the name of the encoder that was really used.

    That is `name`, or tfidf, with a warning in the log, where `name` cannot be had.
    """
    if name != TfidfEncoder.name:
        try:
            return unit_rows(_encoder(name).encode(texts, batch_size)), name
        except EncoderUnavailable as reason:
            log.warning("text encoder %s cannot be had, using tfidf instead: %s", name, reason)
    return unit_rows(TfidfEncoder(seed).encode(texts, batch_size)), TfidfEncoder.name


def _encoder(name: str) -> TextEncoder:
    encoder: TextEncoder
    if name.startswith(OPENAI):
        model = name.removeprefix(OPENAI)
        encoder = OpenAIEncoder(model, _surroundings.openai_base_url, _surroundings.openai_api_key)
    else:
        encoder = SentenceEncoder(name)
    if _surroundings.cache_folder is None:
        return encoder
    return Remembered(encoder, _surroundings.cache_folder)
