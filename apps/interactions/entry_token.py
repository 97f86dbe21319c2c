"""Entry tokens: what every entry of a slate carries, signed, so that an event can say which decision it came from.

A token binds to one item and expires after `LIFETIME` seconds. Layout, before base64url: version, flags,
the fixed fields, optional fields, four short texts, 16 bytes of HMAC-SHA256.
"""

import hashlib
import hmac
import struct
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from django.conf import settings

LIFETIME = 30 * 86_400
TOKEN_MAX = 200
MAC_BYTES = 16

_VERSION = 1
_HAS_DIGEST, _HAS_PROPENSITY, _HAS_POLICY_STATE, _SOURCE_IS_MODEL = 1, 2, 4, 8
_FIXED = struct.Struct(">BB16sQHI")  # version, flags, recomm_id, item_id, position, issued
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


@lru_cache(maxsize=8)
def _key(secret: str) -> bytes:
    return hashlib.sha256(b"recsys.entry_token." + secret.encode()).digest()


def sign(token: EntryToken) -> str:
    """The token as text, at most `TOKEN_MAX` characters. About 5 µs.

    Raises ValueError when the texts together exceed `TEXTS_MAX` bytes or a number does not fit its field.
    """
    flags = 0
    optional = b""
    if token.plan_digest:
        flags |= _HAS_DIGEST
        optional = bytes.fromhex(token.plan_digest)
        if len(optional) != 8:
            raise ValueError("plan_digest is not 8 bytes in hexadecimal.")
    source = token.source
    if source and source == _model_of(token.model_version):  # said already: leaves room for long names
        flags |= _SOURCE_IS_MODEL
        source = ""
    texts = [text.encode() for text in (token.placement, token.variant, token.model_version, source)]
    if sum(map(len, texts)) > TEXTS_MAX:
        raise ValueError(f"placement, variant, model_version and source exceed {TEXTS_MAX} bytes together.")
    try:
        if token.propensity is not None:
            flags |= _HAS_PROPENSITY
            optional += struct.pack(">d", token.propensity)
        if token.policy_state is not None:
            flags |= _HAS_POLICY_STATE
            optional += struct.pack(">Q", token.policy_state)
        issued = token.issued or int(time.time())
        fixed = _FIXED.pack(_VERSION, flags, token.recomm_id.bytes, token.item_id, token.position, issued)
    except struct.error as error:
        raise ValueError(f"a number does not fit an entry token: {error}.") from None
    body = b"".join((fixed, optional, *(bytes((len(text),)) + text for text in texts)))
    mac = hmac.digest(_key(settings.SECRET_KEY), body, "sha256")[:MAC_BYTES]
    return urlsafe_b64encode(body + mac).rstrip(b"=").decode()


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
