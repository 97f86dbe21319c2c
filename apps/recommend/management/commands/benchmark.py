"""`manage.py benchmark WHAT`: speed and accuracy on this machine, each beside a baseline of the same run."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from apps.recommend.benchmarks import als, diversity, matrix, rerank, sessions
from apps.recommend.benchmarks.accuracy import contest
from apps.recommend.benchmarks.accuracy.page import page
from apps.recommend.benchmarks.accuracy.rules import ENTRANTS, rules_of
from apps.recommend.benchmarks.serving import plot
from apps.recommend.benchmarks.serving import run as serving
from apps.recommend.benchmarks.serving.plan import SCENARIOS, plan_of
from apps.recommend.benchmarks.serving.processes import Failed
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.progress import listening
from apps.recommend.memory import limit_memory

Say = Callable[[str], None]


class Command(BaseCommand):
    help = "Measure speed or accuracy on this machine, beside a baseline of the same run. No shop's data is changed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        kinds = parser.add_subparsers(dest="what", required=True, metavar="WHAT")

        def kind(name: str, help_text: str) -> ArgumentParser:
            made: ArgumentParser = kinds.add_parser(name, help=help_text, description=help_text)
            return made

        one = kind("accuracy", "how accurate algorithms and their blend are on a split given as two files")
        pairs = "`user item item …` a line, whole numbers, plain or gzip"
        one.add_argument("--train", type=Path, required=True, metavar="FILE", help=pairs)
        one.add_argument("--test", type=Path, required=True, metavar="FILE", help="the same; read once, at the end")
        one.add_argument("--validation-fraction", type=float, default=0.1, metavar="SHARE", help="held out (0.1)")
        one.add_argument("--budget-minutes", type=float, default=30.0, metavar="M", help="to tune and fit (30)")
        one.add_argument("--memory-gb", type=float, default=16.0, metavar="GB", help="of memory, at most (16)")
        one.add_argument("--algorithms", default=",".join(ENTRANTS), metavar="A,B", help="default: %(default)s")
        one.add_argument("--set", nargs="+", default=[], metavar="ALGORITHM.PARAMETER=VALUE", help="fixed, not tuned")
        one.add_argument("--trials", type=int, metavar="N", help="of each algorithm; 0: nothing is tuned")
        one.add_argument("--seed", type=int, default=0)
        one.add_argument("--out", type=Path, metavar="FILE", help="write all figures here, as JSON")
        one.add_argument("--html", type=Path, metavar="FILE", help="write a page with plots here")
        one.add_argument("--markdown", type=Path, metavar="FILE", help="write the table here, for documents")

        one = kind("als", "what our iALS costs beside implicit's ALS on the same matrix")
        one.add_argument("--train", type=Path, required=True, metavar="FILE", help=pairs)
        one.add_argument("--test", type=Path, metavar="FILE", help="the same; to compare accuracy, too")
        one.add_argument("--factors", type=int, default=64)
        one.add_argument("--iterations", type=int, default=15)
        self._rounds_and_json(one)

        one = kind("matrix", "from stored events to the users x items matrix, in a scratch database")
        one.add_argument("--events", type=int, default=5_000_000, metavar="N", help="events to write (5,000,000)")
        self._rounds_and_json(one)

        one = kind("rerank", "what the diversity stages cost for 200 candidates")
        self._rounds_and_json(one, rounds=200)

        one = kind("sessions", "how fast session_knn answers from many past sessions")
        one.add_argument("--sessions", type=int, default=1_000_000, metavar="N", help="past sessions (1,000,000)")
        one.add_argument("--items", type=int, default=100_000, metavar="N", help="items (100,000)")
        one.add_argument("--queries", type=int, default=2_000, metavar="N", help="questions (2,000)")
        one.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")

        one = kind("diversity", "what diversity stages gain and cost in this shop's recommendations")
        one.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")

        one = kind("serving", "what serving costs over HTTP, beside plain views on the same server; makes its own shop")
        what = "; ".join(f"{name}: {about}" for name, about in SCENARIOS.items())
        one.add_argument("--scenario", default="", metavar="A,B", help=f"all of them unless said. {what}")
        one.add_argument("--items", default="50000", metavar="N,M", help="sizes of catalog (50000; also try 1000000)")
        one.add_argument("--rounds", type=int, metavar="N", help="of each load; medians count (5)")
        one.add_argument("--seconds", type=float, metavar="S", help="each load of a round takes (8)")
        one.add_argument("--mixed-seconds", type=float, metavar="S", help="the load at a constant rate takes (600)")
        one.add_argument("--workers", type=int, default=2, metavar="N", help="server processes (2)")
        one.add_argument("--cores", type=int, default=2, metavar="N", help="cores for everything together (2)")
        one.add_argument("--quick", action="store_true", help="as little as possible: only to see that it works")
        one.add_argument(
            "--folder", type=Path, metavar="DIR", help="for scratch files (the system's); 1000000 items need 12 GB"
        )
        one.add_argument("--out", type=Path, metavar="FILE", help="write everything measured here, as JSON")
        one.add_argument("--plot", type=Path, metavar="FILE", help="draw the figures here (.svg, .png)")

    @staticmethod
    def _rounds_and_json(parser: ArgumentParser, rounds: int = 3) -> None:
        parser.add_argument(
            "--rounds", type=int, default=rounds, metavar="N", help=f"measurements; the median counts ({rounds})"
        )
        parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")

    def handle(self, *args: Any, what: str, **options: Any) -> None:
        with tqdm(total=1, leave=False, disable=None, file=sys.stderr) as bar:

            def show(step: str, done: int, total: int) -> None:
                bar.set_description(step, refresh=False)
                bar.total, bar.n = total, done
                bar.refresh()

            try:
                with listening(show):
                    getattr(self, f"_{what}")(options)
            except NotEnoughData as lack:
                raise CommandError(f"A benchmark of this {lack}.") from lack
            except MemoryError as lack:
                raise CommandError(f"Out of memory: {lack}. Allow more --memory-gb, or fewer --algorithms.") from lack
            except (contest.Unreadable, Failed, ValueError, OSError) as problem:
                raise CommandError(str(problem)) from problem

    def _say(self, text: str) -> None:
        tqdm.write(text, file=sys.stderr)

    def _accuracy(self, options: dict[str, Any]) -> None:
        rules = rules_of(
            options["algorithms"],
            options["set"],
            validation_fraction=options["validation_fraction"],
            budget_minutes=options["budget_minutes"],
            trials=options["trials"],
            seed=options["seed"],
        )
        limit_memory(options["memory_gb"])
        outcome = contest.hold(options["train"], options["test"], rules, options["out"])
        self.stdout.write(str(outcome))
        self._write(options["out"], outcome.to_json())
        self._write(options["markdown"], outcome.to_markdown())
        self._write(options["html"], page(outcome, rules.seed) if options["html"] else "")

    def _als(self, options: dict[str, Any]) -> None:
        figures = als.measure(
            options["train"], options["test"], options["factors"], options["iterations"], options["rounds"], self._say
        )
        self.stdout.write(
            f"{figures.pairs:,} pairs, {figures.factors} factors, {figures.iterations} iterations, "
            f"{figures.threads} threads, both with their defaults: iALS {figures.fit_seconds:.2f} s, "
            f"implicit's ALS {figures.implicit_seconds:.2f} s (ratio {figures.ratio:.2f})"
        )
        if figures.recall is not None:
            self.stdout.write(
                f"Recall@20 {figures.recall:.4f} against {figures.implicit_recall:.4f}, "
                f"NDCG@20 {figures.ndcg:.4f} against {figures.implicit_ndcg:.4f}"
            )
        self._write(options["json"], _json(figures, ratio=figures.ratio))

    def _matrix(self, options: dict[str, Any]) -> None:
        figures = matrix.measure(options["events"], options["rounds"], say=self._say)
        self.stdout.write(
            f"{figures.database}: {figures.events:,} events to a matrix of {figures.nonzeros:,} values in "
            f"{figures.seconds} s ({figures.events_per_second:,} events/s, {figures.ratio:.1f} times a plain loop's "
            f"{figures.baseline_events_per_second:,}), peak {figures.peak_rss_mib:,.0f} MiB"
        )
        self._write(options["json"], _json(figures, ratio=figures.ratio))

    def _rerank(self, options: dict[str, Any]) -> None:
        figures = rerank.measure(options["rounds"], self._say)
        self.stdout.write(f"{figures.candidates} candidates to {figures.places} places, {figures.rounds} rounds:")
        for stage in figures.stages:
            self.stdout.write(
                f"{stage.stage:<20} {stage.median_ms:6.2f} ms (99 %: {stage.p99_ms:.2f} ms), "
                f"{stage.ratio:,.0f} times as fast as plain Python"
            )
        self._write(options["json"], _json(figures))

    def _sessions(self, options: dict[str, Any]) -> None:
        figures = sessions.measure(options["sessions"], options["items"], options["queries"], self._say)
        self.stdout.write(
            f"{figures.sessions:,} sessions of {figures.events:,} events: {figures.median_ms:.2f} ms a question "
            f"(99 %: {figures.p99_ms:.2f} ms), {figures.ratio:,.0f} times as fast as plain Python; "
            f"fitted in {figures.fit_seconds:.0f} s, {figures.model_mib:,.0f} MiB"
        )
        self._write(options["json"], _json(figures, ratio=figures.ratio))

    def _diversity(self, options: dict[str, Any]) -> None:
        figures = diversity.measure(self._say)
        self.stdout.write(str(figures))
        self._write(options["json"], _json(figures))

    def _serving(self, options: dict[str, Any]) -> None:
        plan = plan_of(
            scenarios=options["scenario"],
            items=options["items"],
            rounds=options["rounds"],
            seconds=options["seconds"],
            mixed_seconds=options["mixed_seconds"],
            workers=options["workers"],
            cores=options["cores"],
            quick=options["quick"],
            folder=options["folder"],
        )
        try:
            report = serving.measure(plan, self._say)
        except KeyboardInterrupt:
            raise CommandError("Stopped. Nothing of the run is left.") from None
        self.stdout.write(str(report))
        self._write(options["out"], json.dumps(report.to_json(), indent=2))
        if options["plot"] is not None:
            plot.draw(report, options["plot"])
            self.stdout.write(f"\nDrawn to {options['plot']}.")
        if report.faults:
            raise CommandError("These figures are doubtful: " + "; ".join(report.faults))

    def _write(self, file: Path | None, content: str) -> None:
        if file is not None:
            file.write_text(content + "\n", encoding="utf-8")
            self.stdout.write(f"\nWritten to {file}.")


def _json(figures: Any, **more: Any) -> str:
    return json.dumps(asdict(figures) | more, indent=2)
