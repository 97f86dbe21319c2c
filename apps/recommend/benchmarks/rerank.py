"""How long the stages that diversify take for one request, beside plain Python doing the same."""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from apps.recommend.engine.context import Context
from apps.recommend.engine.registries import STAGES
from apps.recommend.engine.served_model import ServedModel
from apps.recommend.engine.types import Evidence, Items, Query, Slate

CANDIDATES = 200
PLACES = 20
CATALOG = 50_000
CATEGORIES = 300
FACTORS = 64
HISTORY = 100
STAGES_MEASURED: dict[str, tuple[str, dict[str, Any]]] = {
    "mmr by categories": ("mmr", {"relevance": 0.7}),
    "mmr by vectors": ("mmr", {"relevance": 0.7, "model": "vectors"}),
    "dpp by categories": ("dpp", {"theta": 0.8, "likeness": 0.9}),
    "dpp by vectors": ("dpp", {"theta": 0.8, "likeness": 0.9, "model": "vectors"}),
    "calibrate": ("calibrate", {"weight": 0.5, "smoothing": 0.01}),
    "cap": ("cap", {"most": 3}),
}


@dataclass(frozen=True)
class StageFigures:
    """Milliseconds for one slate: the stage's median and 99th percentile, and plain Python's median."""

    stage: str
    median_ms: float
    p99_ms: float
    plain_ms: float

    @property
    def ratio(self) -> float:
        """How many times as fast as plain Python."""
        return self.plain_ms / self.median_ms


@dataclass(frozen=True)
class RerankFigures:
    """Each stage from `candidates` to `places`, `rounds` different slates."""

    candidates: int
    places: int
    rounds: int
    stages: tuple[StageFigures, ...]


@dataclass(frozen=True, eq=False)
class _Vectors:
    """A model that is nothing but item vectors."""

    item_ids: np.ndarray
    items: np.ndarray

    def vectors(self, question: str) -> np.ndarray:
        return self.items


