"""What a key may do."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apps.users.api_keys import KeyFacts


class HasScope(BasePermission):
    """The caller's key has the scope that the view names for this method in `required_scopes`.

    No key: 401. A key without the scope: 403, naming the scope. HEAD needs what GET needs; OPTIONS any key.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        key = request.auth
        if not isinstance(key, KeyFacts):
            raise NotAuthenticated('This needs an API key: send "Authorization: Bearer <key>".')
        method = str(request.method)
        required: dict[str, str] | None = getattr(view, "required_scopes", None)
        if required is None:
            raise ImproperlyConfigured(f"{type(view).__name__} names no required_scopes.")
        scope = required.get("GET" if method == "HEAD" else method)
        if scope is None:
            if method != "OPTIONS" and hasattr(view, method.lower()):
                raise ImproperlyConfigured(f"{type(view).__name__} names no scope for {method}.")
            return True  # answered with 405, or with the description of the view
        if scope not in key.scopes:
            kind = "A public API key" if key.public else "This API key"
            raise PermissionDenied(f"{kind} has no scope {scope}.")
        return True
