"""One reader of environment variables, and pages that say what it reads."""

import ast
from pathlib import Path

import pytest

from recsys import reference
from recsys.env import Environment
from tests.architecture.source import ROOT, python_files

# These only name the settings module, before there are settings.
BOOTSTRAP = {"manage.py", "celery_worker.py", "recsys/wsgi.py", "recsys/celery.py", "recsys/reference.py"}


def _reads_environment(path: Path) -> bool:
    return any(
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and node.attr in {"environ", "getenv", "environb"}
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
    )


def test_only_one_module_reads_environment_variables() -> None:
    readers = {str(path) for path in python_files("apps", "recsys") if _reads_environment(path)}
    assert readers - BOOTSTRAP - {"recsys/env.py"} == set()


@pytest.mark.parametrize("path", sorted(BOOTSTRAP))
def test_entry_points_only_name_the_settings_module(path: str) -> None:
    tree = ast.parse((ROOT / path).read_text())
    uses = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "environ"]
    named = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "os.environ.setdefault"
        and ast.unparse(node.args[0]) in {"'DJANGO_SETTINGS_MODULE'", "'OPENBLAS_NUM_THREADS'"}
    ]
    assert len(uses) == len(named)


@pytest.mark.parametrize("name", sorted(reference.PAGES))
def test_derived_pages_are_up_to_date(name: str) -> None:
    path = ROOT / name
    written = path.read_text() if path.exists() else None
    assert written == reference.PAGES[name](), f"{name} is out of date: run `make docs`"


@pytest.mark.parametrize("name", sorted(Environment.model_fields))
def test_every_variable_is_described_and_in_the_example(name: str) -> None:
    description = Environment.model_fields[name].description
    assert description, f"{name} has no description"
    example = " ".join((ROOT / ".env.example").read_text().replace("\n# ", " ").split())
    assert f"#{name}=" in example
    assert " ".join(description.split()) in example
