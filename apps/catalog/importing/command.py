"""What all import commands do at the terminal: options, dry run, interruption, the final count."""

import argparse
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from apps.catalog.importing.files import STDIN, UnreadableFile
from apps.catalog.importing.storing import Rejects, Tally
from apps.catalog.importing.tables import FORMATS

INTERRUPTED = 130
_SQLITE_CACHE_KIB = 131_072
_SQLITE_CHECKPOINT_PAGES = 20_000


class ImportCommand(BaseCommand):
    """Base of the import commands.

    An import is committed chunk by chunk and may be run again at any time: what is stored is then already known.
    Exit status: 0 also when rows were rejected, 1 when the file cannot be read, 130 after Ctrl-C.
    """

    default_batch = 10_000

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="check and count everything, store nothing; the rejects file is written. "
            "It is one long transaction: on SQLite other writers wait meanwhile",
        )
        parser.add_argument(
            "--batch",
            type=_positive,
            default=self.default_batch,
            metavar="N",
            help=f"rows per commit ({self.default_batch:,})",
        )

    def add_file_arguments(self, parser: argparse.ArgumentParser, *, fields: tuple[str, ...]) -> None:
        """The arguments of commands that read one file of rows."""
        parser.add_argument("file", metavar="FILE", help="csv, jsonl, parquet or xlsx, also .gz; - is standard input")
        parser.add_argument("--format", choices=FORMATS, help="instead of going by the file's ending")
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="field=Column",
            help=f"which column holds a field; repeat. Fields: {', '.join(fields)}",
        )
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="field=value",
            help="a value for rows that have none, such as interaction_type=purchase; repeat",
        )

    def run(self, work: Callable[[], None], *, tallies: dict[str, Tally], rejects: list[Rejects], dry: bool) -> None:
        """Do the work, print the counts however it ended, and turn what went wrong into an exit status."""
        try:
            with bulk_writing():
                if dry:
                    with transaction.atomic():
                        work()
                        transaction.set_rollback(True)
                else:
                    work()
        except UnreadableFile as error:
            if any(tally.read for tally in tallies.values()):
                self._report(tallies, rejects, dry=dry)
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            said = "" if dry else " What is counted below is stored; run the same command again to go on."
            self.stderr.write(f"Interrupted.{said}")
            self._report(tallies, rejects, dry=dry)
            sys.exit(INTERRUPTED)
        self._report(tallies, rejects, dry=dry)

    def _report(self, tallies: dict[str, Tally], rejects: list[Rejects], *, dry: bool) -> None:
        for name, tally in tallies.items():
            label = f"{name}: " if len(tallies) > 1 else ""
            self.stdout.write(f"{label}{tally}")
        for file in rejects:
            file.close()
            if file.count:
                self.stdout.write(f"rejected rows: {file.path}")
        if dry:
            self.stdout.write("Dry run: nothing was stored.")

    def say_unmapped(self, columns: list[str]) -> None:
        """Name the columns that are not imported."""
        if columns:
            self.stderr.write(f"Columns not imported: {', '.join(columns)}.")


@contextmanager
def bulk_writing() -> Iterator[None]:
    """Tune this process for writing hundreds of thousands of rows.

    The cyclic garbage collector rests: it would spend a fifth of the time on rows that are never part of a cycle.
    SQLite gets a cache that holds the indexes' pages, and copies its log into the database less often.
    """
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA cache_size=-{_SQLITE_CACHE_KIB}")
            cursor.execute(f"PRAGMA wal_autocheckpoint={_SQLITE_CHECKPOINT_PAGES}")
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def rejects_for(path: str) -> Rejects:
    """The rejects file of an import from `path`: beside it, or in VAR_DIR/imports where that cannot be written."""
    name = "stdin" if path == STDIN else path
    return Rejects(Path(f"{name}.rejects.csv"), spare_folder=settings.VAR_DIR / "imports")


def _positive(word: str) -> int:
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
