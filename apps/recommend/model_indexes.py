"""The index files of a model version: built where the size of the catalog calls for one, checked, opened again."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from apps.recommend.engine.indexes import choice
from apps.recommend.engine.indexes.annoy_index import TREES, AnnoyIndex
from apps.recommend.engine.protocols import Index, Question
from apps.recommend.engine.types import Evidence, Query

log = structlog.get_logger(__name__)

QUESTIONS: tuple[Question, ...] = ("history", "seeds")
LEAST_RECALL = 0.9  # of the exact best CHECKED_DEPTH
CHECKED_DEPTH = 100
CHECKED_QUERIES = 200


@dataclass(frozen=True)
class IndexFile:
    """An index on disk and the share of the exact answers that it finds."""

    path: Path
    kind: str
    recall: float


def build(
    model: Any, folder: Path, *, seed: int, rng: np.random.Generator, index_from: int | None = None
) -> dict[Question, IndexFile]:
    """Index files in `folder` for a model that answers by inner products; none where exact search is fast enough.

    An index that finds less than LEAST_RECALL of the exact answers gets three times the trees, and is left out,
    with a warning, when that does not help: exact search is slower and right. `index_from` replaces the size from
    which an index is worth having.
    """
    if not hasattr(model, "vectors"):
        return {}
    size = len(model.item_ids)
    if size < index_from if index_from is not None else choice.choose(size) == "exact":
        return {}
    built: dict[Question, IndexFile] = {}
    for question in QUESTIONS:
        vectors = model.vectors(question)
        twin = next((other for other in built if model.vectors(other) is vectors), None)
        if twin is not None:
            built[question] = built[twin]
            continue
        queries = _queries(model, question, rng)
        for trees in (TREES, 3 * TREES):
            path = folder / f"{question}.annoy"
            AnnoyIndex.build(vectors, path, seed=seed, trees=trees)
            recall = choice.recall(AnnoyIndex.open(path, vectors), vectors, queries, CHECKED_DEPTH)
            if recall >= LEAST_RECALL:
                built[question] = IndexFile(path, "annoy", round(recall, 4))
                break
            path.unlink()
            log.warning("index finds too little", question=question, trees=trees, recall=round(recall, 4))
    return built


def open_all(folder: Path, described: Mapping[str, Any], model: Any) -> dict[Question, Index]:
    """The indexes that a manifest describes. Raises OSError, KeyError or ValueError when one cannot be opened."""
    kinds = {"annoy": AnnoyIndex}
    return {
        question: kinds[described[question]["kind"]].open(folder / described[question]["file"], model.vectors(question))
        for question in QUESTIONS
        if question in described
    }


def _queries(model: Any, question: Question, rng: np.random.Generator) -> NDArray[np.float32]:
    """Vectors as requests will ask for them: of a few random items each."""
    vectors = []
    for _ in range(CHECKED_QUERIES):
        rows = rng.choice(len(model.item_ids), size=min(5, len(model.item_ids)), replace=False)
        evidence = Evidence.of_rows(rows.astype(np.int32))
        query = Query(seeds=evidence) if question == "seeds" else Query(history=evidence)
        vector = model.query_vector(query)
        if vector is not None:
            vectors.append(vector)
    return np.array(vectors, dtype=np.float32)
