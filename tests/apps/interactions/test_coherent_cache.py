"""A process remembers a value only for as long as it would hear of its change. The other end here is no Redis."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import redis

from apps.interactions import coherent_cache
from apps.interactions.coherent_cache import CoherentCache
from tests.processes import until

PREFIX = "test:"


class Server:
    """Says to whoever connects what it is told to say."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.answers_pings = True
        self.refuses = False
        self.lines = 0
        self._end: socket.socket | None = None

    def connect(self) -> Any:
        if self.refuses:
            raise redis.ConnectionError("refused")
        ours, theirs = socket.socketpair()
        self._end = theirs
        self.lines += 1
        threading.Thread(target=self._listen, args=(theirs,), daemon=True).start()
        return _Connection(ours)

    def _listen(self, end: socket.socket) -> None:
        while True:
            try:
                data = end.recv(65536)
            except OSError:
                return
            if not data:
                return
            self.heard.append(data)
            if b"TRACKING" in data:
                end.sendall(b"+OK\r\n")
            elif b"PING" in data and self.answers_pings:
                end.sendall(b"+PONG\r\n")

    def say(self, data: bytes) -> None:
        assert self._end is not None
        self._end.sendall(data)

    def changed(self, *names: str) -> None:
        keys = b"".join(b"$%d\r\n%s\r\n" % (len(key), key) for key in (f"{PREFIX}{name}".encode() for name in names))
        self.say(b">2\r\n$10\r\ninvalidate\r\n*%d\r\n%s" % (len(names), keys))

    def hang_up(self) -> None:
        assert self._end is not None
        self._end.shutdown(socket.SHUT_RDWR)
        self._end.close()


class _Connection:
    def __init__(self, opened: socket.socket) -> None:
        self._sock = opened

    def connect(self) -> None:
        pass

    def disconnect(self) -> None:
        self._sock.close()

    def pack_command(self, *words: Any) -> list[bytes]:
        return [b" ".join(word if isinstance(word, bytes) else word.encode() for word in words)]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setattr(coherent_cache, "RETRY_SECONDS", 0.01)
    return Server()


@pytest.fixture
def cache(server: Server) -> Iterator[CoherentCache]:
    with closing(CoherentCache(server.connect, prefix=PREFIX, size=3)) as made:
        made.get("first")
        until(lambda: made.listening)
        yield made


def fetch(cache: CoherentCache, name: str, value: Any) -> None:
    cache.keep(name, cache.expect(name), value)


def test_it_asks_to_hear_of_every_key_below_its_prefix(server: Server, cache: CoherentCache) -> None:
    assert server.heard[0] == b"CLIENT TRACKING ON BCAST PREFIX test:"


def test_a_value_is_remembered_until_its_key_changes(server: Server, cache: CoherentCache) -> None:
    for name in ("a", "é"):
        fetch(cache, name, name * 2)
        assert cache.get(name) == name * 2
    server.changed("é", "z")
    assert cache.get("é") is None
    assert cache.get("a") == "aa"


def test_what_comes_in_pieces_is_understood(server: Server, cache: CoherentCache) -> None:
    fetch(cache, "a", 1)
    server.say(b">2\r\n$10\r\ninval")
    assert cache.get("a") == 1
    server.say(b"idate\r\n*1\r\n$6\r\ntest:a\r\n")
    assert cache.get("a") is None


def test_when_everything_is_gone_nothing_is_remembered(server: Server, cache: CoherentCache) -> None:
    fetch(cache, "a", 1)
    server.say(b">2\r\n$10\r\ninvalidate\r\n_\r\n")
    assert cache.get("a") is None


def test_a_change_while_a_value_is_fetched_wins(server: Server, cache: CoherentCache) -> None:
    awaited = cache.expect("a")
    assert cache.get("a") is None
    server.changed("a")
    until(lambda: len(cache) == 0)
    cache.keep("a", awaited, "old")
    assert cache.get("a") is None


def test_of_two_who_fetch_a_value_the_later_one_is_believed(cache: CoherentCache) -> None:
    first, second = cache.expect("a"), cache.expect("a")
    cache.keep("a", first, "older")
    assert cache.get("a") is None
    cache.keep("a", second, "newer")
    assert cache.get("a") == "newer"


def test_the_least_recently_used_go_first(cache: CoherentCache) -> None:
    for name in "abc":
        fetch(cache, name, name)
    cache.get("a")
    fetch(cache, "d", "d")
    assert [cache.get(name) for name in "abcd"] == ["a", None, "c", "d"]


def test_what_is_forgotten_is_gone(cache: CoherentCache) -> None:
    for name in "abc":
        fetch(cache, name, name)
    cache.drop(["a", "x"])
    fetch(cache, "b", None)
    assert [cache.get(name) for name in "abc"] == [None, None, "c"]
    cache.clear()
    assert len(cache) == 0


def test_a_lost_connection_takes_everything_with_it_and_another_is_made(server: Server, cache: CoherentCache) -> None:
    fetch(cache, "a", 1)
    fetching = cache.expect("b")
    server.refuses = True
    server.hang_up()
    assert cache.get("a") is None
    until(lambda: not cache.listening)
    assert cache.expect("a") is None
    fetch(cache, "a", 1)
    assert cache.get("a") is None
    server.refuses = False
    until(lambda: cache.listening)
    cache.keep("b", fetching, "from before")
    assert cache.get("b") is None
    fetch(cache, "a", 2)
    assert cache.get("a") == 2


def test_silence_in_spite_of_pings_is_a_lost_connection(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coherent_cache, "PING_SECONDS", 0.02)
    monkeypatch.setattr(coherent_cache, "ANSWER_SECONDS", 0.5)
    with closing(CoherentCache(server.connect, prefix=PREFIX, size=3)) as cache:
        cache.get("first")
        until(lambda: any(b"PING" in data for data in server.heard))
        fetch(cache, "a", 1)
        assert cache.get("a") == 1
        server.answers_pings = False
        until(lambda: server.lines > 1)
        assert cache.get("a") is None


def test_no_thread_ever_sees_a_value_after_its_change_was_there_to_be_heard(
    server: Server, cache: CoherentCache
) -> None:
    wrong: list[tuple[int, int]] = []
    stored, told, stop = [0], [0], threading.Event()

    def read() -> None:
        while not stop.is_set():
            least = told[0]
            value = cache.get("a")
            if value is None:
                awaited = cache.expect("a")
                cache.keep("a", awaited, stored[0])
            elif value < least:
                wrong.append((value, least))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(1, 300):
        stored[0] = number
        server.changed("a")
        told[0] = number
    stop.set()
    for reader in readers:
        reader.join()
    assert not wrong
