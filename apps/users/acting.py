"""On whose behalf a request acts."""

from typing import Any

from rest_framework.request import Request

from apps.api.problems import Problem
from apps.users.api_keys import KeyFacts
from apps.users.tokens import BadUserToken, user_token_verify, visitor_id_is_ours


def acting_user(request: Request, user_id: str | None, user_token: str = "") -> str | None:
    """The external id of the user the request may act for, None for nobody in particular.

    A secret key may act for anybody. A public key acts for a visitor whose id we issued, or for the user that a
    valid `user_token` names (the one given, header X-User-Token, or the query's or body's `user_token`); with a
    token, `user_id` may be left out. Raises a 403 problem naming `user_id`, or `user_token` when the token is bad.
    """
    key = request.auth
    if not isinstance(key, KeyFacts):
        raise Problem(401, "This needs an API key.")
    if not key.public:
        return user_id
    token = user_token or _token(request)
    if token:
        try:
            spoken_for = user_token_verify(token)
        except BadUserToken as error:
            raise Problem(403, str(error), field="user_token", code="bad_user_token") from None
        if user_id is None or user_id == spoken_for:
            return spoken_for
    if user_id is None or visitor_id_is_ours(user_id):
        return user_id
    raise Problem(
        403,
        "A public key may act for a visitor id we issued, or for the user whose user_token it sends.",
        field="user_id",
        code="not_your_user",
    )


def _token(request: Request) -> str:
    found: Any = request.headers.get("X-User-Token") or request.query_params.get("user_token")
    if not found and isinstance(request.data, dict):
        found = request.data.get("user_token")
    if found and not isinstance(found, str):
        raise Problem(400, "Must be text.", field="user_token", code="invalid")
    return found or ""
