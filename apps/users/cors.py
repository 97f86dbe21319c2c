"""Cross-origin requests: pages of origins that some public key allows may call the API."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from apps.users.api_keys import browser_origins

_PATHS = ("/api/", "/fragments/")
_METHODS = "GET, POST, OPTIONS"
_REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key, X-Request-Id, X-User-Token"
_RESPONSE_HEADERS = "Retry-After, X-Request-Id"
_PREFLIGHT_SECONDS = "600"


class CorsMiddleware:
    """Answers preflights, and marks responses as readable for allowed origins. Authorisation stays with the key.

    A preflight carries no key, so it is answered for any origin that some valid public key allows.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(_PATHS):
            return self.get_response(request)
        origin = request.headers.get("Origin")
        preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        response = HttpResponse(status=204) if preflight else self.get_response(request)
        patch_vary_headers(response, ["Origin"])
        if origin and self._allowed(origin):
            response["Access-Control-Allow-Origin"] = origin
            response["Access-Control-Expose-Headers"] = _RESPONSE_HEADERS
            if preflight:
                response["Access-Control-Allow-Methods"] = _METHODS
                response["Access-Control-Allow-Headers"] = _REQUEST_HEADERS
                response["Access-Control-Max-Age"] = _PREFLIGHT_SECONDS
        return response

    @staticmethod
    def _allowed(origin: str) -> bool:
        allowed = browser_origins()
        return "*" in allowed or origin in allowed
