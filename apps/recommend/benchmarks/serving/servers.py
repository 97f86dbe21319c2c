"""The servers under load: granian as docker-compose.yml starts it, with our application or the baselines'."""

import http.client
import json
import os
import re
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings

from apps.recommend.benchmarks.serving.backends import free_port
from apps.recommend.benchmarks.serving.processes import Child, Processes

OURS = "recsys.wsgi:application"
BASELINES = "apps.recommend.benchmarks.serving.baseline_wsgi:application"
_READY_WITHIN = 900.0  # a million items are read and mapped


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


@dataclass
class Server:
    """A running server; `pause` stops its processes where they are, so that they disturb nobody's figures."""

    child: Child
    port: int
    workers: int
    key: str

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def pause(self) -> None:
        self.child.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.child.signal(signal.SIGCONT)

    def ask(self, path: str, body: Any = None) -> Answer:
        """One request on a connection of its own: GET, or POST of a JSON body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        try:
            if body is None:
                connection.request("GET", path, headers=headers)
            else:
                connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            return Answer(response.status, response.read())
        finally:
            connection.close()

    def metrics(self) -> dict[str, float]:
        """Every figure of /metrics, by its name and labels as they stand there."""
        lines = self.ask("/metrics").body.decode().splitlines()
        return {
            name: float(value)
            for name, _, value in (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        }

    def worker_pids(self) -> list[int]:
        """The processes that answer, as the server names them."""
        told = re.findall(r"Spawning worker-(\d+) with PID: (\d+)", self.child.log.read_text(errors="replace"))
        return sorted({number: int(pid) for number, pid in told}.values())

    def processor_seconds(self) -> float:
        """What the workers have computed so far, all threads and the system's part included."""
        times = [Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split() for pid in self.worker_pids()]
        return sum(int(fields[11]) + int(fields[12]) for fields in times) / os.sysconf("SC_CLK_TCK")

    def forget_log(self) -> None:
        """Empty the log of requests, which grows by a line each; who the workers are is known from its start."""
        lines = self.child.log.read_text(errors="replace").splitlines(keepends=True)
        kept = [line for line in lines[:200] if "worker-" in line]
        with self.child.log.open("r+") as log:
            log.truncate(0)
            log.writelines(kept)


def start(
    processes: Processes,
    name: str,
    application: str,
    *,
    workers: int,
    key: str,
    ready: str,
    more: Mapping[str, str] | None = None,
) -> Server:
    """Start a server on a free port and wait until every worker answers. Raises Failed when it ends instead."""
    port = free_port()
    child = processes.start(name, _command(port, workers, application), more=more)
    server = Server(child, port, workers, key)
    deadline = time.monotonic() + _READY_WITHIN
    while not _is_ready(server, ready):
        child.check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"{name} does not answer:\n{child.last_lines()}")
        time.sleep(0.2)
    return server


def _is_ready(server: Server, path: str) -> bool:
    started = set(re.findall(r"Started worker-(\d+)", server.child.log.read_text(errors="replace")))
    if len(started) < server.workers:
        return False
    try:
        return server.ask(path).status == 200
    except OSError:
        return False


def _command(port: int, workers: int, application: str) -> list[str]:
    """The web service's command, at another address and with as many workers as asked for."""
    compose = yaml.safe_load((Path(settings.BASE_DIR) / "docker-compose.yml").read_text(encoding="utf-8"))
    command = [str(part) for part in compose["services"]["web"]["command"]]
    for option, value in (("--host", "127.0.0.1"), ("--port", port), ("--workers", workers)):
        command[command.index(option) + 1] = str(value)
    command[command.index(OURS)] = application
    return [sys.executable, "-m", *command]
