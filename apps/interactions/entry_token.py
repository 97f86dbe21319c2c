"""Entry tokens: what every entry of a slate carries, signed, so that an event can say which decision it came from.

A token binds to one item and expires after `LIFETIME` seconds. Layout, before base64url: version, flags,
the fixed fields, optional fields, four short texts, 16 bytes of HMAC-SHA256.
"""

import hashlib
import hmac
import struct
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import b2a_base64
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings

LIFETIME = 30 * 86_400
TOKEN_MAX = 200
MAC_BYTES = 16

_VERSION = 1
_HAS_DIGEST, _HAS_PROPENSITY, _HAS_POLICY_STATE, _SOURCE_IS_MODEL = 1, 2, 4, 8
_FIXED = struct.Struct(">BB16sQHI")  # version, flags, recomm_id, item_id, position, issued
_PROPENSITY, _POLICY_STATE = struct.Struct(">d"), struct.Struct(">Q")
_URLSAFE = bytes.maketrans(b"+/", b"-_")
_FILLING = (b"", bytes(2), bytes(1))
_OPTIONAL = 8 + 8 + 8  # digest, propensity, policy state
TEXTS_MAX = TOKEN_MAX * 3 // 4 - _FIXED.size - _OPTIONAL - 4 - MAC_BYTES
"""UTF-8 bytes that placement, variant, model version and source may take together."""


class BadToken(ValueError):
    """A token that says nothing: malformed, forged or expired. The message is that one word."""


@dataclass(frozen=True, slots=True)
class EntryToken:
    """One entry of one slate, as it was decided."""

    recomm_id: UUID
    item_id: int  # our id, not the shop's
    position: int  # from 1
    placement: str = ""
    plan_digest: str = ""  # 8 bytes in hexadecimal, or empty
    variant: str = ""
    model_version: str = ""
    source: str = ""
    propensity: float | None = None
    policy_state: int | None = None
    issued: int = 0  # seconds since 1970; 0: now


class Entry(NamedTuple):
    """What is an entry's own among those of one response."""

    item_id: int
    position: int
    model_version: str = ""
    source: str = ""
    propensity: float | None = None
    policy_state: int | None = None


@lru_cache(maxsize=8)
def _key(secret: str) -> bytes:
    return hashlib.sha256(b"recsys.entry_token." + secret.encode()).digest()


@lru_cache(maxsize=8)
def _half_done(secret: str) -> tuple[Any, Any]:
    """HMAC-SHA256 (RFC 2104) as far as it depends on the key alone: the hashes to copy and finish, inner and outer."""
    key = _key(secret).ljust(64, b"\0")
    return hashlib.sha256(bytes(byte ^ 0x36 for byte in key)), hashlib.sha256(bytes(byte ^ 0x5C for byte in key))


def sign(token: EntryToken) -> str:
    """The token as text, at most `TOKEN_MAX` characters. About 6 µs; see `sign_all` for those of a whole response.

    Raises ValueError when the texts together exceed `TEXTS_MAX` bytes or a number does not fit its field.
    """
    entry = Entry(
        token.item_id, token.position, token.model_version, token.source, token.propensity, token.policy_state
    )
    return sign_all(token, [entry])[0]


def sign_all(common: EntryToken, entries: Iterable[Entry]) -> list[str]:
    """The tokens of the entries of one response, in order: `sign` of `common` with each entry's own.

    About 2 µs an entry; what they have in common is worked out once. Raises ValueError as `sign` does.
    """
    inner, outer = _half_done(settings.SECRET_KEY)
    issued = common.issued or int(time.time())
    recomm_id = common.recomm_id.bytes
    digest = _digest(common.plan_digest)
    texts: dict[tuple[str, str], tuple[int, bytes]] = {}
    raws, lengths = [], []
    for item_id, position, model_version, source, propensity, policy_state in entries:
        known = texts.get((model_version, source))
        if known is None:
            known = texts[model_version, source] = _texts(common, model_version, source)
        flags, text = known
        try:
            if propensity is not None or policy_state is not None:
                more, numbers = _numbers(propensity, policy_state)
                flags, text = flags | more, numbers + text
            if digest:
                flags |= _HAS_DIGEST
            body = _FIXED.pack(_VERSION, flags, recomm_id, item_id, position, issued) + digest + text
        except struct.error as error:
            raise ValueError(f"a number does not fit an entry token: {error}.") from None
        mac = inner.copy()
        mac.update(body)
        finished = outer.copy()
        finished.update(mac.digest())
        raw = body + finished.digest()[:MAC_BYTES]
        lengths.append(len(raw))
        raws.append(raw + _FILLING[len(raw) % 3])
    return _in_base64(raws, lengths)


