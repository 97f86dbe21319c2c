"""`manage.py create_api_key NAME`: a key for a server or, with --origin, for browsers."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.users.api_keys import SCOPES
from apps.users.models import ApiKey
from apps.users.services import api_key_create


class Command(BaseCommand):
    help = "Make an API key and print it. It is shown this once: only its digest is stored."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="what the key is for")
        parser.add_argument(
            "--scope", action="append", metavar="SCOPE", choices=sorted(SCOPES), help="what it may do; default: all"
        )
        parser.add_argument(
            "--origin",
            action="append",
            metavar="ORIGIN",
            help="make a public key for browsers, usable from this origin, such as https://shop.example; repeat",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["origin"] and options["scope"]:
            raise CommandError("Public keys have fixed scopes. Leave out --scope or --origin.")
        try:
            if options["origin"]:
                _, key = api_key_create(
                    name=options["name"], kind=ApiKey.Kind.PUBLIC, allowed_origins=options["origin"]
                )
            else:
                _, key = api_key_create(name=options["name"], kind=ApiKey.Kind.SECRET, scopes=options["scope"])
        except ValueError as problem:
            raise CommandError(str(problem)) from problem
        self.stdout.write(key)
