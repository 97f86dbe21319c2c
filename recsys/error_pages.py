"""What is answered when no view did: problem documents under /api/, small plain pages elsewhere.

Errors inside API views never come here, outages of the database apart; they are answered by the API's own exception
handler.
"""

import sys
from http import HTTPStatus

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template import loader

from apps.api.problems import Problem, http_problem

OUTAGES = (OperationalError, InterfaceError)  # of the database: not to be reached, overloaded, or locked
RETRY_AFTER_SECONDS = 5

_TEXTS = {
    HTTPStatus.BAD_REQUEST: "The request could not be understood.",
    HTTPStatus.FORBIDDEN: "This may not be done from here.",
    HTTPStatus.NOT_FOUND: "There is nothing at this address.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong on our side. It has been logged under the request's id.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database is out of reach. Please try again in a moment.",
}


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's `handler400`."""
    return _answer(request, HTTPStatus.BAD_REQUEST)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's `handler403`."""
    return _answer(request, HTTPStatus.FORBIDDEN)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's `handler404`."""
    return _answer(request, HTTPStatus.NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's `handler500`. Says nothing of the cause, but for an outage of the database, which passes: 503."""
    if isinstance(sys.exception(), OUTAGES):
        response = _answer(request, HTTPStatus.SERVICE_UNAVAILABLE)
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return response
    return _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR)


def _answer(request: HttpRequest, status: HTTPStatus) -> HttpResponse:
    if request.path.startswith("/api/"):
        return http_problem(Problem(status, _TEXTS[status]))
    # Rendered without the request: context processors may need what has just failed.
    page = loader.render_to_string("error.html", {"title": status.phrase, "detail": _TEXTS[status]})
    return HttpResponse(page, status=status)
