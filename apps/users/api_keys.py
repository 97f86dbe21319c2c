"""API keys: made once, stored hashed, looked up for every request, in what this process read of them last."""

import hashlib
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from apps.users.models import ApiKey

SCOPES = {
    "recommendations:read": "Read recommendations and search",
    "recommendations:trace": "See how answers came about",
    "events:write": "Send events",
    "catalog:read": "Read items and categories",
    "catalog:write": "Write items",
    "users:read": "Read and export users",
    "users:write": "Write, merge and erase users",
}
PUBLIC_SCOPES = frozenset({"recommendations:read", "events:write"})
REFRESH_SECONDS = 2.0
"""How often keys are read anew, where somebody calls `refresh_keys`; without that, when somebody asks."""
REMEMBERED_SECONDS = 5.0
"""After that long a revoked key is refused by every process. Only while the database is away, keys are kept longer."""
LOOKUPS_PER_SECOND = 20
"""Queries that keys nobody knows may cost a process."""

_PREFIXES = {ApiKey.Kind.SECRET: "sk_", ApiKey.Kind.PUBLIC: "pk_"}
_MAX_REFUSED = 10_000


@dataclass(frozen=True)
class KeyFacts:
    """Who is calling: what a key may do. Stands in for the user in DRF, so it answers `is_authenticated`."""

    id: int
    name: str
    public: bool
    scopes: frozenset[str]
    origins: frozenset[str]
    expires_at: datetime | None
    revoked_at: datetime | None

    is_authenticated = True

    @property
    def valid(self) -> bool:
        """Neither revoked nor expired, as of now."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())

    def allows_origin(self, origin: str) -> bool:
        """Whether a browser page of `origin` may use this key."""
        return "*" in self.origins or origin in self.origins


@dataclass(frozen=True, slots=True)
class _Keys:
    """All keys as they were when `read_at` (monotonic seconds)."""

    read_at: float
    by_digest: dict[str, KeyFacts]
    origins: frozenset[str]  # that some valid public key allows


class _Lookups:
    """How many keys that are in no snapshot may still be asked for, and which of them nobody has. Thread-safe."""

    def __init__(self) -> None:
        self._refused: dict[str, float] = {}
        self._left = float(LOOKUPS_PER_SECOND)
        self._counted_at = 0.0
        self._lock = threading.Lock()

    def allowed(self, digest: str) -> bool:
        with self._lock:
            now = time.monotonic()
            if now - self._refused.get(digest, -REMEMBERED_SECONDS) < REMEMBERED_SECONDS:
                return False
            self._left = min(self._left + (now - self._counted_at) * LOOKUPS_PER_SECOND, LOOKUPS_PER_SECOND)
            self._counted_at = now
            if self._left < 1:
                return False
            self._left -= 1
            return True

    def refuse(self, digest: str) -> None:
        with self._lock:
            if len(self._refused) >= _MAX_REFUSED:
                self._refused.clear()
            self._refused[digest] = time.monotonic()


_keys: _Keys | None = None
_followed_at = float("-inf")
_forgotten = 0
_lookups = _Lookups()


def api_key_create(
    *,
    name: str,
    kind: str = ApiKey.Kind.SECRET,
    scopes: Sequence[str] | None = None,
    allowed_origins: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its text, which is not stored and cannot be shown again.

    A secret key gets `scopes` (all of them when None); a public one always reads recommendations and sends events,
    from `allowed_origins`. Raises ValueError for an unknown kind or scope, or an origin that is none.
    """
    kind = ApiKey.Kind(kind)
    scopes = list(SCOPES) if scopes is None else list(scopes)
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise ValueError(f"There is no scope {unknown[0]!r}. Known: {', '.join(SCOPES)}.")
    plain = _PREFIXES[kind] + secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        name=name,
        kind=kind,
        prefix=plain[:10],
        digest=_digest(plain),
        scopes=sorted(PUBLIC_SCOPES) if kind == ApiKey.Kind.PUBLIC else scopes,
        allowed_origins=[read_origin(origin) for origin in allowed_origins],
        expires_at=expires_at,
    )
    forget_keys()
    return key, plain


