"""A web process as the server starts it: it comes up whatever state the database is in, and stays small."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.architecture.source import ROOT

SCRIPT = """
import io, json, sys
from recsys.wsgi import application

def status(path):
    said = []
    application(
        {"REQUEST_METHOD": "GET", "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": "", "SERVER_NAME": "localhost",
         "SERVER_PORT": "80", "HTTP_HOST": "localhost", "wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr,
         "wsgi.url_scheme": "http"},
        lambda line, headers, error=None: said.append(line),
    )
    return int(said[0].split()[0])

print(json.dumps({
    "live": status("/health/live"), "docs": status("/api/docs/"), "page": status("/shop/"),
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
}))
"""
TRAINING_ONLY = {"implicit", "sentence_transformers", "sklearn", "torch", "transformers"}


def web_process(folder: Path, *, migrated: bool) -> dict[str, Any]:
    environment = os.environ | {"VAR_DIR": str(folder), "SERVING_REFRESH_SECONDS": "60"}
    for name in ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"):
        environment.pop(name, None)
    if migrated:
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_it_comes_up_and_says_so_before_the_database_is_there(tmp_path: Path) -> None:
    process = web_process(tmp_path, migrated=False)
    assert (process["live"], process["docs"], process["page"]) == (200, 200, 503)


def test_it_serves_without_the_libraries_that_only_training_needs(tmp_path: Path) -> None:
    process = web_process(tmp_path, migrated=True)
    assert process["page"] == 200
    assert TRAINING_ONLY & set(process["modules"]) == set()
