"""`manage.py compare A B`: whether one model or pipeline is better than another, and how sure that is."""

import argparse
from dataclasses import replace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.recommend import evaluating
from apps.recommend.contestants import UnknownContestant, contestant
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.evaluation.tables import comparison_text, report_text, verdicts
from apps.recommend.engine.progress import OutOfTime
from apps.recommend.recipes import RecipeError


class Command(BaseCommand):
    help = (
        "Fit two models or pipelines on the past, ask both what the same users wanted next, and tell whether A is "
        "better than B: paired differences with intervals, a permutation test, who won for how many users. "
        "Trains and publishes nothing."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        what = "a model of models.toml, pipeline:NAME or pipeline:FILE.toml"
        parser.add_argument("a", metavar="A", help=what)
        parser.add_argument("b", metavar="B", help=what)
        evaluating.add_arguments(parser)

    def handle(self, *args: Any, a: str, b: str, **options: Any) -> None:
        if a == b:
            raise CommandError(f"{a} is the same as {b}: name two.")
        try:
            both = [contestant(a), contestant(b)]
            report = evaluating.run(f"{a} against {b}", both, options, against=lambda task: [b])
        except (RecipeError, UnknownContestant) as problem:
            raise CommandError(str(problem)) from problem
        except NotEnoughData as lack:
            raise CommandError(f"A comparison {lack}.") from lack
        except OutOfTime as over:
            raise CommandError(f"Nothing to show: {over}. Allow more --budget-minutes.") from over
        for evaluation in report.tasks.values():
            for model, why in evaluation.skipped.items():
                raise CommandError(f"{model} cannot be compared: it {why}.")
        report = replace(report, verdicts={name: verdicts(one, a, b) for name, one in report.tasks.items()})
        self.stdout.write(report_text(report, lambda evaluation: comparison_text(evaluation, a, b)))
        evaluating.write(report, options, self)
