"""`manage.py evaluate [NAME …]`: how well models foresee what came next."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError

from apps.recommend import recipes
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.evaluation.evaluate import BASELINES, evaluate
from apps.recommend.engine.evaluation.splits import Split, temporal_split
from apps.recommend.engine.types import DAY, Interactions
from apps.recommend.recipes import Recipe, RecipeError
from apps.recommend.snapshot import Snapshot

SEED = 20_261_121


class Command(BaseCommand):
    help = (
        "Fit models on the past and ask them what users wanted next: temporal split, every item ranked, intervals "
        "by bootstrap over users, always beside popularity and item_knn. Trains and publishes nothing."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="a model of models.toml; none: all")
        parser.add_argument("--holdout-days", type=float, default=30.0, help="days at the end to foresee (30)")
        parser.add_argument("--at", help="split at this date (UTC, YYYY-MM-DD) instead")
        parser.add_argument("--k", type=int, nargs="+", default=[10], help="lengths of the lists (10)")
        parser.add_argument(
            "--new-only",
            action=argparse.BooleanOptionalAction,
            default=True,
            help="foresee only what is new to the user (default), or repetition too",
        )
        parser.add_argument("--events", nargs="+", help="event types to foresee; default: all that speak for an item")
        parser.add_argument("--users", type=int, metavar="N", help="test a random sample of N users")
        parser.add_argument("--seed", type=int, default=SEED)
        parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures to FILE")

    def handle(self, *args: Any, names: Sequence[str], **options: Any) -> None:
        if min(options["k"]) < 1:
            raise CommandError("--k counts from 1.")
        snapshot = Snapshot.now()
        try:
            chosen = _with_baselines([recipes.recipe(name) for name in names] or [*recipes.all_recipes().values()])
            split = _split(snapshot.interactions, options)
            texts = any(recipe.reads_texts for recipe in chosen.values())
            result = evaluate(
                {name: recipe.build() for name, recipe in chosen.items()},
                snapshot.interactions,
                snapshot.items_with_texts if texts else snapshot.items,
                split,
                seed=options["seed"],
                ks=sorted(set(options["k"])),
            )
        except RecipeError as problem:
            raise CommandError(str(problem)) from problem
        except NotEnoughData as lack:
            raise CommandError(f"An evaluation {lack}.") from lack
        self.stdout.write(str(result))
        if options["json"] is not None:
            options["json"].write_text(result.to_json() + "\n", encoding="utf-8")
            self.stdout.write(f"\nWritten to {options['json']}.")


def _with_baselines(chosen: Sequence[Recipe]) -> dict[str, Recipe]:
    """The baselines with their default parameters, then the chosen models that are something else."""
    baselines = {name: Recipe.of(name, name, {}) for name in BASELINES}
    digests = {recipe.digest for recipe in baselines.values()}
    return baselines | {recipe.name: recipe for recipe in chosen if recipe.digest not in digests}


def _split(interactions: Interactions, options: dict[str, Any]) -> Split:
    end = int(interactions.times.max(initial=0)) + 1
    at = int(end - options["holdout_days"] * DAY)
    if options["at"]:
        try:
            at = int(datetime.strptime(options["at"], "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
        except ValueError as problem:
            raise CommandError(f"--at is a date such as 2011-11-09, not {options['at']!r}.") from problem
    split = temporal_split(interactions, at=at, events=options["events"], new_only=options["new_only"])
    wanted = options["users"]
    if not wanted or wanted >= len(split.users):
        return split
    sample = np.sort(np.random.default_rng(options["seed"]).choice(len(split.users), wanted, replace=False))
    return replace(split, users=split.users[sample], truth=split.truth[sample], had=split.had[sample])
