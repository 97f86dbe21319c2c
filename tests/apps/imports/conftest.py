"""What the tests of the imports share."""

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command

Counts = tuple[int, int, int, int]


@pytest.fixture
def run_import() -> Callable[..., dict[str, Counts]]:
    """Runs an import command; gives (read, stored, known, rejected) by the name of what was imported."""

    def run(command: str, *args: Any, **options: Any) -> dict[str, Counts]:
        out = io.StringIO()
        call_command(command, *map(str, args), stdout=out, stderr=io.StringIO(), **options)
        return counts(out.getvalue())

    return run


def counts(output: str) -> dict[str, Counts]:
    """The counts in a command's output."""
    found = {}
    for line in output.splitlines():
        if match := re.match(
            r"(?:(.+): )?([\d,]+) rows read = ([\d,]+) stored \+ ([\d,]+) already known \+ ([\d,]+) rejected", line
        ):
            read, stored, known, rejected = (int(group.replace(",", "")) for group in match.groups()[1:])
            found[match[1] or ""] = (read, stored, known, rejected)
    return found
