"""Child processes that live and die together."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

GRACE_SECONDS = 10.0
# What the child runs before it becomes what it is to be: take the variables it was given on top of those it inherits,
# and ask Linux to end it when its parent dies (PR_SET_PDEATHSIG is 1). A preexec_fn would not be safe beside threads.
_LAUNCH = f"""
import ctypes, json, os, sys
os.environ.update(json.loads(sys.argv[1]))
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, {int(signal.SIGTERM)})
os.execv(sys.executable, [sys.executable, "-m", *sys.argv[2:]])
"""


@dataclass(frozen=True)
class Child:
    """A running child: what people call it, and where its output goes."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def last_lines(self, count: int = 15) -> str:
        """The end of its log."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 20_000))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-count:])


class Processes:
    """Starts children, each in a process group of its own, and ends all of them."""

    def __init__(self, folder: Path, log_folder: Path) -> None:
        self._folder, self._log_folder = folder, log_folder
        self._children: list[Child] = []
        log_folder.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, arguments: Sequence[str], *, more_environment: Mapping[str, str] | None = None) -> Child:
        """Run `python -m arguments…`; its output goes to `<log folder>/<name>.log`, written anew.

        The terminal's Ctrl-C does not reach the child. On Linux it is told to end when this process dies.
        """
        variables = {"PYTHONUNBUFFERED": "1", **(more_environment or {})}
        log = self._log_folder / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-c", _LAUNCH, json.dumps(variables), *arguments],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        child = Child(name, process, log)
        self._children.append(child)
        return child

    def dead(self) -> Child | None:
        """A child that has ended although nobody asked it to."""
        return next((child for child in self._children if child.process.poll() is not None), None)

    def forget(self, child: Child) -> None:
        """This child was meant to end."""
        self._children.remove(child)

    def stop(self) -> None:
        """End every child with all that it started: politely, and after GRACE_SECONDS by force. Can be repeated."""
        for child in self._children:
            _send(child, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        for child in self._children:
            try:
                child.process.wait(timeout=max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass
        for child in self._children:
            _send(child, signal.SIGKILL)  # also what a child left behind in its group
            child.process.wait()
        self._children.clear()


def _send(child: Child, number: signal.Signals) -> None:
    try:
        os.killpg(child.process.pid, number)
    except (ProcessLookupError, PermissionError):
        pass  # the group is gone
