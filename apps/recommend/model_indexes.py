"""The index files of a model version: built where the size of the catalog calls for one, checked, opened again."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from apps.recommend.engine.indexes import choice
from apps.recommend.engine.indexes.annoy_index import TREES, AnnoyIndex
from apps.recommend.engine.indexes.choice import Kind
from apps.recommend.engine.indexes.lists_index import ListsIndex
from apps.recommend.engine.products import Stored, single, unit_rows
from apps.recommend.engine.protocols import Index, Question
from apps.recommend.engine.types import Evidence, Query

log = structlog.get_logger(__name__)

QUESTIONS: tuple[Question, ...] = ("history", "seeds")
KINDS: dict[str, Any] = {"lists": ListsIndex, "annoy": AnnoyIndex}
LEAST_RECALL = 0.95  # of the exact best CHECKED_DEPTH
CHECKED_DEPTH = 50
CHECKED_QUERIES = 200
LOOKED_AMONG = 20_000  # items among which those are found that one taste has in common
# How many tastes the queries have, in turn, and how many more items each taste has: half the histories are of one
# thing, and in the others it is hard to find what suits all of them.
TASTES: Mapping[Question, tuple[tuple[int, int], ...]] = {"history": ((1, 9), (4, 3)), "seeds": ((1, 2),)}


@dataclass(frozen=True)
class IndexFile:
    """An index on disk and the share of the exact answers that it finds."""

    path: Path
    kind: str
    recall: float


def build(
    model: Any,
    folder: Path,
    *,
    seed: int,
    rng: np.random.Generator,
    index_from: int | None = None,
    kind: Kind | None = None,
) -> dict[Question, IndexFile]:
    """Index files in `folder` for a model that answers by inner products; none where exact search is fast enough.

    Without `kind` every kind is tried in turn. An index that finds less than LEAST_RECALL of the exact answers is
    left out, with a warning: exact search is slower and right. `index_from` replaces the number of items from which
    an index is worth having.
    """
    if not hasattr(model, "vectors") or not len(model.item_ids):
        return {}
    built: dict[Question, IndexFile] = {}
    for question in QUESTIONS:
        vectors = model.vectors(question)
        size, dimensions = vectors.shape
        if size < index_from if index_from is not None else choice.choose(size, dimensions) == "exact":
            continue
        twin = next((other for other in built if model.vectors(other) is vectors), None)
        if twin is not None:
            built[question] = built[twin]
            continue
        learnt_from, checked_with = (_queries(model, question, rng) for _ in range(2))
        for name, path in _attempts(vectors, folder, question, seed, learnt_from, kind):
            recall = choice.recall(KINDS[name].open(path, vectors), vectors, checked_with, CHECKED_DEPTH)
            if recall >= LEAST_RECALL:
                built[question] = IndexFile(path, name, round(recall, 4))
                break
            path.unlink()
            log.warning("index finds too little", question=question, kind=name, recall=round(recall, 4))
    return built


def _attempts(
    vectors: Stored, folder: Path, question: Question, seed: int, queries: NDArray[np.float32], kind: Kind | None
) -> Iterator[tuple[Kind, Path]]:
    """One index after the other, each built when it is asked for."""
    ways: list[tuple[Kind, Callable[[Path], None]]] = [
        ("lists", lambda path: ListsIndex.build(vectors, path, seed=seed, queries=queries)),
        ("annoy", lambda path: AnnoyIndex.build(vectors, path, seed=seed)),
        ("annoy", lambda path: AnnoyIndex.build(vectors, path, seed=seed, trees=3 * TREES)),
    ]
    for name, write in ways:
        if kind in (None, name):
            path = folder / f"{question}.{name}"
            write(path)
            yield name, path


def open_all(folder: Path, described: Mapping[str, Any], model: Any) -> dict[Question, Index]:
    """The indexes that a manifest describes. Raises OSError, KeyError or ValueError when one cannot be opened.

    A question that shares another's file shares its index.
    """
    opened: dict[tuple[str, int], Index] = {}
    result: dict[Question, Index] = {}
    for question in QUESTIONS:
        if question in described:
            vectors = model.vectors(question)
            key = described[question]["file"], id(vectors)
            if key not in opened:
                opened[key] = KINDS[described[question]["kind"]].open(folder / key[0], vectors)
            result[question] = opened[key]
    return result


def _queries(model: Any, question: Question, rng: np.random.Generator) -> NDArray[np.float32]:
    """Vectors as requests will ask for them: of a few tastes, each of an item and of items near it."""
    vectors = model.vectors(question)
    size = len(vectors)
    among = np.sort(rng.choice(size, size=min(LOOKED_AMONG, size), replace=False))
    units = unit_rows(single(vectors[among]))
    found = []
    for number in range(CHECKED_QUERIES):
        tastes, more = TASTES[question][number % len(TASTES[question])]
        first = rng.integers(len(among), size=tastes)
        kept = min(4 * more + 1, len(among))  # near it, not nearest: nobody has all that is most alike
        near = np.argpartition(units[first] @ units.T, len(among) - kept, axis=1)[:, len(among) - kept :]
        chosen = [rng.choice(one, size=min(more, len(one)), replace=False) for one in near]
        rows = among[np.unique(np.concatenate([first, *chosen]))].astype(np.int32)
        evidence = Evidence.of_rows(rows)
        query = Query(seeds=evidence) if question == "seeds" else Query(history=evidence)
        vector = model.query_vector(query)
        if vector is not None:
            found.append(vector)
    return np.array(found, dtype=np.float32).reshape(len(found), vectors.shape[1])
