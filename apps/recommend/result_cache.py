"""Computed candidates, kept by everything that decided them.

Ids and scores are cached, never cards, tokens or reasons: what may be shown and what it costs is looked up after.
The key carries the plan's digest and the user's revision, so nothing ever has to be deleted.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from django.conf import settings
from django.core.cache import cache

from apps.recommend.engine.types import Slate
from apps.recommend.live_catalog import LiveCatalog
from apps.recommend.metrics import CANDIDATE_CACHE


@dataclass(frozen=True)
class CacheKey:
    """What decides a pipeline's candidates. `user` is None where the pipeline does not depend on who asks."""

    plan: str
    pipeline: str
    user: tuple[int, int] | None  # id, revision
    seeds: tuple[int, ...] = ()  # item ids
    category: int | None = None
    text: str = ""

    @property
    def layer(self) -> str:
        return "shared" if self.user is None else "personal"

    def __str__(self) -> str:
        parts = repr((self.plan, self.pipeline, self.user, self.seeds, self.category, self.text))
        return f"slate:{hashlib.blake2b(parts.encode(), digest_size=16).hexdigest()}"


def get(key: CacheKey, catalog: LiveCatalog) -> Slate | None:
    """The cached candidates in rows of `catalog` (items that are gone left out), None where there are none."""
    kept = cache.get(str(key)) if settings.RESULT_CACHE_SECONDS else None
    CANDIDATE_CACHE.labels(layer=key.layer, result="miss" if kept is None else "hit").inc()
    if kept is None:
        return None
    rows = catalog.items.rows_of(np.asarray(kept["ids"], dtype=np.int64))
    slate = Slate(
        rows,
        np.asarray(kept["scores"], dtype=np.float32),
        np.asarray(kept["source"], dtype=np.int16),
        tuple(kept["source_names"]),
    )
    return slate.take(rows >= 0)


def put(key: CacheKey, slate: Slate, catalog: LiveCatalog) -> None:
    """Keep `slate` for settings.RESULT_CACHE_SECONDS, as plain JSON values."""
    if settings.RESULT_CACHE_SECONDS:
        kept = {
            "ids": catalog.ids[slate.rows].tolist(),
            "scores": slate.scores.tolist(),
            "source": slate.source.tolist(),
            "source_names": list(slate.source_names),
        }
        cache.set(str(key), kept, settings.RESULT_CACHE_SECONDS)
