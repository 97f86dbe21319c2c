"""Who may import whom. The contracts and their reasons are in pyproject.toml."""

import subprocess
import sys
from pathlib import Path

from tests.architecture.source import ROOT, imported_modules, python_files


def test_every_import_contract_holds() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_engine_imports_nothing_of_its_shell() -> None:
    allowed = ("apps.plugins", "apps.recommend.engine")
    strangers = [
        f"{path} imports {module}"
        for path in python_files("apps/recommend/engine")
        for module in imported_modules(path)
        if module.split(".")[0] in {"apps", "recsys"} and module != "apps" and not module.startswith(allowed)
    ]
    assert strangers == []


def test_production_code_never_imports_the_tests() -> None:
    assert [
        p for p in python_files("apps", "recsys") if any(m.split(".")[0] == "tests" for m in imported_modules(p))
    ] == []
