"""`manage.py import_dataset NAME PATH`: a public data set in its published form."""

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from apps.catalog.importing.command import ImportCommand, rejects_for
from apps.catalog.importing.files import UnreadableFile
from apps.catalog.importing.item_rows import items_store
from apps.catalog.importing.storing import Rejects, Tally, store_rows
from apps.catalog.services import relay_changes
from apps.interactions.datasets.registry import DATASETS, ItemPart
from apps.interactions.importing.event_rows import EventStore


class Command(ImportCommand):
    help = (
        "Import a public data set in its published form: its items, then its events. "
        "Refused rows go to FILE.rejects.csv beside the file they come from."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("dataset", choices=list(DATASETS))
        parser.add_argument("path", metavar="PATH", help="the data set's folder or file, unpacked or gzipped")
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            parts = DATASETS.create(options["dataset"]).parts(Path(options["path"]))
        except UnreadableFile as error:
            raise CommandError(str(error)) from None
        tallies = {part.name: Tally() for part in parts}
        rejects = {part.table.name: rejects_for(part.table.name) for part in parts}

        def work() -> None:
            for part in parts:
                _store(part, tally=tallies[part.name], rejects=rejects[part.table.name], chunk=options["batch"])

        self.run(work, tallies=tallies, rejects=list(rejects.values()), dry=options["dry_run"])


def _store(part: Any, *, tally: Tally, rejects: Rejects, chunk: int) -> None:
    if isinstance(part, ItemPart):
        store_rows(
            part.entries(), table=part.table, write=items_store, tally=tally, rejects=rejects, chunk=min(chunk, 1_000)
        )
        relay_changes()  # also those of an earlier import that was killed before it could
    else:
        store_rows(part.entries(), table=part.table, write=EventStore(), tally=tally, rejects=rejects, chunk=chunk)
