"""Real processes beside the test: an address, a database and patience for them."""

import socket
import time
from collections.abc import Callable

from django.db import connection


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def database_url() -> str:
    """The test's own database. What the test has not committed, others do not see there."""
    said = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{said['NAME']}"
    return f"postgres://{said['USER']}:{said['PASSWORD']}@{said['HOST']}:{said['PORT']}/{said['NAME']}"


def until(true: Callable[[], object], *, patience: float = 60, otherwise: Callable[[], str] = str) -> None:
    """Wait until something is true. `patience` (seconds) is only ever used up where something is broken."""
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.05)
