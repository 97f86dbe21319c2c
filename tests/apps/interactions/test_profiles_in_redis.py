"""Profiles in Redis: fast while it is there, right while it comes and goes. Needs a Redis (REDIS_URL)."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
import redis
from django.conf import settings
from django.core.cache import cache
from django.db import OperationalError, connection

from apps.interactions import profile_bytes, profile_redis, profile_rows, profiles
from apps.interactions.profile_redis import RedisProfiles
from apps.interactions.profiles import ProfileOutOfReach, profile
from apps.interactions.selectors import recent_taste
from apps.interactions.services import EventInput, events_record
from apps.users.services import user_erase, users_merge
from recsys.redis_cache import Client, Pool
from tests.factories import make_events, make_items, make_user
from tests.processes import free_port, until

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def server(_commits_are_at_once: None) -> redis.Redis:
    if not settings.REDIS_URL:
        pytest.skip("needs Redis (REDIS_URL)")
    make_items({}, {}, {})
    connected = profiles._connected()
    assert connected is not None
    listening(connected)
    client: redis.Redis = cache.client.get_client()
    return client


@pytest.fixture
def other(server: redis.Redis) -> Iterator[RedisProfiles]:
    """What another process has."""
    with closing(RedisProfiles(server, str(cache.make_key("profile:")))) as made:
        listening(made)
        yield made


def listening(store: RedisProfiles) -> None:
    store.profile("nobody")
    until(lambda: store._memory.listening)


def key(name: str) -> str:
    return str(cache.make_key(f"profile:{name}"))


def trips(server: redis.Redis) -> int:
    """Round trips of profiles so far."""
    stats = server.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("evalsha", "eval"))


def refuse(*args: Any) -> None:
    raise OperationalError("the server closed the connection unexpectedly")


@pytest.fixture
def no_database(server: redis.Redis) -> Iterator[None]:
    with connection.execute_wrapper(refuse):
        yield


def view(user: str, item: str = "item-1") -> EventInput:
    return EventInput(event_type="view", user_id=user, item_id=item)


def test_who_is_remembered_costs_neither_a_query_nor_a_round_trip(
    server: redis.Redis, django_assert_num_queries: Any
) -> None:
    make_events("ann", ["item-1"])
    profile("ann")
    profile("ann")
    before = trips(server)
    with django_assert_num_queries(0):
        assert profile("ann") is profile("ann")
        assert len(profile("ann").taste) == 1  # type: ignore[union-attr]
    assert trips(server) == before


@pytest.mark.parametrize("name", ["ann", "v", "nobody"])
def test_who_is_in_redis_costs_one_round_trip_also_a_merged_visitor_or_nobody(
    name: str, server: redis.Redis, other: RedisProfiles, django_assert_num_queries: Any
) -> None:
    make_events("v", ["item-1"], anonymous=True)
    users_merge("v", "ann")
    profile(name)
    profile(name)
    before = trips(server)
    with django_assert_num_queries(0):
        found = other.profile(name)
    assert trips(server) == before + 1
    assert (None if found is None else found.external_id) == (None if name == "nobody" else "ann")
    with django_assert_num_queries(0):
        other.profile(name)
        other.profile(name)
    assert trips(server) <= before + 2  # the person behind a visitor is remembered when asked for a second time


def test_what_one_process_records_another_knows_with_its_next_look(other: RedisProfiles) -> None:
    make_user("ann")
    other.profile("ann")
    for count in range(1, 30):
        assert len(other.profile("ann").taste) == count - 1  # type: ignore[union-attr]
        assert other._memory.get("ann") is not None
        make_events("ann", ["item-1"])
        assert len(other.profile("ann").taste) == count  # type: ignore[union-attr]


def test_a_batch_costs_two_round_trips_however_many_users_it_has(
    server: redis.Redis, django_assert_max_num_queries: Any
) -> None:
    names = [f"u{n}" for n in range(100)]
    events_record([view(name) for name in names])
    for name in names:
        profile(name)
    before = trips(server)
    with django_assert_max_num_queries(12):
        events_record([view(name, "item-2") for name in names])
    assert trips(server) == before + 2
    with connection.execute_wrapper(refuse):
        assert {len(profile(name).taste) for name in names} == {2}  # type: ignore[union-attr]


def test_a_process_that_dies_behind_its_commit_leaves_nobody_wrong_for_long(
    monkeypatch: pytest.MonkeyPatch, other: RedisProfiles, django_assert_num_queries: Any
) -> None:
    make_events("ann", ["item-1"])
    profile("ann")
    assert len(other.profile("ann").taste) == 1  # type: ignore[union-attr]
    monkeypatch.setattr(profiles, "_when_committed", lambda run: None)
    make_events("ann", ["item-2"])
    with django_assert_num_queries(0):
        assert len(other.profile("ann").taste) == 1  # type: ignore[union-attr]
    later = time.time() + profile_bytes.BUSY_SECONDS
    monkeypatch.setattr(profile_bytes.time, "time", lambda: later)
    assert len(other.profile("ann").taste) == 2  # type: ignore[union-attr]
    with django_assert_num_queries(0):
        assert len(other.profile("ann").taste) == 2  # type: ignore[union-attr]


def test_the_next_event_after_such_a_death_counts_what_was_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    make_events("ann", ["item-1"])
    profile("ann")
    with monkeypatch.context() as dying:
        dying.setattr(profiles, "_when_committed", lambda run: None)
        make_events("ann", ["item-2"])
    make_events("ann", ["item-3"])
    assert len(profile("ann").taste) == 3  # type: ignore[union-attr]


def test_two_who_commit_in_one_order_and_write_in_the_other_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    make_events("ann", ["item-1"])
    profile("ann")
    late: list[Any] = []
    with monkeypatch.context() as slow:
        slow.setattr(profiles, "_when_committed", late.append)
        make_events("ann", ["item-2"])
    make_events("ann", ["item-3"])
    assert len(profile("ann").taste) == 3  # type: ignore[union-attr]
    late[0]()
    assert len(profile("ann").taste) == 3  # type: ignore[union-attr]


@pytest.mark.parametrize("rebuilt", [True, False])
def test_a_slow_reader_never_puts_an_old_profile_over_a_newer_one(rebuilt: bool, other: RedisProfiles) -> None:
    make_events("ann", ["item-1"])
    read = profile_rows.read

    def overtaken(*args: Any) -> Any:
        row = read(*args)
        slow.undo()
        make_events("ann", ["item-2"])
        if rebuilt:
            assert len(profile("ann").taste) == 2  # type: ignore[union-attr]
        return row

    with pytest.MonkeyPatch.context() as slow:
        slow.setattr(profile_rows, "read", overtaken)
        other.profile("ann")
    assert len(other.profile("ann").taste) == 2  # type: ignore[union-attr]
    assert len(profile("ann").taste) == 2  # type: ignore[union-attr]


def test_a_slow_reader_does_not_bring_an_erased_user_back(
    monkeypatch: pytest.MonkeyPatch, other: RedisProfiles, server: redis.Redis
) -> None:
    make_events("ann", ["item-1"])
    read = profile_rows.read

    def overtaken(*args: Any) -> Any:
        row = read(*args)
        user_erase("ann")
        return row

    with monkeypatch.context() as slow:
        slow.setattr(profile_rows, "read", overtaken)
        other.profile("ann")
    assert other.profile("ann") is None
    assert profile("ann") is None
    assert server.ttl(key("ann")) <= profile_redis.STUB_SECONDS, "the id itself is gone soon, too"


def test_a_change_while_a_value_is_fetched_wins(monkeypatch: pytest.MonkeyPatch, other: RedisProfiles) -> None:
    make_events("ann", ["item-1"])
    profile("ann")
    fetch = other._fetch

    def overtaken(name: str) -> Any:
        found = fetch(name)
        make_events("ann", ["item-2"])
        return found

    with monkeypatch.context() as slow:
        slow.setattr(other, "_fetch", overtaken)
        other.profile("ann")
    assert len(other.profile("ann").taste) == 2  # type: ignore[union-attr]


def test_who_was_nobody_a_moment_ago_is_not_asked_for_again(django_assert_num_queries: Any) -> None:
    profile("nobody else")
    with django_assert_num_queries(0):
        assert profile("nobody else") is None


def test_whatever_redis_loses_comes_back(server: redis.Redis, other: RedisProfiles) -> None:
    make_events("ann", ["item-1"])
    for _ in range(2):
        assert len(profile("ann").taste) == len(other.profile("ann").taste) == 1  # type: ignore[union-attr]
        cache.delete_pattern("*")
        server.script_flush()


def test_a_value_of_another_version_is_no_value(server: redis.Redis) -> None:
    make_events("ann", ["item-1"])
    server.set(key("ann"), b"\xff" * 60)
    assert len(profile("ann").taste) == 1  # type: ignore[union-attr]
    server.set(key("ann"), b"")
    assert len(profile("ann").taste) == 1  # type: ignore[union-attr]


@pytest.mark.django_db(transaction=True)
def test_whoever_writes_and_reads_at_once_all_know_everything_in_the_end(other: RedisProfiles) -> None:
    names = ["ann", "bob", "eve"]

    def write(writer: int) -> None:
        try:
            for number in range(12):
                events_record([view(name) for name in names[(writer + number) % 3 :]])
        finally:
            connection.close()

    def read(store: Any) -> None:
        seen = dict.fromkeys(names, (0, 0))
        try:
            while not done.is_set():
                for name in names:
                    found = store.profile(name)
                    if found is not None:
                        assert (found.revision, len(found.taste)) >= seen[name], "nobody goes back in time"
                        seen[name] = (found.revision, len(found.taste))
        finally:
            connection.close()

    done = threading.Event()
    with ThreadPoolExecutor(6) as pool:
        readers = [pool.submit(read, store) for store in (profiles, other)]
        writers = [pool.submit(write, writer) for writer in range(4)]
        for writer in writers:
            writer.result()
        done.set()
        for reader in readers:
            reader.result()
    for name in names:
        for store in (profiles, other):
            found = store.profile(name)
            assert found is not None
            stored = recent_taste(found.id)
            assert found.taste.item_ids.tolist() == stored.item_ids.tolist()
            assert found.taste.times.tolist() == stored.times.tolist()


class TestOutage:
    @pytest.fixture
    def away(self) -> Client:
        """A client whose server is not there."""
        pool = Pool.from_url(f"redis://127.0.0.1:{free_port()}/0", socket_timeout=0.05, socket_connect_timeout=0.05)
        return Client(connection_pool=pool)

    def test_without_redis_the_database_knows(self, away: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        make_events("ann", ["item-1"])
        with closing(RedisProfiles(away, "x")) as store:
            monkeypatch.setattr(profiles, "_redis", store)
            assert len(profile("ann").taste) == 1  # type: ignore[union-attr]
            make_events("ann", ["item-1"])
            assert len(profile("ann").taste) == 2  # type: ignore[union-attr]

    def test_without_either_nobody_is_known_and_that_is_said(
        self, away: Client, monkeypatch: pytest.MonkeyPatch, no_database: None
    ) -> None:
        with closing(RedisProfiles(away, "x")) as store:
            monkeypatch.setattr(profiles, "_redis", store)
            with pytest.raises(ProfileOutOfReach):
                profile("ann")

    def test_without_the_database_redis_knows(self, other: RedisProfiles) -> None:
        make_events("ann", ["item-1"])
        profile("ann")
        with connection.execute_wrapper(refuse):
            assert len(other.profile("ann").taste) == 1  # type: ignore[union-attr]
            with pytest.raises(ProfileOutOfReach):
                profile("bob")

    def test_what_could_not_be_said_is_said_when_redis_is_back(
        self, server: redis.Redis, away: Client, other: RedisProfiles, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_events("ann", ["item-1"])
        assert len(other.profile("ann").taste) == 1  # type: ignore[union-attr]
        store = profiles._redis
        assert store is not None
        with monkeypatch.context() as outage:
            outage.setattr(store, "_client", away)
            make_events("ann", ["item-2"])
        profile("anybody")
        assert len(profile("ann").taste) == 2  # type: ignore[union-attr]
        assert len(other.profile("ann").taste) == 2  # type: ignore[union-attr]

    def test_what_is_not_vouched_for_is_not_remembered(self, server: redis.Redis, other: RedisProfiles) -> None:
        make_events("ann", ["item-1"])
        other.profile("ann")
        other.profile("ann")
        assert other._memory.get("ann") is not None
        line = other._memory._line
        assert line is not None
        line._socket.shutdown(2)
        assert other._memory.get("ann") is None
        make_events("ann", ["item-2"])
        assert len(other.profile("ann").taste) == 2  # type: ignore[union-attr]
        until(lambda: other._memory.listening)
        other.profile("ann")
        assert other._memory.get("ann") is not None
