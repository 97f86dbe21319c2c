"""Ids and tokens that prove themselves: signed with SECRET_KEY, stored nowhere."""

import base64
import hmac
import secrets
import time

from django.conf import settings
from django.core import signing
from django.utils.crypto import salted_hmac

from apps.api.values import external_id as checked_id

MAX_TOKEN_SECONDS = 86_400

_VISITOR = "recsys.visitor"
_USER = "recsys.user"
_NONCE_LENGTH = 22
_MAC_LENGTH = 22


class BadUserToken(ValueError):
    """The token was not made here, was changed, or has expired."""


def visitor_id_issue() -> str:
    """A new id for an anonymous visitor: 46 characters that nobody can guess and everybody here can check."""
    nonce = _text(secrets.token_bytes(16))
    return f"v-{nonce}{_mac(nonce, settings.SECRET_KEY)}"


def visitor_id_is_ours(visitor_id: str) -> bool:
    """Whether `visitor_id_issue` made this id, with this secret key or one of its predecessors."""
    if (
        len(visitor_id) != 2 + _NONCE_LENGTH + _MAC_LENGTH
        or not visitor_id.startswith("v-")
        or not visitor_id.isascii()
    ):
        return False
    nonce, mac = visitor_id[2 : 2 + _NONCE_LENGTH], visitor_id[2 + _NONCE_LENGTH :]
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return any(hmac.compare_digest(mac, _mac(nonce, key)) for key in keys)


def user_token_sign(external_id: str, seconds: int) -> str:
    """A token with which a browser may act as this user for `seconds`, one day at most.

    Raises ValueError for an id that cannot be one, or a time outside 1 to 86,400 s.
    """
    if not 1 <= seconds <= MAX_TOKEN_SECONDS:
        raise ValueError(f"A user token lives from 1 to {MAX_TOKEN_SECONDS:,} seconds.")
    return signing.dumps([checked_id(external_id), int(time.time()) + seconds], salt=_USER)


def user_token_verify(token: str) -> str:
    """The external id of the user a token speaks for. Raises BadUserToken."""
    try:
        external_id, expires = signing.loads(token, salt=_USER)
    except (signing.BadSignature, ValueError):
        raise BadUserToken("The user token is not one of ours.") from None
    if time.time() >= expires:
        raise BadUserToken("The user token has expired.")
    return str(external_id)


def _mac(nonce: str, key: str | bytes) -> str:
    return _text(salted_hmac(_VISITOR, nonce, secret=key, algorithm="sha256").digest()[:16])


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
