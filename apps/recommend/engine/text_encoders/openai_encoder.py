"""Embeddings from any endpoint that speaks OpenAI's protocol."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.progress import report
from apps.recommend.engine.text_encoders.encoder import EncoderUnavailable

TIMEOUT_SECONDS = 60.0
LONGEST_TEXT = 8_000  # characters: below every such model's limit of about 8,000 tokens


class OpenAIEncoder:
    """`model` at `base_url` (empty: OpenAI's own). Texts leave this machine."""

    def __init__(self, model: str, base_url: str, api_key: str) -> None:
        self.name = f"openai:{model}"
        self._model, self._base_url, self._api_key = model, base_url, api_key

    def encode(self, texts: Sequence[str], batch_size: int) -> NDArray[np.float32]:
        import openai  # slow to import

        if not self._base_url and not self._api_key:
            raise EncoderUnavailable("neither an address nor a key of an OpenAI-compatible endpoint is configured")
        vectors: list[list[float]] = []
        try:
            client = openai.OpenAI(
                base_url=self._base_url or None, api_key=self._api_key or "none", timeout=TIMEOUT_SECONDS
            )
            for start in range(0, len(texts), batch_size):
                part = [text[:LONGEST_TEXT] for text in texts[start : start + batch_size]]
                answer = client.embeddings.create(model=self._model, input=part, encoding_format="float")
                vectors.extend(entry.embedding for entry in sorted(answer.data, key=lambda entry: entry.index))
                report("encode", start + len(part), len(texts))
        except openai.OpenAIError as error:
            raise EncoderUnavailable(f"the endpoint does not answer: {error}") from error
        if len(vectors) != len(texts):
            raise EncoderUnavailable(f"the endpoint sent {len(vectors)} vectors for {len(texts)} texts")
        return np.array(vectors, dtype=np.float32)
