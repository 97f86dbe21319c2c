"""What importing the engine must not bring along."""

import subprocess
import sys

import pytest

PROGRAM = """
import importlib, pkgutil, sys
import apps.recommend.engine as engine
names = [m.name for m in pkgutil.walk_packages(engine.__path__, "apps.recommend.engine.")]
for name in names:
    importlib.import_module(name)
assert "apps.recommend.engine.algorithms.als" in names
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""


@pytest.fixture(scope="module")
def imported() -> set[str]:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("stranger", ["django", "rest_framework", "celery", "redis", "django_redis", "recsys"])
def test_the_engine_has_never_heard_of_its_shell(imported: set[str], stranger: str) -> None:
    assert stranger not in imported


@pytest.mark.parametrize("library", ["torch", "sentence_transformers", "implicit", "sklearn", "openai", "pandas"])
def test_serving_does_not_pay_for_what_only_training_needs(imported: set[str], library: str) -> None:
    assert library not in imported