def _in_base64(raws: list[bytes], lengths: list[int]) -> list[str]:
    """Each of `raws` in base64url without padding. They were filled up to whole groups: that goes again."""
    together = b2a_base64(b"".join(raws), newline=False).translate(_URLSAFE).decode()
    texts, start = [], 0
    for length in lengths:
        texts.append(together[start : start + (length * 4 + 2) // 3])
        start += (length + 2) // 3 * 4
    return texts


def _numbers(propensity: float | None, policy_state: int | None) -> tuple[int, bytes]:
    """The flags that the optional numbers ask for, and the numbers."""
    flags, numbers = 0, b""
    if propensity is not None:
        flags, numbers = _HAS_PROPENSITY, _PROPENSITY.pack(propensity)
    if policy_state is not None:
        flags, numbers = flags | _HAS_POLICY_STATE, numbers + _POLICY_STATE.pack(policy_state)
    return flags, numbers


def _digest(plan_digest: str) -> bytes:
    digest = bytes.fromhex(plan_digest)
    if len(digest) not in {0, 8}:
        raise ValueError("plan_digest is not 8 bytes in hexadecimal.")
    return digest


def _texts(common: EntryToken, model_version: str, source: str) -> tuple[int, bytes]:
    """The flags that the texts ask for, and the texts with their lengths."""
    flags = 0
    if source and source == _model_of(model_version):  # said already: leaves room for long names
        flags, source = _SOURCE_IS_MODEL, ""
    texts = [text.encode() for text in (common.placement, common.variant, model_version, source)]
    if sum(map(len, texts)) > TEXTS_MAX:
        raise ValueError(f"placement, variant, model_version and source exceed {TEXTS_MAX} bytes together.")
    return flags, b"".join(bytes((len(text),)) + text for text in texts)


def verify(text: str, *, now: int | None = None) -> EntryToken:
    """What the token says. Raises BadToken: "malformed", "forged" or "expired"."""
    if not text.isascii() or len(text) > TOKEN_MAX:
        raise BadToken("malformed")
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise BadToken("malformed") from None
    # Decoding skips what is not base64 and drops spare bits: only the one canonical spelling is a token.
    if len(raw) < _FIXED.size + 4 + MAC_BYTES or urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        raise BadToken("malformed")
    body, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    if not any(hmac.compare_digest(hmac.digest(_key(s), body, "sha256")[:MAC_BYTES], mac) for s in secrets):
        raise BadToken("forged")
    token = _unpacked(body)
    if (int(time.time()) if now is None else now) - token.issued > LIFETIME:
        raise BadToken("expired")
    return token


def _model_of(model_version: str) -> str:
    """The model's name in a version's: "als" of "als-20261121-1"."""
    return model_version.rsplit("-", 2)[0]


def _unpacked(body: bytes) -> EntryToken:
    """Reads what `sign` wrote: the signature has been checked, so only another version can be in the way."""
    version, flags, recomm_id, item_id, position, issued = _FIXED.unpack_from(body)
    if version != _VERSION:
        raise BadToken("malformed")
    at = _FIXED.size
    plan_digest, propensity, policy_state = "", None, None
    if flags & _HAS_DIGEST:
        plan_digest = body[at : at + 8].hex()
        at += 8
    if flags & _HAS_PROPENSITY:
        (propensity,) = struct.unpack_from(">d", body, at)
        at += 8
    if flags & _HAS_POLICY_STATE:
        (policy_state,) = struct.unpack_from(">Q", body, at)
        at += 8
    texts = []
    for _ in range(4):
        end = at + 1 + body[at]
        texts.append(body[at + 1 : end].decode())
        at = end
    placement, variant, model_version, source = texts
    return EntryToken(
        recomm_id=UUID(bytes=recomm_id),
        item_id=item_id,
        position=position,
        placement=placement,
        plan_digest=plan_digest,
        variant=variant,
        model_version=model_version,
        source=_model_of(model_version) if flags & _SOURCE_IS_MODEL else source,
        propensity=propensity,
        policy_state=policy_state,
        issued=issued,
    )
