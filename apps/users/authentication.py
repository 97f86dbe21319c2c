"""`Authorization: Bearer <key>`."""

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from apps.users.api_keys import KeyFacts, key_facts


class ApiKeyAuthentication(BaseAuthentication):
    """Who calls is an API key; `request.auth` (and `request.user`) are its `KeyFacts`.

    A key that is unknown, revoked or expired is answered with 401; a public key from an origin that it does not
    allow with 403.
    """

    def authenticate(self, request: Request) -> tuple[KeyFacts, KeyFacts] | None:
        scheme, _, plain = get_authorization_header(request).decode("latin-1").strip().partition(" ")
        if not scheme:
            return None
        if scheme.lower() != "bearer" or not plain.strip():
            raise AuthenticationFailed('The Authorization header must read "Bearer <key>".')
        key = key_facts(plain.strip())
        if key is None:
            raise AuthenticationFailed("There is no such API key.")
        if not key.valid:
            raise AuthenticationFailed("This API key has been revoked or has expired.")
        origin = request.headers.get("Origin")
        if key.public and origin and not key.allows_origin(origin):
            raise PermissionDenied(f"This API key may not be used from {origin}.")
        return key, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


def secret_key_of(header: str, *, scope: str) -> KeyFacts | None:
    """The secret key that an Authorization header names, if it is valid and has the scope; None for all else.

    For those who ask in passing: whoever needs to know why not asks `ApiKeyAuthentication`.
    """
    if not header.startswith("Bearer "):
        return None
    key = key_facts(header[7:].strip())
    if key is None or key.public or scope not in key.scopes or not key.valid:
        return None
    return key
