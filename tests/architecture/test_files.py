"""How files are named and how long they may be."""

import ast
import re
import tomllib

import pytest
from django.conf import settings

from tests.architecture.source import ROOT, python_files

FORBIDDEN = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc", "base_service"}
OURS = ("apps", "recsys", "tests", "deploy")


def test_no_file_is_longer_than_400_lines() -> None:
    lengths = {str(path): len((ROOT / path).read_text().splitlines()) for path in python_files(*OURS)}
    assert {path: length for path, length in lengths.items() if length > 400} == {}


def test_no_file_or_folder_has_a_name_that_says_nothing() -> None:
    named = [path for path in python_files(*OURS) if FORBIDDEN & {path.stem, *path.parts[:-1]}]
    assert named == []


def test_no_class_is_called_base_service_or_manager_of_everything() -> None:
    classes = [
        f"{path}: {node.name}"
        for path in python_files("apps", "recsys")
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.ClassDef) and re.search(r"^Base(Service|Manager)|Helper$|Utils?$", node.name)
    ]
    assert classes == []


def test_the_version_is_the_same_wherever_it_stands() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == settings.VERSION
    assert f"## {settings.VERSION}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX"])
def test_nothing_is_left_for_later(word: str) -> None:
    pattern = re.compile(rf"\b{word}\b")
    me = "tests/architecture/test_files.py"
    assert [str(p) for p in python_files(*OURS) if str(p) != me and pattern.search((ROOT / p).read_text())] == []
