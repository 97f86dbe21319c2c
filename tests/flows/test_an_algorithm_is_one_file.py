"""The how-to's example, word for word: one file in a folder, and it is trained, evaluated and served."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOW_TO = ROOT / "docs" / "how-to" / "add-an-algorithm.md"

SHOP = """
import json, os, django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from apps.catalog.services import items_upsert, parse_item
from apps.interactions.services import EventInput, events_record
from datetime import timedelta
from django.utils import timezone
items_upsert([parse_item({"item_id": f"i{n}", "title": f"Item {n}"}) for n in range(20)])
now = timezone.now()
events_record([
    EventInput("purchase", item_id=f"i{(user * user + step) % 20 if step else 7}", user_id=f"u{user}",
               occurred_at=now - timedelta(days=60 - 6 * step))
    for user in range(30) for step in range(10)
])
"""

SERVE = """
import json, os, django
django.setup()
from rest_framework.test import APIClient
from apps.recommend.models import Placement
from apps.users.services import api_key_create
Placement.objects.filter(key="home").update(pipeline="fresh_favourites")
_, key = api_key_create(name="test", kind="secret")
client = APIClient()
client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
from apps.interactions.services import EventInput, events_record
events_record([EventInput("view", item_id="i1", user_id="someone")])
print(json.dumps(client.get("/api/v1/recommendations/user/someone?limit=5").json()))
"""


def test_one_file_in_a_folder_is_trained_evaluated_and_served(tmp_path: Path) -> None:
    [code] = re.findall(r"```python\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
    plugins = tmp_path / "my-plugins" / "algorithms"
    plugins.mkdir(parents=True)
    (plugins / "fresh_favourites.py").write_text(code, encoding="utf-8")
    environment = os.environ | {
        "PLUGINS_DIR": str(tmp_path / "my-plugins"),
        "VAR_DIR": str(tmp_path / "var"),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'shop.sqlite3'}",
        "REDIS_URL": "",
        "CELERY_BROKER_URL": "",
        "DJANGO_SETTINGS_MODULE": "recsys.settings",
        "ALLOWED_HOSTS": "testserver",
    }

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("-c", SHOP)
    assert "fresh_favourites" in run("manage.py", "train", "fresh_favourites")
    report = tmp_path / "report.json"
    assert "fresh_favourites" in run("manage.py", "evaluate", "fresh_favourites", "--json", str(report))
    assert "fresh_favourites" in report.read_text()
    [table] = re.findall(r"```toml\n(.*?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
    (plugins.parent / "pipelines").mkdir()
    (plugins.parent / "pipelines" / "models.toml").write_text(table, encoding="utf-8")
    assert "quick_favourites" in run("manage.py", "train", "quick_favourites")
    answer = json.loads(run("-c", SERVE).splitlines()[-1])
    assert answer["pipeline"] == "fresh_favourites"
    assert answer["model_version"].startswith("fresh_favourites-")
    assert answer["fallback"] is None
    assert answer["recommendations"][0]["item_id"] == "i7"
