"""Programs that the benchmark starts: none of them outlives it."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

GRACE_SECONDS = 15.0
# What a child runs before it becomes what it is to be. Ending with its parent (PR_SET_PDEATHSIG is 1) is forgotten
# when the user changes, so it is asked for after that.
_LAUNCH = """
import ctypes, json, os, sys
with open(sys.argv[1]) as said:
    plan = json.load(said)
os.remove(sys.argv[1])
for name in plan["without"]:
    os.environ.pop(name, None)
os.environ.update(plan["variables"])
if plan["user"]:
    os.initgroups(plan["user"], plan["group"])
    os.setgid(plan["group"])
    os.setuid(plan["uid"])
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, plan["signal"])
os.execvp(plan["arguments"][0], plan["arguments"])
"""


class Failed(RuntimeError):
    """A program ended that should not have; the message holds the end of its log."""


@dataclass
class Child:
    """A running program with a process group of its own."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    ends_by: signal.Signals

    def signal(self, number: signal.Signals) -> None:
        """Send it, and everything it started, a signal."""
        try:
            os.killpg(self.process.pid, number)
        except (ProcessLookupError, PermissionError):
            pass  # the group is gone

    def last_lines(self, count: int = 15) -> str:
        """The end of its log."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 20_000))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-count:])

    def check(self) -> None:
        """Raises Failed when it has ended."""
        if (code := self.process.poll()) is not None:
            raise Failed(f"{self.name} ended with {code}:\n{self.last_lines()}")


@dataclass
class Processes:
    """Starts programs with `variables` in their environment, and without those named in `without`."""

    folder: Path  # they run in
    scratch: Path  # their logs go to
    variables: dict[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    _children: list[Child] = field(default_factory=list)

    def start(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        more: Mapping[str, str] | None = None,
        ends_by: signal.Signals = signal.SIGTERM,
        user: str = "",
    ) -> Child:
        """Run a program; its output goes to `<scratch>/<name>.log`. Ctrl-C in the terminal does not reach it."""
        account = pwd.getpwnam(user) if user else None
        said = self.scratch / f"{name}.start.json"  # not in the arguments: it may hold passwords
        said.touch(mode=0o600)
        said.write_text(
            json.dumps(
                {
                    "variables": {"PYTHONUNBUFFERED": "1", **self.variables, **(more or {})},
                    "without": self.without,
                    "user": user,
                    "uid": account.pw_uid if account else 0,
                    "group": account.pw_gid if account else 0,
                    "signal": int(ends_by),
                    "arguments": list(arguments),
                }
            )
        )
        log = self.scratch / f"{name}.log"
        with log.open("ab") as out:  # appending: a log can be emptied while it is written
            process = subprocess.Popen(
                [sys.executable, "-c", _LAUNCH, str(said)],
                cwd=self.scratch if user else self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        child = Child(name, process, log, ends_by)
        self._children.append(child)
        return child

    def stop(self, child: Child) -> None:
        """End it with all that it started: politely, after GRACE_SECONDS by force."""
        child.signal(signal.SIGCONT)
        child.signal(child.ends_by)
        try:
            child.process.wait(timeout=GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        child.signal(signal.SIGKILL)  # also what it left behind in its group
        child.process.wait()
        self._children.remove(child)

    def stop_all(self) -> None:
        """End every program, the youngest first."""
        for child in reversed(self._children.copy()):
            self.stop(child)

    def check(self) -> None:
        """Raises Failed when one has ended that nobody ended."""
        for child in self._children:
            child.check()


def program(name: str, package: str, *more_places: str) -> str:
    """Where a program is. Raises FileNotFoundError saying which package brings it."""
    found = shutil.which(name) or next(
        (str(path) for place in more_places for path in sorted(Path("/").glob(place), reverse=True)), None
    )
    if found is None:
        raise FileNotFoundError(f"{name} is missing. On Debian and Ubuntu: apt-get install {package}")
    return found
