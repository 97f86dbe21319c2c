"""What training our iALS costs beside implicit's ALS on the same matrix: a file in LightGCN's text form."""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from apps.recommend.benchmarks.lightgcn_file import as_interactions, read_pairs
from apps.recommend.engine.algorithms.als import AlsModel
from apps.recommend.engine.algorithms.ials import Ials
from apps.recommend.engine.evaluation import evaluate
from apps.recommend.engine.evaluation.splits import Split, given_split
from apps.recommend.engine.products import unit_rows
from apps.recommend.engine.protocols import Model
from apps.recommend.engine.types import Items

DEPTH = 20  # recommended items that the accuracy looks at

NO_ITEMS = Items(  # ALS does not look at them
    ids=np.empty(0, np.int64),
    available=np.empty(0, bool),
    price=np.empty(0),
    published=np.empty(0, np.int64),
    categories=sparse.csr_matrix(np.empty((0, 0), np.float32)),
    category_ids=np.empty(0, np.int64),
    parents=np.empty(0, np.int32),
)


@dataclass(frozen=True)
class AlsFigures:
    """Medians over `rounds`, in seconds. Accuracy is of the last fit, all items ranked; None without a test file.

    `fit_seconds` is from interactions to a model, `implicit_seconds` implicit's `fit` alone, of a ready matrix.
    """

    users: int
    items: int
    pairs: int
    factors: int
    iterations: int
    threads: int
    rounds: int
    fit_seconds: float
    implicit_seconds: float
    recall: float | None
    ndcg: float | None
    implicit_recall: float | None
    implicit_ndcg: float | None

    @property
    def ratio(self) -> float:
        """Our cost as a share of implicit's."""
        return self.fit_seconds / self.implicit_seconds


def measure(
    train_file: Path,
    test_file: Path | None,
    factors: int,
    iterations: int,
    rounds: int,
    say: Callable[[str], None],
) -> AlsFigures:
    """Fit both in turn, `rounds` times, each with its own default regularisation, and rank for everybody in the test.

    Files: `user item item …` a line, plain or gzip. Raises ValueError for a line that is not numbers.
    """
    from implicit.cpu.als import AlternatingLeastSquares

    train = read_pairs(train_file)
    test = None if test_file is None else read_pairs(test_file)
    n_users, n_items = (int(max(part[axis].max(initial=-1) for part in (train, test) if part)) + 1 for axis in (0, 1))
    interactions = as_interactions(train, n_users, n_items)
    threads = os.cpu_count() or 1
    ours = Ials(Ials.Config(factors=factors, iterations=iterations, num_threads=threads))
    first_event = interactions.select(np.arange(len(interactions)) < 1)
    ours.fit(first_event, NO_ITEMS, np.random.default_rng(0))  # compiles
    matrix = interactions.matrix()
    seconds: list[float] = []
    implicit_seconds: list[float] = []
    for number in range(rounds):
        started = time.perf_counter()
        model = ours.fit(interactions, NO_ITEMS, np.random.default_rng(number))
        seconds.append(time.perf_counter() - started)
        learner = AlternatingLeastSquares(
            factors=factors, iterations=iterations, num_threads=threads, random_state=number
        )
        with threadpool_limits(1, "blas"):  # implicit has threads of its own
            started = time.perf_counter()
            learner.fit(matrix, show_progress=False)
            implicit_seconds.append(time.perf_counter() - started)
        say(f"round {number + 1} of {rounds}: {seconds[-1]:.2f} s, implicit {implicit_seconds[-1]:.2f} s")
    recall, ndcg, implicit_recall, implicit_ndcg = None, None, None, None
    if test is not None:
        say("ranking all items for everybody in the test file …")
        split = given_split(interactions, as_interactions(test, n_users, n_items))
        recall, ndcg = _accuracy(model, split)
        implicit_recall, implicit_ndcg = _accuracy(_as_model(learner), split)
    return AlsFigures(
        users=n_users,
        items=n_items,
        pairs=int(matrix.nnz),
        factors=factors,
        iterations=iterations,
        threads=threads,
        rounds=rounds,
        fit_seconds=statistics.median(seconds),
        implicit_seconds=statistics.median(implicit_seconds),
        recall=recall,
        ndcg=ndcg,
        implicit_recall=implicit_recall,
        implicit_ndcg=implicit_ndcg,
    )


def _accuracy(model: Model, split: Split) -> tuple[float, float]:
    """Mean Recall and NDCG at DEPTH over the users of the test file, their training items left out."""
    measured = evaluate.measure(
        model,
        split,
        n_items=split.train.n_items,
        ks=(DEPTH,),
        metrics=("recall", "ndcg"),
        history_limit=None,
    )
    recall, ndcg = (float(measured.per_user[name, DEPTH].mean()) for name in ("recall", "ndcg"))
    return round(recall, 5), round(ndcg, 5)


def _as_model(learner: Any) -> AlsModel:
    """What implicit learned, users folded in by its own equation."""
    factors = np.ascontiguousarray(learner.item_factors, dtype=np.float32)
    wide = factors.astype(np.float64)
    return AlsModel(
        item_ids=np.arange(len(factors), dtype=np.int64),
        factors=factors,
        unit_factors=unit_rows(factors),
        gram=wide.T @ wide + learner.regularization * np.eye(factors.shape[1]),
        alpha=0.0,
    )
