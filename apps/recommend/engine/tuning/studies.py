"""Searches that can be broken off at any moment and taken up again: every trial is in a journal before the next begins.

K. Deb et al.: A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II, IEEE Trans. Evol. Comp. 6(2), 2002.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.recommend.engine.tuning.ranges import Range, Value, suggest

POPULATION = 24

Values = Mapping[str, Value]
Objective = Callable[[Values], tuple[float, ...]]


@dataclass(frozen=True)
class Tried:
    """One trial: its number, the values tried and what they achieved, one figure an objective, more is better."""

    number: int
    values: Values
    achieved: tuple[float, ...]


def search(
    journal: Path,
    name: str,
    space: Mapping[str, Range],
    objective: Objective,
    *,
    trials: int,
    objectives: int,
    seed: int,
    first: Sequence[Values] = (),
    go_on: Callable[[int], bool] = lambda done: True,
) -> list[Tried]:
    """Try `trials` sets of values from `space`, those of `first` before all others, and return all by number.

    Trials that `journal` holds under `name` are not repeated; one that was interrupted is finished first. What is
    tried depends on `seed` and the trials before, not on whether there was an interruption. With several objectives
    NSGA-II chooses, with one the tree-structured Parzen estimator. `go_on` is asked before each trial, with the
    number of those that are done; False ends the search.
    """
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    journal.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        backend = JournalFileBackend(str(journal))
        study = optuna.create_study(
            storage=optuna.storages.JournalStorage(backend),
            study_name=name,
            directions=["maximize"] * objectives,
            load_if_exists=True,
        )
    complete, running = optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.RUNNING
    for values in first:
        study.enqueue_trial(dict(values), skip_if_exists=True)
    for interrupted in study.get_trials(deepcopy=False, states=(running,)):
        if set(space) <= set(interrupted.params):
            study.tell(interrupted.number, objective(interrupted.params))
        else:  # broken off while it was made up: it has no values that could be tried
            study.tell(interrupted.number, state=optuna.trial.TrialState.FAIL)
    done = len(study.get_trials(deepcopy=False, states=(complete,)))
    while done < trials and go_on(done):
        study.sampler = _sampler(optuna, objectives, seed + len(study.get_trials(deepcopy=False)))
        trial = study.ask()
        values = {key: suggest(trial, key, within) for key, within in space.items()}
        study.tell(trial, objective(values))
        done += 1
    finished = study.get_trials(deepcopy=False, states=(complete,))
    return [Tried(one.number, dict(one.params), tuple(one.values)) for one in finished]


def forget(journal: Path) -> None:
    """Start from nothing: the next search under any name repeats no trial of before."""
    journal.unlink(missing_ok=True)


def _sampler(optuna: Any, objectives: int, seed: int) -> Any:
    """A sampler whose next draw depends on nothing but `seed` and the study's trials."""
    if objectives > 1:
        return optuna.samplers.NSGAIISampler(population_size=POPULATION, seed=seed)
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=5)
