"""What every test gets: files of its own, an empty cache, and no network.

Runs on the database and cache that DATABASE_URL and REDIS_URL name; SQLite and process memory where they are unset.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Before Django reads its settings: nothing a test writes may land in the developer's var/.
_folder = Path(tempfile.mkdtemp(prefix="recsys-tests-"))
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ["VAR_DIR"] = str(_folder)
os.environ["DJANGO_SETTINGS_MODULE"] = "recsys.settings"
os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "0123456789" * 5)
os.environ.setdefault("TEXT_ENCODER", "tfidf")  # loading torch takes ten seconds; tests that want it ask for it
os.environ.setdefault("LOG_LEVEL", "WARNING")
os.environ["SERVING_REFRESH_SECONDS"] = "0"  # a thread would not see what a test's transaction holds
os.environ.setdefault("REDIS_TIMEOUT_MS", "5000")  # a machine busy with tests is no outage
os.environ.setdefault("REQUEST_BUDGET_MS", "60000")  # a machine busy with tests is not late
os.environ.update(OPENBLAS_NUM_THREADS="1", HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")

from recsys.env import Environment  # noqa: E402

Environment.model_config["env_file"] = None  # a developer's .env is not part of the test

import django  # noqa: E402
import hypothesis  # noqa: E402
import pytest  # noqa: E402

from tests import isolation  # noqa: E402

django.setup()

CI = os.environ.get("CI", "").lower() in {"1", "true"}

hypothesis.settings.register_profile("dev", deadline=None, max_examples=50)
hypothesis.settings.register_profile(
    "ci", deadline=None, max_examples=100, derandomize=True, database=None, print_blob=True
)
hypothesis.settings.load_profile("ci" if CI else "dev")


def pytest_configure(config: pytest.Config) -> None:
    isolation.forbid_network(
        allowed=[os.environ.get(name, "") for name in ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL")]
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    return isolation.refuse_needless_skip(report) if CI else report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    report = yield
    return isolation.refuse_needless_skip(report) if CI else report


@pytest.fixture(scope="session", autouse=True)
def _fast_passwords() -> None:
    """Hashing passwords slowly is a virtue that tests need not pay for."""
    from django.conf import settings

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    """Each test starts with an empty cache; on Redis only our own keys are removed."""
    from django.core.cache import cache

    if hasattr(cache, "delete_pattern"):
        cache.delete_pattern("*")
    else:
        cache.clear()


@pytest.fixture(autouse=True)
def _nothing_served_yet() -> None:
    """Each test loads catalog, models and placements anew."""
    from apps.interactions import profiles
    from apps.recommend import result_cache, serving_state

    profiles.forget()
    serving_state.forget()
    result_cache.clear()


@pytest.fixture(autouse=True)
def _commits_are_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's own transaction never commits: what profiles do behind a transaction is done all the same."""
    from apps.interactions import profiles

    monkeypatch.setattr(profiles, "_when_committed", lambda run: run())
