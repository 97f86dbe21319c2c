"""From two files to figures: tune on a part of the first, fit on all of it, and read the second once, at the end."""

import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.benchmarks.accuracy.figures import Costs, Outcome, RecipeFigures, entry, paired
from apps.recommend.benchmarks.accuracy.holdout import HeldOut, hold_out
from apps.recommend.benchmarks.accuracy.mix import Candidates, Mix, tuned_mix
from apps.recommend.benchmarks.accuracy.parts import Asked, K, fitted, lists_of
from apps.recommend.benchmarks.accuracy.rules import Rules
from apps.recommend.benchmarks.accuracy.tuned import LISTED, Search, Tuned
from apps.recommend.benchmarks.lightgcn_file import read_pairs
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.merge import Lists
from apps.recommend.engine.progress import report
from apps.recommend.engine.tuning.studies import Values, forget
from apps.recommend.engine.types import Rows
from apps.recommend.memory import peak_mb, start_of_peak

TESTED = 5_000  # validation users a trial is judged by
MIX_TRIALS = 400
PARTS_SHARE, MIX_SHARE = 0.7, 0.85  # of the budget, when tuning parts and mix ends: the rest is for the last fit


class Unreadable(Exception):
    """A file that cannot be used. The message names it, where, and what was wanted."""


class _Clock:
    def __init__(self, minutes: float) -> None:
        self._started, self.seconds = time.monotonic(), 60 * minutes

    @property
    def spent(self) -> float:
        return time.monotonic() - self._started

    def left(self, share: float) -> bool:
        return self.spent < share * self.seconds


@dataclass(frozen=True, eq=False)
class _Recipe:
    """All that is decided, before the test file is looked at."""

    parameters: Mapping[str, Values]  # of every entrant
    mix: Mix
    validation_pairs: int
    seconds: float
    cut_short: list[str]


@dataclass(frozen=True, eq=False)
class _Ranked:
    """What the entrants and the blend recommend to every user of the training file."""

    lists: Mapping[str, Rows]
    costs: Mapping[str, Costs]
    blended: Rows
    blend_seconds: float


def hold(train_file: Path, test_file: Path, rules: Rules, out: Path | None = None) -> Outcome:
    """Everything, in this order: read, hold out, tune, mix, refit, rank, read the test file, measure.

    Nothing that depends on the test file is decided. Trials are noted in a journal beside `out`, which a run after an
    interruption takes up and which goes when all is done. Raises Unreadable for files, NotEnoughData where there is
    nothing to learn from.
    """
    if not test_file.is_file():
        raise Unreadable(f"{test_file} is no file.")  # not after half an hour
    had = _pairs(train_file)
    if not had.nnz:
        raise NotEnoughData("users with items in the training file", 0, 1)
    with TemporaryDirectory() as scratch:
        journal = Path(scratch) / "journal" if out is None else out.with_name(out.name + ".journal")
        recipe = _decided(had, rules, journal)
        ranked = _ranked(had, recipe, rules.seed)
        forget(journal)
    return _measured(train_file, test_file, had, recipe, ranked, rules)


def _decided(had: sparse.csr_matrix, rules: Rules, journal: Path) -> _Recipe:
    clock = _Clock(rules.budget_minutes)
    only = rules.entrants[0]
    if len(rules.entrants) == 1 and not rules.trials_of(only, had.nnz):
        alone = {only: 1.0}  # there is nothing to decide
        return _Recipe({only: rules.fixed_of(only)}, Mix(alone, alone, 1.0), 0, clock.spent, [])
    held = hold_out(had, rules.validation_fraction, np.random.default_rng([rules.seed, 1]))
    asked = _validation(held, rules.seed)
    content = hashlib.blake2b(had.indices.tobytes() + had.indptr.tobytes(), digest_size=8).hexdigest()
    study = f"{content} {rules.validation_fraction} {rules.seed} {sorted(rules.fixed.items())}"
    cut_short: list[str] = []
    parts: dict[str, Tuned] = {}
    for number, name in enumerate(rules.entrants, start=1):
        share = PARTS_SHARE * number / len(rules.entrants)
        trials = rules.trials_of(name, had.nnz)
        search = Search(name, rules.fixed_of(name), held.train, asked, rules.seed)
        found = search.tuned(trials, journal, f"{study} {name}", partial(clock.left, share))
        if found is None:
            cut_short.append(f"{name}: there is not enough memory for it")
            continue
        parts[name] = found
        if search.best is not None and found.trials < trials:
            cut_short.append(f"{trials - found.trials} of {trials} sets of parameters of {name}: no time")
        if found.too_large:
            cut_short.append(f"{found.too_large} of {trials} sets of parameters of {name}: not enough memory")
    if not parts:
        raise MemoryError("there is not enough memory for any of the algorithms")
    names = list(parts)
    mix = Mix({names[0]: 1.0}, {names[0]: 1.0}, 1.0)
    if len(names) > 1:
        candidates = Candidates.of([part.lists for part in parts.values()], np.diff(asked.histories.indptr))
        mix, tried = tuned_mix(
            names,
            candidates,
            asked,
            trials=MIX_TRIALS,
            journal=journal,
            study=f"{study} {[(name, part.parameters) for name, part in parts.items()]}",
            seed=rules.seed,
            go_on=lambda: clock.left(MIX_SHARE),
        )
        if tried < MIX_TRIALS:
            cut_short.append(f"{MIX_TRIALS - tried} of {MIX_TRIALS} sets of weights: no time")
    parameters = {name: part.parameters for name, part in parts.items()}
    return _Recipe(parameters, mix, int(held.validation.nnz), clock.spent, cut_short)


