"""`manage.py import_items FILE`: items from a CSV, JSON Lines, Parquet or Excel file."""

import argparse
from typing import Any

from django.core.management.base import CommandError

from apps.catalog.importing.command import ImportCommand, rejects_for
from apps.catalog.importing.files import UnreadableFile
from apps.catalog.importing.item_rows import item_columns, item_entries, items_store
from apps.catalog.importing.storing import Tally, store_rows
from apps.catalog.importing.tables import open_table
from apps.catalog.item_input import ITEM_FIELDS
from apps.catalog.services import relay_changes


class Command(ImportCommand):
    help = (
        "Create items, or replace those whose item_id is known. Lists in one cell are parted by '|', "
        "category paths by '>'; titles, prices and attributes are JSON. Refused rows go to FILE.rejects.csv."
    )
    default_batch = 1_000

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        self.add_file_arguments(parser, fields=ITEM_FIELDS)
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            table = open_table(options["file"], format=options["format"])
            columns = item_columns(maps=options["map"], constants=options["set"], table=table)
        except UnreadableFile as error:
            raise CommandError(str(error)) from None
        tally = Tally()
        rejects = rejects_for(options["file"])

        def work() -> None:
            store_rows(
                item_entries(table, columns),
                table=table,
                write=items_store,
                tally=tally,
                rejects=rejects,
                chunk=options["batch"],
            )
            relay_changes()  # also those of an earlier import that was killed before it could

        self.run(work, tallies={"items": tally}, rejects=[rejects], dry=options["dry_run"])
        self.say_unmapped(list(columns.unmapped))
