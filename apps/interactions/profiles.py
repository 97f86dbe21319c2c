"""Who asks: a user's id, wishes, segments and recent taste, as a request needs them.

With Redis (REDIS_URL) a profile that is known costs no SQL: see profile_redis. Without it the database is asked each
time, in one query, whether what this process remembers is still right.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from django.conf import settings
from django.core.cache import cache
from django.db import transaction

from apps.api.values import MAX_ID_LENGTH
from apps.interactions import profile_rows
from apps.interactions.event_input import EventRow
from apps.interactions.profile_redis import REMEMBERED, RedisAway, RedisProfiles
from apps.interactions.profile_rows import DatabaseAway, Profile
from apps.interactions.taste import packed_rows
from apps.users.services import Moved

__all__ = ["Profile", "ProfileOutOfReach", "changing", "forget", "profile"]


class ProfileOutOfReach(Exception):
    """Nobody who could say who this is can be asked. Serve what a new visitor gets."""


class _Remembered:
    """The profiles a process read last, which the database says are still right."""

    def __init__(self) -> None:
        self._profiles: OrderedDict[str, Profile] = OrderedDict()
        self._lock = threading.Lock()

    def profile(self, external_id: str) -> Profile | None:
        """As the database says; while it is away, as it was last. One query. Raises DatabaseAway."""
        known = self._profiles.get(external_id)
        try:
            row = profile_rows.read(external_id, (known.id, known.revision) if known else (0, -1))
        except DatabaseAway:
            if known is None:
                raise
            return known
        if row is None:
            found = None
        elif known is not None and row.taste is None:
            found = known
        else:
            found = row.profile()
        with self._lock:
            self._profiles.pop(external_id, None)
            if found is not None:
                self._profiles[external_id] = found
                if len(self._profiles) > REMEMBERED:
                    self._profiles.popitem(last=False)
        return found

    def forget(self) -> None:
        self._profiles.clear()


_remembered = _Remembered()
_redis: RedisProfiles | None = None
_redis_lock = threading.Lock()


def profile(external_id: str) -> Profile | None:
    """The user with this id, or the one they were merged into; None when nobody has it.

    With Redis: about 1 µs where this process remembers them, else one round trip; a query only where Redis has lost
    them, and while it is away. Without: one query, which brings the taste only where it changed.
    Raises ProfileOutOfReach when neither can be asked and nothing is remembered.
    """
    if len(external_id) > MAX_ID_LENGTH or not external_id.isprintable():
        return None
    store = _redis or _connected()
    try:
        if store is not None:
            try:
                return store.profile(external_id)
            except RedisAway:
                pass  # said and counted by recsys.circuit
        return _remembered.profile(external_id)
    except DatabaseAway as away:
        raise ProfileOutOfReach(str(away)) from away


def changing(users: Sequence[Moved], new: Mapping[int, Sequence[EventRow]] | None = None) -> Callable[[], None]:
    """Say that these users' profiles change with the transaction that is under way and holds their rows.

    Call what is returned behind the transaction: from its commit on everybody sees what changed. `new` has users' new
    taste events by id, where that is all that changed. Two round trips for a hundred users.
    """
    store = _redis or _connected()
    if store is None or not users:
        return _nothing
    mark = store.changing(users)
    taste = {user_id: packed_rows(rows) for user_id, rows in (new or {}).items()}
    return lambda: _when_committed(lambda: store.changed(users, mark, taste))


def forget() -> None:
    """Drop what this process remembers."""
    _remembered.forget()
    if _redis is not None:
        _redis.forget()


def _when_committed(run: Callable[[], None]) -> None:
    transaction.on_commit(run)


def _nothing() -> None:
    pass


def _connected() -> RedisProfiles | None:
    global _redis
    if not settings.REDIS_URL:
        return None
    with _redis_lock:
        if _redis is None:
            client = cache.client.get_client()  # type: ignore[attr-defined]  # django-redis's
            _redis = RedisProfiles(client, str(cache.make_key("profile:")))
        return _redis


def _start_afresh() -> None:
    global _redis
    _redis = None  # neither the connection nor the thread that hears of changes is a forked process's own


os.register_at_fork(after_in_child=_start_afresh)
