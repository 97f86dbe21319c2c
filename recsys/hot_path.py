"""The short way for the calls that shops make on every page: from the server to the view, and nothing in between.

Only a plain GET with a secret key takes it: no browser (Origin), no cookies to look at, no request id to carry.
Whatever is unusual, and whatever goes wrong, takes the long way, which has the errors, the logs and the headers for it.
"""

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django_prometheus.middleware import Metrics

from apps.api import patience
from apps.recommend.lean import PREFIX, lean_answer

_HEADERS = {"X-Content-Type-Options": "nosniff", "Vary": "Origin"}
_HOSTS_KNOWN = 1_000


class HotPathMiddleware:
    """Answers what `apps.recommend.lean` can answer; hands on everything else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._hosts: set[str] = set()
        metrics = Metrics.get_instance()
        self._requests = (
            metrics.requests_total,
            metrics.requests_by_method.labels(method="GET"),
            metrics.responses_by_status.labels(status="200"),
        )
        self._latency: dict[str, Any] = {}
        self._latency_of = metrics.requests_latency_by_view_method

    def __call__(self, request: HttpRequest) -> HttpResponse:
        limit = patience.SHELF_SECONDS if request.path_info.startswith(PREFIX[:-1]) else patience.REQUEST_SECONDS
        before = patience.seconds.set(limit)
        try:
            return self._answer(request)
        finally:
            patience.seconds.reset(before)

    def _answer(self, request: HttpRequest) -> HttpResponse:
        if request.method == "GET" and request.path_info.startswith(PREFIX) and self._plain(request):
            started = time.perf_counter()
            found = lean_answer(request)
            if found is not None:
                view, body = found
                self._count(view, time.perf_counter() - started)
                headers = {**_HEADERS, "Content-Length": str(len(body))}
                return HttpResponse(body, content_type="application/json", headers=headers)
        return self.get_response(request)

    def _plain(self, request: HttpRequest) -> bool:
        meta = request.META
        if "HTTP_ORIGIN" in meta or "HTTP_X_REQUEST_ID" in meta:
            return False
        if settings.SECURE_SSL_REDIRECT and not request.is_secure():
            return False
        host = meta.get("HTTP_HOST", "")
        if host not in self._hosts:
            try:
                request.get_host()
            except DisallowedHost:
                return False
            if len(self._hosts) < _HOSTS_KNOWN:
                self._hosts.add(host)
        return True

    def _count(self, view: str, seconds: float) -> None:
        for counter in self._requests:
            counter.inc()
        latency = self._latency.get(view)
        if latency is None:
            latency = self._latency[view] = self._latency_of.labels(view=view, method="GET")
        latency.observe(seconds)
