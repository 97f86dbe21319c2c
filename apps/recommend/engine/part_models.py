"""Several fitted models asked alike: the parts of a model that is made of others."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from apps.plugins import ComponentConfig
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.lens import Lens, lens_and_rest, through_lens
from apps.recommend.engine.progress import report
from apps.recommend.engine.protocols import Algorithm, Arrays, Model
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.types import Evidence, Ids, Interactions, Items, Queries, Query, Rows, rows_of


class PartSpec(ComponentConfig):
    """One algorithm among the parts of another."""

    algorithm: str
    """Its name."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Its parameters, and those of a lens, as in a table of models.toml."""

    def build(self) -> Algorithm:
        """The algorithm. Raises PluginError for an unknown name, ValidationError for parameters that do not fit."""
        cls = ALGORITHMS[self.algorithm]
        of_lens, own = lens_and_rest(cls.Config, self.parameters)
        return through_lens(cls(cls.Config(**own)), Lens(**of_lens))


@dataclass(frozen=True, eq=False)
class PartModels:
    """Fitted models and the names of the algorithms that made them; None: a part that could not be fitted.

    Rows are those of `item_ids`, all that any part knows.
    """

    algorithms: tuple[str, ...]
    models: tuple[Model | None, ...]

    @classmethod
    def fitted(
        cls,
        parts: Sequence[tuple[str, Algorithm]],
        interactions: Interactions,
        items: Items,
        rng: np.random.Generator,
    ) -> Self:
        """Every part, by the name of its algorithm, fitted with a generator of its own.

        Raises NotEnoughData where none can be fitted.
        """
        models: list[Model | None] = []
        lack = NotEnoughData("parts", 0, 1)
        for number, ((name, part), own) in enumerate(zip(parts, rng.spawn(len(parts)), strict=True)):
            report(f"fit {name}", number, len(parts))
            try:
                models.append(part.fit(interactions, items, own))
            except NotEnoughData as missing:
                models.append(None)
                lack = missing
        if not any(model is not None for model in models):
            raise lack
        return cls(tuple(name for name, _ in parts), tuple(models))

    def __len__(self) -> int:
        return len(self.models)

    @cached_property
    def item_ids(self) -> Ids:
        known = [np.asarray(model.item_ids) for model in self.models if model is not None]
        return np.unique(np.concatenate(known)) if known else np.empty(0, np.int64)

    @cached_property
    def _to_part(self) -> list[Rows]:
        """For each part its row of each item, -1 where it does not know it."""
        nobody = np.empty(0, np.int64)
        return [rows_of(nobody if one is None else np.asarray(one.item_ids), self.item_ids) for one in self.models]

    def scores(self, asked: Queries) -> Iterator[NDArray[np.float32]]:
        """For each part its scores of every item for each of `asked`: (queries, items), NaN where it cannot say.

        Costs what the parts' own batch forms cost, or `score` for each query where they have none.
        """
        for model, to_part in zip(self.models, self._to_part, strict=True):
            scores = np.full(asked.histories.shape, np.nan, dtype=np.float32)
            if model is not None:
                known = np.flatnonzero(to_part >= 0)
                own = translated(asked, to_part, len(known))
                scores[:, known] = answers(model, own)[:, to_part[known]]
            yield scores

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Each part's arrays with `part0_`, `part1_` … before their names."""
        arrays: dict[str, NDArray[Any]] = {"parts": np.array(self.algorithms, dtype=np.str_)}
        for number, model in enumerate(self.models):
            if model is not None:
                arrays |= {f"part{number}_{name}": array for name, array in model.to_arrays().items()}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        algorithms = tuple(str(name) for name in arrays["parts"])
        return cls(algorithms, tuple(_read(name, arrays, f"part{n}_") for n, name in enumerate(algorithms)))


