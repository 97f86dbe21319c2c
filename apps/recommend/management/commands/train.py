"""`manage.py train [NAME …]`: train models here and now."""

import argparse
import getpass
import sys
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from apps.recommend import publish, recipes
from apps.recommend.recipes import RecipeError
from apps.recommend.snapshot import Snapshot
from apps.recommend.train import TrainingOutcome, train_model


class Command(BaseCommand):
    help = (
        "Train the named models, or all of models.toml, in this process, and activate each new version unless it is "
        "clearly worse than the active one. Ends with 1 if a model was refused or failed."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="a model of models.toml; none: all")
        parser.add_argument("--force", action="store_true", help="activate even what is clearly worse")
        parser.add_argument("--list", action="store_true", help="only list the models and their active versions")

    def handle(self, *args: Any, names: Sequence[str], force: bool, **options: Any) -> None:
        try:
            known = recipes.all_recipes()
            chosen = [recipes.recipe(name).name for name in names] or list(known)
        except RecipeError as problem:
            raise CommandError(str(problem)) from problem
        if options["list"]:
            active = publish.active_versions()
            for name in chosen:
                self.stdout.write(f"{name:<20} {known[name].algorithm:<12} {active.get(name, '-')}")
            return
        snapshot = Snapshot.now()  # one for all: read once, and all models know the same
        outcomes = [self._train(name, force=force, snapshot=snapshot) for name in dict.fromkeys(chosen)]
        bad = [outcome.model for outcome in outcomes if not outcome.good]
        if bad:
            raise CommandError(f"{len(bad)} of {len(outcomes)} not trained: {', '.join(bad)}.")

    def _train(self, name: str, *, force: bool, snapshot: Snapshot) -> TrainingOutcome:
        with tqdm(
            total=100, desc=name, bar_format="{desc}: {percentage:3.0f}% |{bar:30}| {postfix} {elapsed}", leave=False,
            disable=None, file=sys.stderr,
        ) as bar:  # fmt: skip

            def show(step: str, progress: float) -> None:
                bar.set_postfix_str(step, refresh=False)
                bar.update(100 * progress - bar.n)

            outcome = train_model(
                name, requested_by=f"manage.py ({getpass.getuser()})", force=force, snapshot=snapshot, watcher=show
            )
        style = self.style.SUCCESS if outcome.good else self.style.ERROR
        self.stdout.write(f"{name}: {style(outcome.status)}. {outcome.message}")
        return outcome
