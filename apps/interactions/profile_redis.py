"""Profiles in Redis, shared by all processes, and in this process's memory for as long as Redis vouches for them.

Redis may lose any of it at any time: the database has everything. Values live for an hour, so that whatever an outage
kept from being said is not wrong for longer than that.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import redis

from apps.interactions import profile_bytes as form
from apps.interactions import profile_rows, profile_scripts
from apps.interactions.coherent_cache import CoherentCache
from apps.interactions.profile_bytes import Stored
from apps.interactions.profile_rows import DatabaseAway, Profile
from apps.users.services import Moved

REMEMBERED = 10_000
"""Profiles a process keeps, some 3 kB each."""
PROFILE_SECONDS = 3600
UNKNOWN_SECONDS = 300
STUB_SECONDS = 60
"""Longer than anybody takes from reading the database to writing here what it said."""
_CHUNK = 100
"""Users of one round trip: some milliseconds of Redis's time, so that nobody else waits for long."""
_OWED_MAX = 100_000
_NOBODY = object()


class RedisAway(Exception):
    """Redis could not be asked."""


class RedisProfiles:
    """The profiles of one Redis. Thread-safe; made for one process."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._prefix = prefix.encode()
        self._memory = CoherentCache(self._line, prefix=prefix, size=REMEMBERED)
        self._owed: dict[str, Moved] = {}
        self._owed_lock = threading.Lock()

    def profile(self, external_id: str) -> Profile | None:
        """The user with this id, or the one they were merged into; None when nobody has it.

        From this process's memory about 1 µs; from Redis one round trip; from the database one query and two round
        trips. Raises RedisAway, and DatabaseAway where Redis does not have it either.
        """
        name = external_id
        kept = self._memory.get(name)
        if type(kept) is str:  # a merged visitor
            name = kept
            kept = self._memory.get(name)
        if kept is not None:
            return None if kept is _NOBODY else kept
        if self._owed:
            self._settle()
        awaited = self._memory.expect(name)
        remember: Any = None
        try:
            stored, said = self._fetch(name)
            if said.kind in (form.PROFILE, form.UNKNOWN) and not stored.abandoned and not said.abandoned:
                found = None if said.row is None else said.row.profile()
                if stored.mark == form.NO_MARK:
                    remember = stored.alias or found or _NOBODY
                return found
        finally:
            self._memory.keep(name, awaited, remember)
        return self._rebuilt(external_id, stored, said)

    def changing(self, users: Sequence[Moved]) -> bytes:
        """Say that these users are about to change: to be called in the transaction, when their rows are locked.

        Returns what `changed` wants to hear. Should nobody call that, the database is asked again two seconds from now.
        """
        mark = form.new_mark()
        try:
            for some in _chunks(users):
                self._run(profile_scripts.MARK, [user.external_id for user in some], mark, STUB_SECONDS)
        except RedisAway:
            pass  # `changed` will most likely find the same, and remembers what it could not say
        return mark

    def changed(self, users: Sequence[Moved], mark: bytes, new: Mapping[int, bytes]) -> None:
        """Say that what was announced has been committed, with each user's `new` taste (packed) by id.

        One round trip for a hundred users. What cannot be said now is said when Redis is back.
        """
        try:
            for some in _chunks(users):
                said = [part for user in some for part in (user.id, user.revision, new.get(user.id, b""))]
                names = [user.external_id for user in some]
                self._run(profile_scripts.ADVANCE, names, mark, PROFILE_SECONDS, STUB_SECONDS, *said)
        except RedisAway:
            self._owe(users)
        finally:
            self._memory.drop([user.external_id for user in users])

    def forget(self) -> None:
        """Drop what this process remembers, and what it still had to say."""
        self._memory.clear()
        self._owed.clear()

    def close(self) -> None:
        """Remember nothing any more."""
        self._memory.close()

    def _line(self) -> redis.Connection:
        pool = self._client.connection_pool
        patient = {"protocol": 3, "socket_timeout": 1.0, "socket_connect_timeout": 1.0}
        connection: redis.Connection = pool.connection_class(**pool.connection_kwargs | patient)
        return connection

    def _run(self, script: str, names: Sequence[str], *arguments: Any) -> Any:
        keys = [self._prefix + name.encode() for name in names]
        try:
            return profile_scripts.run(self._client, script, keys, *arguments)
        except redis.RedisError as problem:
            raise RedisAway(str(problem)) from problem

    def _fetch(self, name: str) -> tuple[Stored, Stored]:
        """What is kept under the id, and what is kept of the person: the same, but for merged visitors."""
        answer = self._run(profile_scripts.GET, [name], self._prefix)
        if not isinstance(answer, list):
            stored = form.unpack(answer)
            return stored, stored
        return form.unpack(answer[0]), form.unpack(answer[1] if len(answer) > 1 else None)

    def _rebuilt(self, external_id: str, stored: Stored, said: Stored) -> Profile | None:
        try:
            row = profile_rows.read(external_id)
        except DatabaseAway:
            if said.row is not None:  # somebody died changing this; it is not much out of date
                return said.row.profile()
            raise
        dead = next((one.mark for one in (said, stored) if one.abandoned), form.NO_MARK)
        if row is None:
            values: dict[str, tuple[int, int, int, bytes]] = {external_id: (0, 0, UNKNOWN_SECONDS, form.pack_unknown())}
        else:
            taste = row.taste or b""
            values = {row.external_id: (row.id, row.revision, PROFILE_SECONDS, form.pack_profile(row, taste))}
            if external_id != row.external_id:
                values[external_id] = (*row.own, PROFILE_SECONDS, form.pack_alias(row))
        try:
            self._run(profile_scripts.PUT, list(values), dead, *(part for value in values.values() for part in value))
        except RedisAway:
            pass  # rebuilt again next time
        return None if row is None else row.profile()

    def _owe(self, users: Sequence[Moved]) -> None:
        with self._owed_lock:
            for user in users[: _OWED_MAX - len(self._owed)]:
                self._owed[user.external_id] = user

    def _settle(self) -> None:
        """Say what could not be said before, so that what was missed is rebuilt. Raises RedisAway."""
        with self._owed_lock:
            users = list(self._owed.values())
        for some in _chunks(users):
            said = [part for user in some for part in (user.id, user.revision, b"")]
            names = [user.external_id for user in some]
            self._run(profile_scripts.ADVANCE, names, form.NO_MARK, PROFILE_SECONDS, STUB_SECONDS, *said)
            with self._owed_lock:
                for user in some:
                    if self._owed.get(user.external_id) is user:
                        del self._owed[user.external_id]


def _chunks(users: Sequence[Moved]) -> Iterator[Sequence[Moved]]:
    for start in range(0, len(users), _CHUNK):
        yield users[start : start + _CHUNK]