def _read(algorithm: str, arrays: Mapping[str, NDArray[Any]], prefix: str) -> Model | None:
    own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    model: Model | None = ALGORITHMS[algorithm].Model.from_arrays(own) if own else None
    return model


def translated(asked: Queries, to_part: Rows, n_items: int) -> Queries:
    """The queries without the items a part does not know, in its rows; the order of the entries stays."""
    times = None if asked.times is None else moved(asked.times, to_part, n_items)
    return Queries(moved(asked.histories, to_part, n_items), times, asked.users, asked.now)


def moved(matrix: sparse.csr_matrix, to: Rows, n_columns: int) -> sparse.csr_matrix:
    """`matrix` with column j at `to[j]`, dropped where that is -1. The order of each row's entries stays."""
    columns = to[matrix.indices]
    keep = columns >= 0
    ends = np.concatenate([[0], np.cumsum(keep)])[matrix.indptr]
    return sparse.csr_matrix((matrix.data[keep], columns[keep], ends), shape=(matrix.shape[0], n_columns))


def answers(model: Any, asked: Queries) -> NDArray[np.float32]:
    """`model`'s scores of all its items for each query, in its own rows: at once where it can, else one by one."""
    if hasattr(model, "score_queries"):
        return np.asarray(model.score_queries(asked), dtype=np.float32)
    if hasattr(model, "score_users"):
        return np.asarray(model.score_users(asked.users, asked.histories), dtype=np.float32)
    if hasattr(model, "score_batch"):
        return np.asarray(model.score_batch(asked.histories), dtype=np.float32)
    rows = np.arange(asked.histories.shape[1], dtype=np.int32)
    scores = np.empty(asked.histories.shape, dtype=np.float32)
    for number in range(len(asked)):
        scores[number] = model.score(query_of(asked, number), rows)
    return scores


def query_of(asked: Queries, number: int) -> Query:
    """One of the queries by itself: latest first where times are known, else in the order it came in."""
    mine = slice(asked.histories.indptr[number], asked.histories.indptr[number + 1])
    rows, weights = asked.histories.indices[mine].astype(np.int32), asked.histories.data[mine]
    types = np.full(len(rows), -1, np.int16)
    who, now = int(asked.users[number]), int(asked.now[number])
    if asked.times is None:
        return Query(history=Evidence(rows, weights, types), now=now, user=who)
    times = asked.times.data[mine].astype(np.int64)
    latest = np.argsort(-times, kind="stable")
    return Query(history=Evidence(rows[latest], weights[latest], types, times[latest]), now=now, user=who)


def queries_of(query: Query, n_items: int) -> Queries:
    """`query` as the only one of many. What speaks, seeds or history, becomes the history; an item counts once."""
    evidence = query.evidence
    rows, first, place = np.unique(evidence.rows, return_index=True, return_inverse=True)
    order = np.argsort(first)
    weights = np.bincount(place, evidence.weights, minlength=len(rows))[order].astype(np.float32)
    shape, ends = (1, n_items), np.array([0, len(rows)])
    times = None
    if evidence.times is not None:
        latest = np.zeros(len(rows))
        np.maximum.at(latest, place, evidence.times)
        times = sparse.csr_matrix((latest[order], rows[order], ends), shape=shape)
    histories = sparse.csr_matrix((weights, rows[order], ends), shape=shape)
    return Queries(histories, times, np.array([query.user], np.int64), np.array([query.now], np.int64))


def rows_taken(asked: Queries, block: slice | NDArray[np.integer]) -> Queries:
    """Some of the queries."""
    times = None if asked.times is None else asked.times[block]
    return Queries(asked.histories[block], times, asked.users[block], asked.now[block])


def blocks(queries: int, scores_each: int, at_once: int) -> Sequence[slice]:
    """Runs of queries that take about `at_once` scores each."""
    size = max(1, at_once // max(scores_each, 1))
    return [slice(start, min(start + size, queries)) for start in range(0, queries, size)]
