"""Load at a constant rate, whether or not the server keeps up: an open loop.

A request's latency counts from the moment it was due, so a server that hangs is charged for everybody who would have
come meanwhile (wrk and its like wait with the server: "coordinated omission"). A process of its own:
`python -m apps.recommend.benchmarks.serving.paced FOLDER` reads load.json, requests.json and order.npy there and
writes figures.npz. Knows neither Django nor threads.
"""

import gc
import json
import re
import select
import socket
import sys
import time
from collections import deque
from pathlib import Path

import numpy as np

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_GIVE_UP = 10.0  # seconds an answer may take
_DROPPED = 0  # instead of a status


class _Connections:
    """Sockets to one address; a broken one is replaced."""

    def __init__(self, address: tuple[str, int], size: int) -> None:
        self._address = address
        self.free = deque(self._open() for _ in range(size))
        self.busy: dict[int, tuple[socket.socket, int, float, bytearray]] = {}

    def _open(self) -> socket.socket:
        opened = socket.create_connection(self._address, timeout=_GIVE_UP)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened

    def send(self, number: int, request: bytes) -> None:
        """Send request `number` on a free connection."""
        used = self.free.popleft()
        self.busy[used.fileno()] = (used, number, time.perf_counter(), bytearray())
        try:
            used.sendall(request)
        except OSError:
            pass  # reading will tell

    def release(self, descriptor: int, *, broken: bool) -> None:
        """The connection is free again."""
        used = self.busy.pop(descriptor)[0]
        if broken:
            used.close()
            used = self._open()
        self.free.append(used)


def drive(folder: Path) -> None:
    """Send what the folder describes and write when each request was due, sent and answered, and how."""
    plan = json.loads((folder / "load.json").read_text())
    requests = [text.encode() for text in json.loads((folder / "requests.json").read_text())]
    order = np.load(folder / "order.npy")
    count = len(order)
    mark = plan["mark"].encode()
    sequence = order.tolist()
    sent, answered = np.zeros(count), np.full(count, np.nan)
    status, marked = np.zeros(count, np.int16), np.zeros(count, bool)
    connections = _Connections((plan["host"], plan["port"]), plan["connections"])
    gc.collect()
    gc.disable()
    began = time.time() + 0.5
    start = time.perf_counter() + 0.5
    # Rate 0: each as soon as there is a connection.
    due = start + (np.arange(count) / plan["rate"] if plan["rate"] else np.zeros(count))
    moments = due.tolist()
    following = finished = 0
    while finished < count:
        now = time.perf_counter()
        while following < count and connections.free and moments[following] <= now:
            sent[following] = now
            connections.send(following, requests[sequence[following]])
            following += 1
            now = time.perf_counter()
        wait = 0.5
        if following < count and connections.free:
            wait = min(max(moments[following] - now, 0.0), wait)
        # select counts microseconds, epoll only milliseconds; there are few connections.
        readable = select.select(list(connections.busy), [], [], wait)[0]
        for descriptor in readable or _overdue(connections):
            said = _read(connections, descriptor, gave_up=not readable)
            if said is None:
                continue
            number, code, body = said
            answered[number] = time.perf_counter()
            status[number] = code
            marked[number] = bool(mark) and mark in body
            connections.release(descriptor, broken=code == _DROPPED)
            finished += 1
    if not plan["rate"]:
        due = sent
    np.savez(
        folder / "figures.npz",
        began=began,
        due=due - start,
        late=sent - due,
        latency=answered - due,
        status=status,
        marked=marked,
    )


def _overdue(connections: _Connections) -> list[int]:
    now = time.perf_counter()
    return [descriptor for descriptor, (_, _, since, _) in connections.busy.items() if now - since > _GIVE_UP]


def _read(connections: _Connections, descriptor: int, *, gave_up: bool) -> tuple[int, int, bytes] | None:
    """What has come: number, status and body, or None while it is not complete."""
    used, number, _, heard = connections.busy[descriptor]
    if gave_up:
        return number, _DROPPED, b""
    try:
        part = used.recv(262_144)
    except OSError:
        part = b""
    if not part:
        return number, _DROPPED, b""
    heard += part
    end = heard.find(b"\r\n\r\n")
    if end < 0:
        return None
    length = _LENGTH.search(heard, 0, end + 2)
    if length is not None:
        complete = len(heard) >= end + 4 + int(length[1])
    elif _CHUNKED.search(heard, 0, end + 2):
        complete = heard.endswith(b"\r\n0\r\n\r\n")
    else:
        return number, _DROPPED, b""
    if not complete:
        return None
    return number, int(heard[9:12]), bytes(heard[end + 4 :])


if __name__ == "__main__":
    drive(Path(sys.argv[1]))
