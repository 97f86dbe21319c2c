"""`manage.py tune PIPELINE`: the weights and parameters with which a pipeline foresees best."""

import argparse
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.progress import listening
from apps.recommend.memory import limit_memory
from apps.recommend.recipes import RecipeError
from apps.recommend.snapshot import Snapshot
from apps.recommend.tuning import CannotTune, Wish, default_path, tune_pipeline
from apps.recommend.tuning_report import table


class Command(BaseCommand):
    help = (
        "Tune a pipeline on what users wanted in the past: the weights of its sources, how they change with a user's "
        "history, and its models' own parameters. NSGA-II, for NDCG@10 and coverage@10, on validation windows; the "
        "last days are left alone, so that `evaluate` can test the result on them. Writes TOML, trains and publishes "
        "nothing."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        wish = Wish("")
        parser.add_argument("pipeline", metavar="PIPELINE", help="a pipeline, such as home")
        parser.add_argument("--with", nargs="+", default=[], dest="added", metavar="MODEL", help="models to try beside")
        parser.add_argument("--trials", type=int, default=wish.trials, help=f"sets of weights ({wish.trials})")
        parser.add_argument(
            "--part-trials", type=int, default=wish.part_trials, metavar="N",
            help=f"sets of parameters for each model; 0: leave them ({wish.part_trials})",
        )  # fmt: skip
        parser.add_argument("--budget-minutes", type=float, metavar="M", help="stop after M minutes with what there is")
        parser.add_argument("--cutoffs", type=int, default=wish.cutoffs, help=f"validation windows ({wish.cutoffs})")
        parser.add_argument(
            "--window-days", type=float, default=wish.window_days, metavar="DAYS",
            help=f"days of each window ({wish.window_days:g})",
        )  # fmt: skip
        parser.add_argument(
            "--holdout-days", type=float, default=wish.holdout_days, metavar="DAYS",
            help=f"days at the end that are not looked at ({wish.holdout_days:g})",
        )  # fmt: skip
        parser.add_argument("--final", action="store_true", help="look at all days: for use, not for testing")
        parser.add_argument(
            "--users", type=int, default=wish.users, metavar="N", help=f"at most, a window ({wish.users})"
        )
        parser.add_argument("--out", type=Path, metavar="FILE", help="the TOML file; default: where it is then served")
        parser.add_argument("--resume", action="store_true", help="go on with the trials of an interrupted tuning")
        parser.add_argument("--memory-gb", type=float, metavar="GB", help="use no more; what needs more is left out")
        parser.add_argument("--seed", type=int, default=wish.seed)

    def handle(self, *args: Any, pipeline: str, **options: Any) -> None:
        for name in ("trials", "cutoffs", "users"):
            if options[name] < 1:
                raise CommandError(f"--{name} counts from 1.")
        if options["memory_gb"] is not None:
            if not options["memory_gb"] > 0:
                raise CommandError("--memory-gb must be more than 0.")
            limit_memory(options["memory_gb"])
        wish = Wish(
            pipeline=pipeline,
            added=options["added"],
            trials=options["trials"],
            part_trials=max(options["part_trials"], 0),
            minutes=options["budget_minutes"],
            cutoffs=options["cutoffs"],
            window_days=options["window_days"],
            holdout_days=0.0 if options["final"] else options["holdout_days"],
            users=options["users"],
            resume=options["resume"],
            seed=options["seed"],
        )
        with tqdm(total=1, leave=False, disable=None, file=sys.stderr) as bar:

            def show(what: str, done: int, total: int) -> None:
                bar.set_description(what, refresh=False)
                bar.total, bar.n = total, done
                bar.refresh()

            try:
                with listening(show):
                    result = tune_pipeline(wish, Snapshot.now())
            except (CannotTune, RecipeError) as problem:
                raise CommandError(str(problem)) from problem
            except NotEnoughData as lack:
                raise CommandError(f"Tuning {lack}.") from lack
            except MemoryError as lack:
                raise CommandError("Out of memory. Trials so far are kept: --resume goes on with them.") from lack
        self.stdout.write(table(result))
        written = result.write(options["out"] or default_path(pipeline))
        self.stdout.write(f"\nWritten to {' and '.join(map(str, written))}.")
