"""The addresses that machines call: health and metrics."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from recsys import health, metrics

ADDRESSES: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/health": health.summary,
    "/health/live": health.live,
    "/health/ready": health.ready,
    "/metrics": metrics.metrics,
}


class OperatorMiddleware:
    """Answers ADDRESSES ahead of host names, HTTPS and sessions: probes call by IP address, in clear."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        view = ADDRESSES.get(request.path, self.get_response)
        return view(request)
