"""/metrics: what Prometheus reads."""

import os
import subprocess
import sys
from pathlib import Path

from django.test import Client

from recsys.metrics import forget_dead_processes


def test_metrics_hold_our_figures_beside_djangos(client: Client) -> None:
    import apps.recommend.metrics  # noqa: F401

    response = client.get("/metrics", headers={"host": "10.1.2.3"})
    text = response.content.decode()
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain")
    assert "recsys_recommendation_seconds" in text
    assert "django_http_requests_before_middlewares_total" in text


def test_the_figures_of_several_processes_are_added_up(tmp_path: Path) -> None:
    script = "from apps.recommend.metrics import CACHE_LOOKUPS\nCACHE_LOOKUPS.labels('plan', 'hit').inc(2)\n"
    show = (
        "from django.conf import settings\n"
        "import os, pathlib\n"
        "settings.configure(PROMETHEUS_MULTIPROC_DIR=pathlib.Path(os.environ['PROMETHEUS_MULTIPROC_DIR']))\n"
        "from django.test import RequestFactory\n"
        "from recsys.metrics import metrics\n"
        "print(metrics(RequestFactory().get('/metrics')).content.decode())\n"
    )
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for _ in range(2):
        subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    done = subprocess.run([sys.executable, "-c", show], env=environment, check=True, capture_output=True, text=True)
    assert 'recsys_cache_lookups_total{layer="plan",result="hit"} 4.0' in done.stdout


def test_gauges_of_processes_that_are_gone_are_dropped_and_their_counters_kept(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for pid in (gone.pid, os.getpid()):
        for kind in ("gauge_livesum", "counter"):
            (tmp_path / f"{kind}_{pid}.db").touch()
    forget_dead_processes(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {f"gauge_livesum_{os.getpid()}.db", f"counter_{os.getpid()}.db", f"counter_{gone.pid}.db"}


def test_what_a_process_serves_is_forgotten_with_it(tmp_path: Path) -> None:
    script = "from apps.recommend.metrics import SERVED_CATALOG_REVISION\nSERVED_CATALOG_REVISION.set(7)\n"
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    assert list(tmp_path.glob("gauge*"))
    forget_dead_processes(tmp_path)
    assert not list(tmp_path.glob("gauge*"))
