"""Writes the pages that are derived from the code: `python -m recsys.reference` (or `make docs`).

`.env.example` and docs/reference/{settings,commands,metrics,api,events}.md; a test compares them with the code.
"""

import argparse
import importlib
import json
import os
import re
import sys
import textwrap
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from types import NoneType
from typing import Any

import django
from django.core.management import get_commands, load_command_class
from pydantic.fields import FieldInfo

from recsys.env import ROOT, Environment

_NOTE = "<!-- Written by `make docs` from the code; do not edit. -->\n"


def env_example() -> str:
    """Every variable with its description, commented out at its default."""
    head = (
        "# Copy to .env and uncomment what you change. Variables of the process win over this file.\n"
        "# docs/reference/settings.md describes the same variables as a table.\n"
    )
    parts = [head]
    for name, field in Environment.model_fields.items():
        parts.append("\n".join([*_wrapped(field.description or ""), f"#{name}={_default(field)}\n"]))
    parts.append("# Only docker-compose.yml reads this: the database's password.\n#POSTGRES_PASSWORD=\n")
    return "\n".join(parts)


def settings_page() -> str:
    """The same as a table."""
    rows = [
        f"| `{name}` | {_type(field.annotation)} | {f'`{_default(field)}`' if _default(field) else '–'} "
        f"| {_cell(field.description or '')} |"
        for name, field in Environment.model_fields.items()
    ]
    return (
        f"{_NOTE}# Settings\n\nEnvironment variables, read at start from the process environment and from `.env`. "
        "A value that does not fit stops the start with a message that names the variable.\n\n"
        "| variable | type | default | meaning |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def commands_page() -> str:
    """Our management commands with their arguments."""
    parts = [f"{_NOTE}# Commands\n\nRun each as `python manage.py COMMAND`; `--help` says the same.\n"]
    ours = {name: app for name, app in get_commands().items() if str(app).startswith("apps.")}
    for name, app in sorted(ours.items()):
        command = load_command_class(str(app), name)
        parser = command.create_parser("manage.py", name)
        parts.append(f"## {name}\n\n{parser.description or command.help}\n")
        if rows := list(_arguments(parser)):
            parts.append("| argument | default | meaning |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def metrics_page() -> str:
    """Our own Prometheus metrics; django-prometheus documents those beside them."""
    from prometheus_client import REGISTRY

    for app in sorted(path.parent.name for path in (ROOT / "apps").glob("*/metrics.py")):
        importlib.import_module(f"apps.{app}.metrics")
    collectors: list[Any] = [
        c for c in {*REGISTRY._collector_to_names} if str(getattr(c, "_name", "")).startswith("recsys_")
    ]
    rows = []
    for metric in sorted(collectors, key=lambda c: c._name):
        name = f"{metric._name}_total" if metric._type == "counter" else metric._name
        labels = ", ".join(f"`{label}`" for label in metric._labelnames) or "–"
        rows.append(f"| `{name}` | {metric._type} | {labels} | {_cell(metric._documentation)} |")
    return (
        f"{_NOTE}# Metrics\n\n`/metrics` serves these beside the `django_*` and `process_*` figures of "
        "django-prometheus and prometheus_client. Keep the address inside your network.\n\n"
        "| metric | type | labels | meaning |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def _api_page() -> str:
    from recsys.reference_api import api_page  # needs Django's apps

    return api_page()


def _events_page() -> str:
    from recsys.reference_api import events_page

    return events_page()


PAGES: dict[str, Callable[[], str]] = {
    ".env.example": env_example,
    "docs/reference/settings.md": settings_page,
    "docs/reference/commands.md": commands_page,
    "docs/reference/metrics.md": metrics_page,
    "docs/reference/api.md": _api_page,
    "docs/reference/events.md": _events_page,
}


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is None:
        return ""
    if isinstance(value, Path):
        return str(value.relative_to(ROOT)) if value.is_relative_to(ROOT) else str(value)
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _type(annotation: Any) -> str:
    if typing.get_origin(annotation) is typing.Literal:
        return " or ".join(f"`{value}`" for value in typing.get_args(annotation))
    kinds = [kind for kind in typing.get_args(annotation) or (annotation,) if kind is not NoneType]
    names = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`", Path: "path"}
    return " or ".join(names.get(kind, str(kind)) for kind in kinds)


def _arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    # Django's own arguments, the same for every command, are left out.
    shared = {"help", "version", "verbosity", "settings", "pythonpath", "traceback", "no_color", "force_color"}
    for action in parser._actions:
        if action.dest in shared | {"skip_checks"} or action.help == argparse.SUPPRESS:
            continue
        shape = action.metavar or (" or ".join(map(str, action.choices)) if action.choices else action.dest.upper())
        value = "" if action.nargs == 0 else f" {shape}"
        label = f"{', '.join(action.option_strings)}{value}" if action.option_strings else str(shape)
        default = "–" if action.default in (None, False, [], argparse.SUPPRESS) else f"`{action.default}`"
        yield f"| `{_cell(label)}` | {default} | {_cell((action.help or '') % {**vars(action), 'prog': parser.prog})} |"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()


def _wrapped(text: str, width: int = 110) -> list[str]:
    return textwrap.wrap(text, width, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def main() -> int:
    """Write every page; say which ones changed."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsys.settings")
    django.setup()
    for name, page in PAGES.items():
        path, text = ROOT / name, page()
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            sys.stdout.write(f"wrote {name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
