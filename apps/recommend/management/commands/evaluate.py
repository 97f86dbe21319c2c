"""`manage.py evaluate [NAME …]`: how well models and pipelines foresee what came next."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.recommend import evaluating, recipes
from apps.recommend.contestants import Contestant, UnknownContestant, contestant
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.evaluation.newest_first import NewestFirst
from apps.recommend.engine.evaluation.tables import report_text
from apps.recommend.engine.progress import OutOfTime
from apps.recommend.recipes import Recipe, RecipeError

NEWEST, CONTENT = "newest_first", "content_knn"


class Command(BaseCommand):
    help = (
        "Fit models on the past and ask them what users wanted next: every item ranked, intervals by bootstrap over "
        "users, always beside popularity and item_knn. Trains and publishes nothing."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "names",
            nargs="*",
            metavar="NAME",
            help="a model of models.toml, pipeline:NAME or pipeline:FILE.toml; none: all models",
        )
        evaluating.add_arguments(parser)

    def handle(self, *args: Any, names: Sequence[str], **options: Any) -> None:
        try:
            chosen = [contestant(name) for name in names or recipes.all_recipes()]
            always = [Contestant.of(recipe) for recipe in recipes.baselines().values()]
            against = [one.name for one in always]
            if options["new_items"] is not None:
                always += [Contestant(NEWEST, NewestFirst()), Contestant.of(Recipe.of(CONTENT, "content", {}))]
            report = evaluating.run(
                f"Evaluation of {', '.join(names)}" if names else "Evaluation of all models",
                _different([*always, *chosen]),
                options,
                against=lambda task: [NEWEST, CONTENT] if task in evaluating.NEW_ITEMS else against,
            )
        except (RecipeError, UnknownContestant) as problem:
            raise CommandError(str(problem)) from problem
        except NotEnoughData as lack:
            raise CommandError(f"An evaluation {lack}.") from lack
        except OutOfTime as over:
            raise CommandError(f"Nothing to show: {over}. Allow more --budget-minutes, or name fewer models.") from over
        self.stdout.write(report_text(report))
        evaluating.write(report, options, self)


def _different(contestants: Sequence[Contestant]) -> list[Contestant]:
    """Each name once, and no model twice under two names: the first stays, and a note says what it also is."""
    found: dict[str, Contestant] = {}
    for one in contestants:
        same = [other.name for other in found.values() if one.parameters and one.parameters == other.parameters]
        if not same:
            found.setdefault(one.name, one)
        elif same[0] != one.name:
            twin = found[same[0]]
            note = f"{one.name} is the same model as {twin.name}."
            found[twin.name] = replace(twin, notes=(*twin.notes, note))
    return list(found.values())
