"""`manage.py import_events FILE`: events from a CSV, JSON Lines, Parquet or Excel file."""

import argparse
from typing import Any

from django.core.management.base import CommandError

from apps.catalog.importing.command import ImportCommand, rejects_for
from apps.catalog.importing.files import UnreadableFile
from apps.catalog.importing.storing import Tally, store_rows
from apps.catalog.importing.tables import open_table
from apps.interactions.importing.event_rows import EVENT_FIELDS, EventStore, event_columns, event_entries


class Command(ImportCommand):
    help = (
        "Store events of items that are in the catalog; users are created as they come. Times without an offset "
        "are the shop's. Rows without an event_id are recognised by their content at the next import. "
        "Refused rows go to FILE.rejects.csv."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        self.add_file_arguments(parser, fields=EVENT_FIELDS)
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            table = open_table(options["file"], format=options["format"])
            columns = event_columns(maps=options["map"], constants=options["set"], table=table)
        except UnreadableFile as error:
            raise CommandError(str(error)) from None
        tally = Tally()
        rejects = rejects_for(options["file"])

        def work() -> None:
            store_rows(
                event_entries(table, columns),
                table=table,
                write=EventStore(),
                tally=tally,
                rejects=rejects,
                chunk=options["batch"],
            )

        self.run(work, tallies={"events": tally}, rejects=[rejects], dry=options["dry_run"])
        self.say_unmapped(list(columns.unmapped))
