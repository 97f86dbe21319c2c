"""`manage.py benchmark matrix`: speed on this machine and database, beside a plain way of doing the same."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from apps.recommend.benchmarks import matrix


class Command(BaseCommand):
    help = "Measure speed on this machine and database. Works in a scratch database; the shop's data is not touched."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["matrix"], help="matrix: from stored events to the users x items matrix")
        parser.add_argument("--events", type=int, default=5_000_000, metavar="N", help="events to write (5,000,000)")
        parser.add_argument("--rounds", type=int, default=3, metavar="N", help="measurements; the median counts (3)")
        parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        figures = matrix.measure(options["events"], options["rounds"], say=self.stderr.write)
        self.stdout.write(
            f"{figures.database}: {figures.events:,} events to a matrix of {figures.nonzeros:,} values in "
            f"{figures.seconds} s ({figures.events_per_second:,} events/s, {figures.ratio:.1f} times a plain loop's "
            f"{figures.baseline_events_per_second:,}), peak {figures.peak_rss_mib:,.0f} MiB"
        )
        if options["json"]:
            options["json"].write_text(json.dumps(asdict(figures) | {"ratio": figures.ratio}, indent=2))
