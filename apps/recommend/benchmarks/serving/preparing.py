"""What runs as processes of their own beside the servers, with Django: filling the shop, activating versions.

`python -m apps.recommend.benchmarks.serving.preparing fill|activate …` in the environment of the run.
"""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

_ENGINE_EVENTS = 20_000  # whose histories the engine alone is asked with


def fill(plan: dict[str, Any]) -> None:
    """Make the shop that `plan` describes and write `plan["out"]`: what the load needs to know of it."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    import numpy as np

    from apps.interactions.selectors import profile
    from apps.recommend.benchmarks.serving import asking, baseline, filling, merchandising, versions
    from apps.recommend.benchmarks.serving.world import Histories, World
    from apps.users.services import api_key_create

    now = int(time.time())
    started = time.perf_counter()

    def say(text: str) -> None:
        print(f"- {text} ({time.perf_counter() - started:.0f} s)", flush=True)  # noqa: T201  (the parent shows it)

    world = World.of(plan["items"], now)
    histories = Histories.of(world, plan["active_users"], now)
    filling.fill(world, histories, plan["users"], say)
    _, key = api_key_create(name="benchmark")
    merchandising.add_rules()
    for user in range(plan["active_users"]):  # who browses has been asked for before: their profile is in Redis
        profile(f"u{user}")
    say("profiles")
    versions.write_versions(world, twice=plan["twice"], say=say)
    baseline.write(world, histories, plan["active_users"], Path(plan["baseline"]))
    out = Path(plan["out"])
    np.savez(
        out.with_suffix(".npz"),
        users=histories.users[:_ENGINE_EVENTS],
        items=histories.items[:_ENGINE_EVENTS],
        views=asking.next_views(world, histories, plan["active_users"]),
        popular=np.argsort(-world.popularity, kind="stable"),
        **asdict(merchandising.Shelf.of(world)),
    )
    out.write_text(json.dumps({"key": key}))


def activate(plan: dict[str, Any]) -> None:
    """Activate for each model of `plan["models"]` the version that is not active, one after the other."""
    from apps.recommend import publish
    from apps.recommend.models import ModelVersion

    active = publish.active_versions()
    for name in plan["models"]:
        stored = ModelVersion.objects.filter(model=name, deleted_at=None).values_list("version", flat=True)
        publish.activate(next(version for version in stored if version != active[name]), by="benchmark")


def engine(plan: dict[str, Any]) -> None:
    """Time the engine alone; the figures are written to `plan["out"]`."""
    from apps.recommend.benchmarks.serving import engine_time

    Path(plan["out"]).write_text(json.dumps(engine_time.measure(plan)))


if __name__ == "__main__":
    import django

    django.setup()
    {"fill": fill, "activate": activate, "engine": engine}[sys.argv[1]](json.loads(sys.argv[2]))
