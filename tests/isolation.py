"""Keeps a test run to itself: no network but this machine's, and no silent skips where everything must run."""

import ipaddress
import os
import socket
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

# A test that cannot run here says `pytest.skip("needs …")`. These needs depend on the run, not on the machine.
_BACKENDS = {
    "postgresql": ("DATABASE_URL", ("postgres",)),
    "redis": ("REDIS_URL", ("redis", "rediss", "unix")),
}


class NetworkForbidden(RuntimeError):
    """A test tried to reach another machine."""


def forbid_network(*, allowed: Sequence[str] = ()) -> None:
    """From now on this process can connect only to itself and to the hosts of the `allowed` URLs.

    Raises NetworkForbidden in whoever tries. Reaches what goes through Python's sockets.
    """
    hosts = {urlsplit(url).hostname for url in allowed} - {None}
    connect, connect_ex, getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def check(host: object) -> None:
        name = host.decode() if isinstance(host, bytes) else host
        if name is None or name in hosts or name in {"", "localhost", socket.gethostname()}:
            return
        try:
            if ipaddress.ip_address(str(name).split("%")[0]).is_loopback or name in {"0.0.0.0", "::"}:
                return
        except ValueError:
            pass
        raise NetworkForbidden(f"tests may not reach the network, and this one wants {name}")

    def address_of(sock: socket.socket, address: Any) -> None:
        if sock.family in {socket.AF_INET, socket.AF_INET6}:
            check(address[0])

    def guarded_connect(sock: socket.socket, address: Any) -> None:
        address_of(sock, address)
        connect(sock, address)

    def guarded_connect_ex(sock: socket.socket, address: Any) -> int:
        address_of(sock, address)
        return connect_ex(sock, address)

    def guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        check(host)
        return getaddrinfo(host, *args, **kwargs)

    socket.socket.connect = guarded_connect  # type: ignore[method-assign]
    socket.socket.connect_ex = guarded_connect_ex  # type: ignore[method-assign]
    socket.getaddrinfo = guarded_getaddrinfo


def refuse_needless_skip(report: Any) -> Any:
    """Turn the skip of a test that "needs" something into a failure; pass every other report on.

    A need for PostgreSQL or Redis counts only in a run that was given one.
    """
    reason = _skip_reason(report)
    if reason.lower().startswith("needs") and not _for_another_run(reason.lower()):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {reason}"
    return report


def _skip_reason(report: Any) -> str:
    if report.outcome != "skipped" or hasattr(report, "wasxfail") or not isinstance(report.longrepr, tuple):
        return ""
    return str(report.longrepr[2]).removeprefix("Skipped: ")


def _for_another_run(reason: str) -> bool:
    return any(
        name in reason and not os.environ.get(variable, "").startswith(schemes)
        for name, (variable, schemes) in _BACKENDS.items()
    )
