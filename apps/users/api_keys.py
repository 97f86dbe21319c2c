"""API keys: made once, stored hashed, looked up for every request."""

import hashlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.utils import timezone

from apps.users.models import ApiKey

SCOPES = {
    "recommendations:read": "Read recommendations and search",
    "events:write": "Send events",
    "catalog:read": "Read items and categories",
    "catalog:write": "Write items",
    "users:read": "Read and export users",
    "users:write": "Write, merge and erase users",
}
PUBLIC_SCOPES = frozenset({"recommendations:read", "events:write"})
REMEMBERED_SECONDS = 5.0

_PREFIXES = {ApiKey.Kind.SECRET: "sk_", ApiKey.Kind.PUBLIC: "pk_"}
_MAX_REMEMBERED = 1_000


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


_remembered: dict[str, tuple[float, KeyFacts]] = {}
_origins: tuple[float, frozenset[str]] | None = None


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
    """The key with this text, valid or not; None when there is none. Remembered for five seconds."""
    digest = _digest(plain)
    now = time.monotonic()
    known = _remembered.get(digest)
    if known is not None and now - known[0] < REMEMBERED_SECONDS:
        return known[1]
    key = ApiKey.objects.filter(digest=digest).first()
    if key is None:
        return None
    public = key.kind == ApiKey.Kind.PUBLIC
    facts = KeyFacts(
        id=key.pk,
        name=key.name,
        public=public,
        scopes=PUBLIC_SCOPES if public else frozenset(key.scopes),
        origins=frozenset(key.allowed_origins),
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
    )
    if len(_remembered) >= _MAX_REMEMBERED:
        _remembered.clear()
    _remembered[digest] = (now, facts)
    return facts


def browser_origins() -> frozenset[str]:
    """Every origin that some valid public key allows; may contain "*". Remembered for five seconds."""
    global _origins
    now = time.monotonic()
    known = _origins  # another thread may forget it at any time
    if known is None or now - known[0] >= REMEMBERED_SECONDS:
        keys = ApiKey.objects.filter(kind=ApiKey.Kind.PUBLIC, revoked_at__isnull=True)
        valid = keys.exclude(expires_at__lte=timezone.now()).values_list("allowed_origins", flat=True)
        known = _origins = (now, frozenset(origin for origins in valid for origin in origins))
    return known[1]


def forget_keys() -> None:
    """Read keys anew from now on, in this process."""
    global _origins
    _remembered.clear()
    _origins = None


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