def _validation(held: HeldOut, seed: int) -> Asked:
    tested = np.flatnonzero(np.diff(held.validation.indptr))
    if not len(tested):
        raise NotEnoughData("users with enough items to hold some of them out", 0, 1)
    if len(tested) > TESTED:
        tested = np.sort(np.random.default_rng([seed, 2]).choice(tested, TESTED, replace=False))
    return Asked(held.train[tested], held.validation[tested])


def _ranked(had: sparse.csr_matrix, recipe: _Recipe, seed: int) -> _Ranked:
    """Everybody in the training file is ranked for, since who is tested is not known yet."""
    ranked: dict[str, Lists] = {}
    costs: dict[str, Costs] = {}
    for number, (name, values) in enumerate(recipe.parameters.items()):
        report(f"fit {name} on all", number, len(recipe.parameters))
        start_of_peak()
        model, fit_seconds = fitted(name, values, had, seed)
        started = time.perf_counter()
        ranked[name] = lists_of(model, had, LISTED if name in recipe.mix.warm else K)
        costs[name] = Costs(fit_seconds, time.perf_counter() - started, peak_mb())
        del model
    started = time.perf_counter()
    candidates = Candidates.of([ranked[name] for name in recipe.mix.warm], np.diff(had.indptr))
    blended = candidates.ranked(recipe.mix.weights())
    lists = {name: one.rows[:, :K] for name, one in ranked.items()}
    return _Ranked(lists, costs, blended, time.perf_counter() - started)


def _measured(
    train_file: Path, test_file: Path, had: sparse.csr_matrix, recipe: _Recipe, ranked: _Ranked, rules: Rules
) -> Outcome:
    truth, strangers = _truth(test_file, had)
    users = np.flatnonzero(np.diff(truth.indptr))
    if not len(users):
        raise NotEnoughData("users of the training file with other items in the test file", 0, 1)
    exam = Asked(had[users], truth[users])
    n_items = len(np.unique(had.indices))
    achieved = {name: exam.per_user(rows[users]) for name, rows in ranked.lists.items()}
    results = [
        entry(name, achieved[name], rows[users], n_items, ranked.costs[name], recipe.parameters[name], rules.seed)
        for name, rows in ranked.lists.items()
    ]
    best = max(results, key=lambda one: one.recall.mean + one.ndcg.mean).algorithm
    of_blend = exam.per_user(ranked.blended[users])
    fit_seconds = sum(ranked.costs[name].fit_seconds for name in recipe.mix.warm)
    costs = Costs(fit_seconds, ranked.blend_seconds, max(one.peak_mb for one in ranked.costs.values()))
    took = recipe.seconds + fit_seconds
    over = (
        [f"tuning and fitting took {took / 60:.1f} minutes, more than the budget"]
        if took > 60 * rules.budget_minutes
        else []
    )
    return Outcome(
        dataset={
            "train": train_file.name,
            "test": test_file.name,
            "users": int((np.diff(had.indptr) > 0).sum()),
            "items": n_items,
            "train_pairs": int(had.nnz),
            "test_pairs": int(truth.nnz),
            "validation_pairs": recipe.validation_pairs,
            "tested_users": len(users),
            "test_users_without_history": strangers,
            "cores": os.cpu_count() or 1,
        },
        results=results,
        recipe=RecipeFigures(
            mix=recipe.mix,
            measured=entry("recipe", of_blend, ranked.blended[users], n_items, costs, {}, rules.seed),
            tune_seconds=recipe.seconds,
            best_part=best,
            minus={name: paired(of_blend, theirs, rules.seed) for name, theirs in achieved.items()},
        ),
        cut_short=[*recipe.cut_short, *over],
    )


def _pairs(file: Path) -> sparse.csr_matrix:
    try:
        users, items = read_pairs(file)
    except (OSError, EOFError, ValueError, OverflowError) as problem:
        raise Unreadable(str(problem) if str(file) in str(problem) else f"{file}: {problem}") from problem
    shape = (int(users.max(initial=-1)) + 1, int(items.max(initial=-1)) + 1)
    matrix = sparse.csr_matrix((np.ones(len(users), np.float32), (users, items)), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return matrix


def _truth(file: Path, had: sparse.csr_matrix) -> tuple[sparse.csr_matrix, int]:
    """What the test file adds, users of `had` x all items; and how many of its users have no history."""
    test = _pairs(file)
    users, items = test.nonzero()
    known: NDArray[np.bool_] = np.zeros(max(test.shape[0], had.shape[0]), dtype=bool)
    known[: had.shape[0]] = np.diff(had.indptr) > 0
    strangers = len(np.unique(users[~known[users]]))
    users, items = users[known[users]], items[known[users]]
    shape = (had.shape[0], max(test.shape[1], had.shape[1]))
    truth = sparse.csr_matrix((np.ones(len(users), np.float32), (users, items)), shape=shape)
    wide = sparse.csr_matrix((had.data, had.indices, had.indptr), shape=shape)
    truth = (truth - truth.multiply(wide)).tocsr()
    truth.eliminate_zeros()
    truth.sort_indices()
    return truth, strangers
