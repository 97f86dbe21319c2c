"""A process's memory of values in Redis that is never older than Redis's own word.

One connection hears which keys changed (`CLIENT TRACKING … BCAST`, RESP3) and does nothing else, so any other may read
and write. Whoever looks a value up first takes in what has been heard: one `poll`, half a microsecond, no round trip.
While nothing can be heard, nothing is remembered.

redis-py has such a cache too, but a hit costs 31 µs, a change walks through all that is remembered, and it wants
Redis 7.4.
"""

import select
import socket
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import hiredis
import redis
import structlog

PING_SECONDS = 1.0
ANSWER_SECONDS = 1.5
"""A connection on which a ping is not answered within that time is given up, and all it vouched for."""
RETRY_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Awaited:
    """Stands for a value that is being fetched. If the key changes meanwhile, its place is gone and nothing is kept."""


class CoherentCache:
    """Values by name, `size` at most, the least recently used go first. Thread-safe; made for one process."""

    def __init__(self, connect: Callable[[], redis.Connection], *, prefix: str, size: int) -> None:
        self._connect = connect
        self._prefix = prefix.encode()
        self._size = size
        self._kept: OrderedDict[str, Any] = OrderedDict()
        self._lock = threading.Lock()
        self._line: _Line | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def get(self, name: str) -> Any:
        """The value, None where there is none. About 1 µs; never waits for the network."""
        line = self._line
        if line is None:
            if self._thread is None:
                self._start()
            return None
        # First the poll: who took in what was to be heard says so before, and until it has been acted on.
        if line.ears.poll(0) or line.busy:
            self._hear(line)
        value = self._kept.get(name)
        if value is None or type(value) is Awaited:
            return None
        try:
            self._kept.move_to_end(name)
        except KeyError:  # changed this moment
            return None
        return value

    def expect(self, name: str) -> Awaited | None:
        """Say that the value is about to be fetched; hand what is returned to `keep`."""
        with self._lock:
            if self._line is None:
                return None
            awaited = self._kept[name] = Awaited()
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)
            return awaited

    def keep(self, name: str, awaited: Awaited | None, value: Any) -> None:
        """Remember what was fetched, unless it changed since `expect`; None forgets."""
        with self._lock:
            if awaited is not None and self._kept.get(name) is awaited:
                if value is None:
                    del self._kept[name]
                else:
                    self._kept[name] = value

    def drop(self, names: list[str]) -> None:
        """Forget these values."""
        with self._lock:
            for name in names:
                self._kept.pop(name, None)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()

    def close(self) -> None:
        """Hear and remember nothing any more."""
        self._closed = True
        line = self._line
        if line is not None:
            self._lose(line, None)

    @property
    def listening(self) -> bool:
        """Whether changes are heard, and values therefore remembered."""
        return self._line is not None

    def __len__(self) -> int:
        return len(self._kept)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._listen, name="redis-changes", daemon=True)
                self._thread.start()

    def _listen(self) -> None:
        failing = False
        while not self._closed:
            try:
                line = _Line(self._connect(), self._prefix)
            except (redis.RedisError, OSError, hiredis.HiredisError) as problem:
                if not failing:
                    log.warning("changes in Redis not heard; nothing is remembered", problem=str(problem))
                failing = True
                time.sleep(RETRY_SECONDS)
                continue
            if failing:
                log.info("changes in Redis heard again")
            failing = False
            self._line = line
            while self._line is line:
                line.ears.poll(PING_SECONDS * 1000)
                self._hear(line)
                self._check(line)

    def _check(self, line: "_Line") -> None:
        """Make sure that silence means that nothing changed."""
        now = time.monotonic()
        try:
            if line.asked_at is not None and now - line.asked_at > ANSWER_SECONDS:
                raise OSError("no answer to a ping")
            if line.asked_at is None and now - line.last_heard >= PING_SECONDS:
                line.ping()
        except OSError as problem:
            self._lose(line, problem)

    def _hear(self, line: "_Line") -> None:
        """Take in everything that is there to be heard, and act on it."""
        with line.lock:
            line.busy = True
            try:
                changed = line.changed()
                with self._lock:
                    if changed is None:
                        self._kept.clear()
                    else:
                        for name in changed:
                            self._kept.pop(name, None)
            except (OSError, hiredis.HiredisError) as problem:
                self._lose(line, problem)
            finally:
                line.busy = False

    def _lose(self, line: "_Line", problem: Exception | None) -> None:
        with self._lock:
            if self._line is not line:
                return
            self._line = None
            self._kept.clear()
        line.close()
        if problem is not None:
            log.warning("changes in Redis no longer heard; nothing is remembered", problem=str(problem))


class _Ears(threading.local):
    """Whether something is there to be heard; one poll object for each thread, which cannot share one."""

    def __init__(self, descriptor: int) -> None:
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        self.poll = poller.poll


class _Line:
    """The connection that hears which keys below `prefix` changed. `lock` is held by who takes in what it says."""

    def __init__(self, connection: redis.Connection, prefix: bytes) -> None:
        connection.connect()
        self.lock = threading.Lock()
        self.busy = False
        self.last_heard = time.monotonic()
        self.asked_at: float | None = None  # when the ping was sent that nothing has come after yet
        self._connection = connection
        self._prefix = prefix
        self._reader = hiredis.Reader()
        # The socket itself: redis-py's ways of reading take ten times as long, and its parser must see none of this.
        opened: Any = connection._sock
        self._socket: socket.socket = opened
        self._socket.sendall(*connection.pack_command("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", prefix))
        while (answer := self._reader.gets()) is False or isinstance(answer, hiredis.PushNotification):
            if not (data := self._socket.recv(65536)):
                raise OSError("Redis closed the connection")
            self._reader.feed(data)
        if isinstance(answer, Exception):
            raise answer
        self._socket.setblocking(False)
        self.ears = _Ears(self._socket.fileno())

    def changed(self) -> list[str] | None:
        """Names that changed since the last call; None: all. Raises OSError when the connection is gone."""
        names: list[str] = []
        everything = False
        while True:
            try:
                data = self._socket.recv(65536)
            except (BlockingIOError, ssl.SSLWantReadError):
                return None if everything else names
            if not data:
                raise OSError("Redis closed the connection")
            self.last_heard, self.asked_at = time.monotonic(), None
            self._reader.feed(data)
            while (said := self._reader.gets()) is not False:
                if isinstance(said, hiredis.PushNotification) and said[0] == b"invalidate":
                    if said[1] is None:
                        everything = True
                    else:
                        names += [key[len(self._prefix) :].decode(errors="replace") for key in said[1]]

    def ping(self) -> None:
        """Have Redis say something."""
        self.asked_at = time.monotonic()
        self._socket.sendall(*self._connection.pack_command("PING"))

    def close(self) -> None:
        """Hang up."""
        self._connection.disconnect()
