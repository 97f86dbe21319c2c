"""How long session-kNN takes to answer from many past sessions, beside looking at all of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.algorithms.session_knn import FADING, SessionKnn, SessionKnnModel
from apps.recommend.engine.types import DAY, EventWorth, Evidence, Interactions, Items, Query

DAYS = 90
MEAN_LENGTH = 5.0  # events of a session; at least 2
SKEW = 3.0  # item = items x uniform ** SKEW: one in a hundred items has a fifth of all events
BASELINE_SHARE = 0.02  # of the queries: looking at all sessions is slow
SEED = 20_240_501


@dataclass(frozen=True)
class SessionFigures:
    """Times of one answer in milliseconds, one thread, arrays memory-mapped; each scores every item."""

    sessions: int
    items: int
    events: int
    queries: int
    fit_seconds: float
    model_mib: float
    median_ms: float
    p99_ms: float
    baseline_median_ms: float

    @property
    def ratio(self) -> float:
        """How many times as fast as looking at every session."""
        return self.baseline_median_ms / self.median_ms


def measure(sessions: int, items: int, queries: int, say: Callable[[str], None]) -> SessionFigures:
    """Make up a world of that size, learn from it, and ask about current sessions of the same kind."""
    rng = np.random.default_rng(SEED)
    say(f"making up {sessions:,} sessions …")
    world = _world(rng, sessions, items)
    say(f"learning from {len(world):,} events …")
    started = time.perf_counter()
    learned = SessionKnn(SessionKnn.Config()).fit(world, _catalog(items), rng)
    fit_seconds = time.perf_counter() - started
    asked = [_current(rng, learned) for _ in range(queries)]
    rows = np.arange(len(learned.item_ids), dtype=np.int32)
    with TemporaryDirectory() as folder:
        model, size = _mapped(learned, Path(folder))
        say(f"asking {queries:,} times …")
        for query in asked[:20]:
            model.score(query, rows)
        taken = [_milliseconds(partial(model.score, query, rows)) for query in asked]
    say("looking at every session …")
    matrix = _matrix(learned)
    few = asked[: max(1, int(queries * BASELINE_SHARE))]
    slow = [_milliseconds(partial(_brute_force, learned, matrix, query)) for query in few]
    return SessionFigures(
        sessions=len(learned.session_times),
        items=len(learned.item_ids),
        events=len(world),
        queries=queries,
        fit_seconds=round(fit_seconds, 1),
        model_mib=round(size / 2**20, 1),
        median_ms=round(float(np.median(taken)), 3),
        p99_ms=round(float(np.quantile(taken, 0.99)), 3),
        baseline_median_ms=round(float(np.median(slow)), 2),
    )


def _world(rng: np.random.Generator, sessions: int, items: int) -> Interactions:
    lengths = 1 + rng.geometric(1 / (MEAN_LENGTH - 1), sessions)
    session = np.repeat(np.arange(sessions, dtype=np.int32), lengths)
    count = len(session)
    starts = rng.integers(0, DAYS * DAY, sessions)
    ranks = np.arange(count) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    shuffled = rng.permutation(items).astype(np.int32)  # an item's number says nothing about its popularity
    return Interactions(
        user_ids=np.arange(1, sessions + 1, dtype=np.int64),
        item_ids=np.arange(1, items + 1, dtype=np.int64),
        users=session,
        items=shuffled[(items * rng.random(count) ** SKEW).astype(np.int32)],
        sessions=session,
        types=np.ones(count, np.int16),
        times=starts[session] + 30 * ranks,
        quantities=np.ones(count, np.int32),
        values=np.full(count, np.nan, np.float32),
        worth={1: EventWorth("view_item", True, 1.0, 365.0)},
        as_of=(DAYS + 1) * DAY,
    )


def _catalog(items: int) -> Items:
    return Items(
        ids=np.arange(1, items + 1, dtype=np.int64),
        available=np.ones(items, dtype=bool),
        price=np.full(items, np.nan),
        published=np.zeros(items, dtype=np.int64),
        categories=sparse.csr_matrix(np.empty((items, 0), dtype=np.float32)),
        category_ids=np.empty(0, dtype=np.int64),
        parents=np.full(items, -1, dtype=np.int32),
    )


def _current(rng: np.random.Generator, model: SessionKnnModel) -> Query:
    """A past session's items, with some of another's: seldom do two people do exactly the same."""
    first, second = rng.integers(0, len(model.session_times), 2)
    rows = [model.session_items[model.session_ends[one] : model.session_ends[one + 1]] for one in (first, second)]
    return Query(history=Evidence.of_rows(np.concatenate([rows[0], rows[1][:2]])))


def _mapped(model: SessionKnnModel, folder: Path) -> tuple[SessionKnnModel, int]:
    """The model as serving has it, and its bytes."""
    arrays = {}
    for name, array in model.to_arrays().items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
        arrays[name] = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
    return SessionKnnModel.from_arrays(arrays), sum(array.nbytes for array in arrays.values())


def _milliseconds(answer: Callable[[], object]) -> float:
    started = time.perf_counter()
    answer()
    return (time.perf_counter() - started) * 1000


def _matrix(model: SessionKnnModel) -> sparse.csr_matrix:
    ones = np.ones(len(model.session_items), dtype=np.float32)
    shape = (len(model.session_times), len(model.item_ids))
    return sparse.csr_matrix((ones, model.session_items, model.session_ends), shape=shape)


def _brute_force(model: SessionKnnModel, matrix: sparse.csr_matrix, query: Query) -> NDArray[np.float32]:
    """The same neighbourhood out of the likeness of all sessions, by sparse products."""
    settings = model.settings
    current = query.evidence.rows[: settings.recent]
    vector = np.zeros(matrix.shape[1], dtype=np.float32)
    vector[current] = FADING[settings.weighting](np.arange(len(current), dtype=np.float64), len(current))
    likeness = matrix @ vector
    nearest = np.argpartition(-likeness, min(settings.k, len(likeness)) - 1)[: settings.k]
    return np.asarray(matrix[nearest].T @ likeness[nearest] * model.rarity, dtype=np.float32)