def measure(rounds: int, say: Callable[[str], None]) -> RerankFigures:
    """Rerank `rounds` made-up slates with each stage, and a tenth as many in plain Python. Needs no database."""
    rng = np.random.default_rng(7)
    context = _context(rng)
    requests = [_request(rng) for _ in range(rounds)]
    figures = []
    for label, (name, config) in STAGES_MEASURED.items():
        say(f"{label} …")
        stage = STAGES.create(name, {**config, "count": PLACES})
        stage(*requests[0], context)
        took = [_milliseconds(stage, *one, context) for one in requests]
        few = requests[: max(rounds // 10, 3)]
        plain = [_milliseconds(_PLAIN[name], *one, context, config) for one in few]
        figures.append(
            StageFigures(
                stage=label,
                median_ms=round(statistics.median(took), 3),
                p99_ms=round(float(np.quantile(took, 0.99)), 3),
                plain_ms=round(statistics.median(plain), 2),
            )
        )
    return RerankFigures(CANDIDATES, PLACES, rounds, tuple(figures))


def _milliseconds(call: Callable[..., object], *arguments: Any) -> float:
    started = time.perf_counter()
    call(*arguments)
    return (time.perf_counter() - started) * 1000


def _context(rng: np.random.Generator) -> Context:
    """A catalog whose items are in one to three categories and below a tenth of a parent category each."""
    own = rng.integers(CATEGORIES // 10, CATEGORIES, (CATALOG, 3))
    columns = np.concatenate([own, own // 10], axis=1)
    rows = np.repeat(np.arange(CATALOG), columns.shape[1])
    categories = sparse.csr_matrix((np.ones(columns.size, np.float32), (rows, columns.ravel())))
    categories.data[:] = 1
    ids = np.arange(CATALOG, dtype=np.int64)
    items = Items(
        ids=ids,
        available=np.ones(CATALOG, bool),
        price=np.ones(CATALOG),
        published=np.zeros(CATALOG, np.int64),
        categories=categories,
        category_ids=np.arange(categories.shape[1], dtype=np.int64),
        parents=np.full(CATALOG, -1, np.int32),
    )
    model: Any = _Vectors(ids, rng.normal(size=(CATALOG, FACTORS)).astype(np.float32))
    served = ServedModel.over(items, model, name="vectors", version="1")
    context = Context(items=items, eligible=np.ones(CATALOG, bool), models={"vectors": served})
    _ = items.by_category  # serving has it ready
    return context


def _request(rng: np.random.Generator) -> tuple[Slate, Query]:
    rows = rng.choice(CATALOG, CANDIDATES, replace=False).astype(np.int32)
    slate = Slate.ranked(rows, rng.gamma(1.0, 1.0, CANDIDATES).astype(np.float32), CANDIDATES, "s")
    return slate, Query(history=Evidence.of_rows(rng.choice(CATALOG, HISTORY, replace=False).astype(np.int32)))


def _unit(slate: Slate) -> list[float]:
    scores = [float(score) for score in slate.scores]
    low, high = min(scores), max(scores)
    return [(score - low) / (high - low) for score in scores]


def _cosines(slate: Slate, context: Context, config: dict[str, Any]) -> list[list[float]]:
    if "model" in config:
        model: Any = context.models[config["model"]].model
        vectors = [model.items[row] / np.linalg.norm(model.items[row]) for row in slate.rows]
        return [[float(a @ b) for b in vectors] for a in vectors]
    sets = [_categories(context, row) for row in slate.rows]
    return [[len(a & b) / math.sqrt(len(a) * len(b)) for b in sets] for a in sets]


def _categories(context: Context, row: int) -> set[int]:
    categories = context.items.categories
    return set(categories.indices[categories.indptr[row] : categories.indptr[row + 1]].tolist())


def _greedy(slate: Slate, gain: Callable[[list[int], int], float]) -> list[int]:
    chosen: list[int] = []
    while len(chosen) < PLACES:
        rest = [number for number in range(len(slate)) if number not in chosen]
        chosen.append(max(rest, key=lambda number: gain(chosen, number)))
    return chosen


def _plain_mmr(slate: Slate, query: Query, context: Context, config: dict[str, Any]) -> list[int]:
    scores, alike = _unit(slate), _cosines(slate, context, config)
    return _greedy(
        slate,
        lambda chosen, i: (
            config["relevance"] * scores[i]
            - (1 - config["relevance"]) * max((alike[i][j] for j in chosen), default=0.0)
        ),
    )


def _plain_dpp(slate: Slate, query: Query, context: Context, config: dict[str, Any]) -> list[int]:
    """The determinant of every possible addition, from scratch."""
    scores = _unit(slate)
    kernel = config["likeness"] * np.array(_cosines(slate, context, config))
    np.fill_diagonal(kernel, 1.0)
    importance = config["theta"] / (1 - config["theta"])

    def gain(chosen: list[int], i: int) -> float:
        tried = [*chosen, i]
        return importance * scores[i] + float(np.linalg.slogdet(kernel[np.ix_(tried, tried)])[1])

    return _greedy(slate, gain)


def _plain_calibrate(slate: Slate, query: Query, context: Context, config: dict[str, Any]) -> list[int]:
    scores = _unit(slate)
    sets = [_categories(context, row) for row in slate.rows]

    def mix(all_sets: list[set[int]]) -> dict[int, float]:
        sums: dict[int, float] = {}
        for one in all_sets:
            for category in one:
                sums[category] = sums.get(category, 0.0) + 1 / len(one) / len(all_sets)
        return sums

    wanted = mix([_categories(context, row) for row in query.history.rows])

    def gain(chosen: list[int], i: int) -> float:
        found = mix([sets[j] for j in [*chosen, i]])
        far = sum(
            p * math.log(p / ((1 - config["smoothing"]) * found.get(category, 0.0) + config["smoothing"] * p))
            for category, p in wanted.items()
        )
        return (1 - config["weight"]) * scores[i] - config["weight"] * far

    return _greedy(slate, gain)


def _plain_cap(slate: Slate, query: Query, context: Context, config: dict[str, Any]) -> list[int]:
    sizes = np.diff(context.items.by_category.indptr)
    counted: dict[int, int] = {}
    kept: list[int] = []
    beyond: list[int] = []
    for number, row in enumerate(slate.rows):
        own = min(_categories(context, row), key=lambda category: (int(sizes[category]), category))
        counted[own] = counted.get(own, 0) + 1
        (kept if counted[own] <= config["most"] and len(kept) < PLACES else beyond).append(number)
    return kept + beyond


_PLAIN: dict[str, Callable[[Slate, Query, Context, dict[str, Any]], list[int]]] = {
    "mmr": _plain_mmr,
    "dpp": _plain_dpp,
    "calibrate": _plain_calibrate,
    "cap": _plain_cap,
}
