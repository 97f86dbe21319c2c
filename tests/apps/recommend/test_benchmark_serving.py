"""The serving benchmark measures what it says, tells what it could not measure, and leaves nothing behind."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest
import redis
from django.conf import settings
from django.db import connection

from apps.recommend.benchmarks.serving import asking, cache_counts, steady
from apps.recommend.benchmarks.serving.figures import Figure, Outcome, Report
from apps.recommend.benchmarks.serving.plan import Plan, plan_of
from apps.recommend.benchmarks.serving.plot import draw
from apps.recommend.benchmarks.serving.processes import Failed, Processes
from apps.recommend.benchmarks.serving.world import Histories, World
from tests.processes import until

ROOT = Path(__file__).resolve().parents[3]
NOW = 1_700_000_000


def a_plan(**said: object) -> Plan:
    options: dict[str, object] = {
        "scenarios": "",
        "items": "300",
        "rounds": None,
        "seconds": None,
        "mixed_seconds": None,
        "workers": 2,
        "cores": 2,
        "quick": True,
        "folder": None,
    }
    return plan_of(**(options | said))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("option", "value"),
    [("scenarios", "cached,fastest"), ("items", "many"), ("items", "50"), ("workers", 0), ("seconds", -1.0)],
)
def test_an_option_that_makes_no_sense_is_named(option: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"--{option.removesuffix('s')}"):
        a_plan(**{option: value})


def test_every_uncached_request_of_a_load_finds_a_user_of_its_own() -> None:
    plan = a_plan(quick=False, mixed_seconds=600.0)
    assert plan.active_users >= 600 * 1_000 * 0.2 + plan.hot_users
    assert plan.users(1_000_000) == 2_000_000


@pytest.mark.parametrize("size", [300, 3_000])
def test_the_world_has_tastes_that_vectors_and_links_agree_on(size: int) -> None:
    world = World.of(size, NOW)
    units = world.factors / np.linalg.norm(world.factors, axis=1, keepdims=True)
    likeness = units @ units.T
    together = world.clusters[:, None] == world.clusters
    assert likeness[together].mean() > likeness[~together].mean() + 0.3
    neighbours, weights = world.links(10)
    origin, place = np.nonzero(neighbours >= 0)
    targets = neighbours[origin, place]
    assert (world.clusters[targets] == world.clusters[origin]).all()
    assert (targets != origin).all()
    assert all(len(set(row[row >= 0])) == (row >= 0).sum() for row in neighbours)
    assert (weights[neighbours < 0] == 0).all()
    assert (np.diff(weights, axis=1) <= 0).all()


def test_users_want_items_of_few_clusters_and_popular_ones_more() -> None:
    world = World.of(2_000, NOW)
    histories = Histories.of(world, 500, NOW)
    tastes = [len(np.unique(world.clusters[histories.items[histories.users == user]])) for user in range(500)]
    assert max(tastes) <= 3
    assert set(histories.users) == set(range(500))
    assert world.popularity[histories.items].mean() > 2 * world.popularity.mean()
    assert (histories.times < NOW).all()


def an_answer(**changed: object) -> bytes:
    card = {"title": "t", "url": "u", "image_url": "i", "price": "1.00", "currency": "GBP", "available": True}
    entries = [
        {"item_id": f"i{place}", "position": place, "score": 0.5, "source": "als", "token": "t", "item": card}
        for place in range(1, asking.LIMIT + 1)
    ]
    entries[3] |= changed
    return json.dumps({"recommendations": entries}).encode()


def test_a_complete_answer_is_faultless() -> None:
    assert asking.faults(200, an_answer()) == []


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (500, b"oops", "status 500: oops"),
        (200, json.dumps({"recommendations": []}).encode(), "0 entries"),
        (200, an_answer(token=""), "lacks token"),
        (200, an_answer(item={}), "lacks title"),
        (200, an_answer(item_id="i1"), "an item twice"),
    ],
)
def test_an_incomplete_answer_is_not_timed(status: int, body: bytes, fault: str) -> None:
    assert fault in "; ".join(asking.faults(status, body))


def test_cache_layers_are_told_apart_by_what_they_depend_on() -> None:
    before = {'recsys_cache_lookups_total{layer="candidates",result="miss"}': 5.0}
    after = {
        'recsys_cache_lookups_total{layer="candidates",result="miss"}': 6.0,
        'recsys_cache_lookups_total{layer="candidates",result="shared"}': 2.0,
        'recsys_cache_lookups_total{layer="candidates",result="process"}': 1.0,
        'recsys_cache_lookups_total{layer="personal",result="miss"}': 3.0,
        'recsys_cache_lookups_total{layer="arranged",result="process"}': 1.0,
        'recsys_recommendations_total{placement="home",fallback="none"}': 7.0,
        'recsys_recommendations_total{placement="home",fallback="popular"}': 2.0,
        "process_cpu_seconds_total": 9.0,
    }
    grown = cache_counts.difference(before, after)
    layers = cache_counts.by_layer(grown)
    assert set(layers) == {"candidates", "personal", "arranged"}
    assert cache_counts.hit_rate(layers["candidates"]) == 0.75
    assert cache_counts.computed(layers, given=4) == 0.75
    assert cache_counts.answers(grown) == 9.0
    assert cache_counts.fallbacks(grown) == 2.0


def a_report() -> Report:
    figures = (
        Figure("baseline", "bare view", 5_000.0, "/s"),
        Figure("cached", "times the view", 0.9, "×", least=0.8, aim=1.0),
        Figure("mixed", "p99", 31.0, "ms", most=20.0),
        Figure("swap", "p99 during, times before", float("nan"), "×", most=2.0),
    )
    return Report({"cores": 2}, (Outcome(300, 600, figures, {}, ("no rules",)),))


def test_a_figure_that_was_not_measured_is_not_met_and_said_so() -> None:
    report = a_report()
    assert [figure.met for figure in report.outcomes[0].figures] == [None, True, False, False]
    table = str(report)
    assert re.search(r"times the view +0.9 × +≥ 0.8 \(aim 1\) +yes", table)
    assert re.search(r"p99 +31 ms +≤ 20 +NO", table)
    assert re.search(r"not measured × +≤ 2 +NO", table)
    assert "! no rules" in table
    plain = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert [one["met"] for one in plain["outcomes"][0]["figures"]] == [None, True, False, False]


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_figures_are_drawn(tmp_path: Path, ending: str) -> None:
    draw(a_report(), tmp_path / f"figures.{ending}")
    assert (tmp_path / f"figures.{ending}").stat().st_size > 1_000


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    started = Processes(folder=ROOT, scratch=tmp_path)
    yield started
    started.stop_all()


class Sleepy:
    """Answers every request at once, except that for `pause` seconds after the first it answers nobody."""

    def __init__(self, pause: float, *, status: int = 200, chunked: bool = False) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self._socket.getsockname()[1]
        self._awake, self._pause = 0.0, pause
        body = b'{"model_version":"als-2"}'
        self._answer = b"HTTP/1.1 %d OK\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
        if chunked:
            head = b"HTTP/1.1 %d OK\r\nTransfer-Encoding: chunked\r\n\r\n" % status
            self._answer = head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._socket.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            while client.recv(65_536):
                self._awake = self._awake or time.monotonic() + self._pause
                time.sleep(max(self._awake - time.monotonic(), 0))
                client.sendall(self._answer)
        except OSError:
            return


def test_a_server_that_hangs_is_charged_for_everybody_who_would_have_come(processes: Processes) -> None:
    said = steady.drive(
        processes,
        Sleepy(1.0).port,
        ["GET / HTTP/1.1\r\n\r\n"],
        np.zeros(200, np.int64),
        rate=100,
        connections=4,
        mark='"model_version":"als-2"',
    )
    # Half of the requests are due within the second of silence; with four connections, four of them could be sent.
    assert np.count_nonzero(said.latency > 0.1) >= 80
    assert 0.8 < said.latency.max() < 5
    assert said.errors == 0
    assert said.marked.all()


def test_an_answer_in_chunks_is_an_answer(processes: Processes) -> None:
    asleep = Sleepy(0.0, chunked=True)
    said = steady.drive(processes, asleep.port, ["GET / HTTP/1.1\r\n\r\n"], np.zeros(5, np.int64), rate=0, mark="als-2")
    assert said.errors == 0
    assert said.marked.all()


def test_refused_and_dropped_requests_are_errors(processes: Processes) -> None:
    order = np.zeros(20, np.int64)
    request = ["GET / HTTP/1.1\r\n\r\n"]
    assert steady.drive(processes, Sleepy(0.0, status=503).port, request, order, rate=0).errors == 20
    closing = socket.create_server(("127.0.0.1", 0), backlog=100)

    def close() -> None:
        while True:
            client, _ = closing.accept()
            client.recv(10)
            client.close()

    threading.Thread(target=close, daemon=True).start()
    assert steady.drive(processes, closing.getsockname()[1], request, order, rate=0, connections=2).errors == 20


def test_a_program_that_fails_is_told_with_its_last_words(processes: Processes) -> None:
    child = processes.start("broken", [sys.executable, "-c", "import sys; sys.exit('the disk is full')"])
    child.process.wait()
    with pytest.raises(Failed, match="the disk is full"):
        processes.check()


def benchmark(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "manage.py", "benchmark", "serving", "--quick", "--items", "300", *arguments],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(folder), "VAR_DIR": str(folder / "var")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def needs_backends() -> None:
    if connection.vendor != "postgresql" or "redis" not in settings.CACHES["default"]["BACKEND"]:
        pytest.skip("needs PostgreSQL and Redis (DATABASE_URL, REDIS_URL)")


def databases() -> set[str]:
    """Those that runs of the benchmark have made."""
    said = connection.settings_dict
    account = {"user": said["USER"], "password": said["PASSWORD"]}
    with psycopg.connect(host=said["HOST"], port=said["PORT"], dbname="postgres", **account) as server:
        names = server.execute("SELECT datname FROM pg_database WHERE datname LIKE 'recsys_benchmark_%'").fetchall()
    return {name for (name,) in names}


def redis_databases() -> set[str]:
    with redis.Redis.from_url(settings.CACHES["default"]["LOCATION"]) as client:
        return set(client.info("keyspace"))


@pytest.mark.slow
def test_the_benchmark_runs_and_leaves_nothing_behind(tmp_path: Path) -> None:
    needs_backends()
    before = databases(), redis_databases()
    scratch, out = tmp_path / "scratch", tmp_path / "figures.json"
    scratch.mkdir()
    run = benchmark(scratch, "--scenario", "cached,uncached,swap,engine", "--out", str(out))
    said, complaint = run.communicate(timeout=600)
    assert run.returncode == 0, complaint
    outcome = json.loads(out.read_text())["outcomes"][0]
    figures = {(one["scenario"], one["name"]): one["value"] for one in outcome["figures"]}
    assert {scenario for scenario, _ in figures} == {"baseline", "cached", "uncached", "swap", "engine"}
    assert figures["cached", "failed requests"] == figures["uncached", "failed requests"] == 0
    assert figures["swap", "failed requests"] == 0
    assert figures["cached", "requests/s"] > 0
    assert outcome["faults"] == []
    assert f"{300:,} items" in said
    assert (databases(), redis_databases()) == before
    assert [path.name for path in scratch.iterdir() if path.name.startswith("recsys-benchmark-")] == []


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="finds processes where Linux lists them")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_leaves_nothing_behind(tmp_path: Path, how: signal.Signals) -> None:
    needs_backends()
    before = databases(), redis_databases()
    run = benchmark(tmp_path, "--scenario", "cached")
    until(lambda: _running_below(tmp_path) or run.poll() is not None)
    assert run.poll() is None, run.communicate()[1]
    run.send_signal(how)
    run.communicate(timeout=60)
    until(lambda: not _running_below(tmp_path))
    assert (databases(), redis_databases()) == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("recsys-benchmark-")] == []


def _running_below(folder: Path) -> list[int]:
    """Processes that a run with this scratch folder started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"VAR_DIR={folder}/recsys-benchmark-".encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found