def api_key_change(*, key_id: int, name: str, allowed_origins: Sequence[str]) -> None:
    """Rename a key or change the origins it may be used from. Raises ValueError for an origin that is none."""
    origins = [read_origin(origin) for origin in allowed_origins]
    ApiKey.objects.filter(pk=key_id).update(name=name, allowed_origins=origins)
    forget_keys()


def api_key_revoke(*, key_id: int) -> None:
    """End a key: refused at once by this process, by the others within five seconds. Revoking again does nothing."""
    ApiKey.objects.filter(pk=key_id, revoked_at__isnull=True).update(revoked_at=timezone.now())
    forget_keys()


def key_facts(plain: str) -> KeyFacts | None:
    """The key with this text, valid or not; None when there is none. About 1.5 µs.

    No query while somebody calls `refresh_keys`, else one every five seconds; while the database is away, keys are as
    they were last. A key that has come since the last reading is looked up, but a process does so for at most
    `LOOKUPS_PER_SECOND` texts. Raises OperationalError for such a one while the database is away.
    """
    digest = _digest(plain)
    facts = _known().by_digest.get(digest)
    if facts is not None or not _lookups.allowed(digest):
        return facts
    key = ApiKey.objects.filter(digest=digest).first()
    if key is None:
        _lookups.refuse(digest)
        return None
    forget_keys()
    return _facts(key)


def browser_origins() -> frozenset[str]:
    """Every origin that some valid public key allows; may contain "*". At most five seconds old."""
    return _known().origins


def refresh_keys() -> None:
    """Read the keys anew, unless that was done within the last two seconds. For whoever follows the database.

    As long as somebody does, no request ever does so itself.
    """
    global _followed_at
    known, _followed_at = _keys, time.monotonic()
    if known is not None and _followed_at - known.read_at >= REFRESH_SECONDS:
        _read()


def forget_keys() -> None:
    """Read keys anew from now on, in this process."""
    global _keys, _lookups, _forgotten
    _forgotten += 1
    _keys = None
    _lookups = _Lookups()


def _known() -> _Keys:
    global _keys
    known = _keys  # another thread may forget it at any time
    if known is None:
        return _read()
    now = time.monotonic()
    if now - max(known.read_at, _followed_at) < REMEMBERED_SECONDS:
        return known
    # One caller a second tries: should the database be away, the others need not wait to find out.
    _keys = replace(known, read_at=now - REMEMBERED_SECONDS + 1)
    try:
        return _read()
    except (OperationalError, InterfaceError):
        return known


def _read() -> _Keys:
    global _keys
    forgotten, read_at = _forgotten, time.monotonic()
    facts = {key.digest: _facts(key) for key in ApiKey.objects.order_by()}
    origins = frozenset(origin for one in facts.values() if one.public and one.valid for origin in one.origins)
    known = _Keys(read_at, facts, origins)
    if forgotten == _forgotten:  # or else what was read may be from before the change
        _keys = known
    return known


def _facts(key: ApiKey) -> KeyFacts:
    public = key.kind == ApiKey.Kind.PUBLIC
    return KeyFacts(
        id=key.pk,
        name=key.name,
        public=public,
        scopes=PUBLIC_SCOPES if public else frozenset(key.scopes),
        origins=frozenset(key.allowed_origins),
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
    )


def read_origin(text: str) -> str:
    """An origin as browsers send it ("https://shop.example", no path), or "*". Raises ValueError otherwise."""
    text = text.strip()
    if text == "*":
        return text
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"{text!r} is not an origin.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"} or parts.query:
        raise ValueError(f'{text!r} is not an origin. Write it as "https://shop.example", without a path.')
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default_port = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port and port != default_port else "")


def _digest(plain: str) -> str:
    return hashlib.sha256(plain.encode("utf-8", "surrogateescape")).hexdigest()
