"""Errors as RFC 9457 problem documents that name the field."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpResponse
from rest_framework import exceptions, serializers
from rest_framework.response import Response

from apps.api.values import FieldError

MEDIA_TYPE = "application/problem+json"


class Problem(exceptions.APIException):
    """An error for the caller. Raise it in a view; it is answered as a problem document.

    `field` (with `detail`) or `errors` say which fields are at fault; `code` is a stable word for programs.
    """

    def __init__(
        self,
        status: int = 400,
        detail: str = "",
        *,
        title: str = "",
        field: str | None = None,
        code: str = "",
        errors: Sequence[FieldError] = (),
    ) -> None:
        self.status_code = status
        self.title = title or HTTPStatus(status).phrase
        self.field = field
        self.code = code or _code(status)
        self.errors = list(errors) or ([FieldError(field, detail)] if field else [])
        super().__init__(detail or _summary(self.errors) or self.title, self.code)


class ProblemSerializer(serializers.Serializer[Any]):
    """The shape of every error, for the API's description."""

    type = serializers.CharField(default="about:blank")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    errors = serializers.ListField(  # type: ignore[assignment]  # the name is RFC 9457's, and Serializer's
        child=serializers.DictField(child=serializers.CharField()), help_text='Each `{"field": …, "detail": …}`.'
    )


def problem_response(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: every error DRF or Django raises on purpose becomes a problem document.

    None for all others, which Django then answers through `handler500`.
    """
    problem, headers = _problem_of(exc)
    if problem is None:
        return None
    from rest_framework.views import set_rollback  # at the top it would import our parser, and that imports this module

    set_rollback()
    return Response(document(problem), status=problem.status_code, headers=headers, content_type=MEDIA_TYPE)


def http_problem(problem: Problem) -> HttpResponse:
    """A problem as a plain Django response, for code outside DRF (middleware, error handlers)."""
    return HttpResponse(json.dumps(document(problem)), status=problem.status_code, content_type=MEDIA_TYPE)


def document(problem: Problem) -> dict[str, Any]:
    """The body of a problem."""
    return {
        "type": "about:blank",
        "title": problem.title,
        "status": problem.status_code,
        "detail": str(problem.detail),
        "code": problem.code,
        "errors": [asdict(error) for error in problem.errors],
    }


def _problem_of(exc: Exception) -> tuple[Problem | None, dict[str, str]]:
    headers = {}
    if isinstance(exc, exceptions.APIException):
        if challenge := getattr(exc, "auth_header", None):
            headers["WWW-Authenticate"] = challenge
        if (wait := getattr(exc, "wait", None)) is not None:
            headers["Retry-After"] = str(int(wait))
    if isinstance(exc, Problem):
        return exc, headers
    if isinstance(exc, exceptions.ValidationError):
        return Problem(400, title="Invalid request", code="invalid", errors=list(_flat(exc.detail))), headers
    if isinstance(exc, exceptions.APIException):
        codes = exc.get_codes()
        code = codes if isinstance(codes, str) else ""
        return Problem(exc.status_code, str(exc.detail), code=code), headers
    if isinstance(exc, Http404):
        return Problem(404, "There is nothing at this address."), headers
    if isinstance(exc, PermissionDenied):
        return Problem(403, "This is not allowed."), headers
    if isinstance(exc, RequestDataTooBig):
        return Problem(413, "The body is too large.", field="body"), headers
    return None, headers


def _flat(detail: Any, path: str = "") -> Iterator[FieldError]:
    """DRF's nested errors as a flat list: {"a": {"b": ["x"]}} is a.b: x, and {"a": {2: ["x"]}} is a[2]: x."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            if name == "non_field_errors":
                yield from _flat(inner, path)
            else:  # DRF numbers the entries of a list
                yield from _flat(inner, f"{path}[{name}]" if isinstance(name, int) else f"{path}.{name}".lstrip("."))
    elif isinstance(detail, list):
        for position, inner in enumerate(detail):
            nested = isinstance(inner, (dict, list))
            if inner:
                yield from _flat(inner, f"{path}[{position}]" if nested else path)
    else:
        yield FieldError(path or "body", str(detail))


def _summary(errors: Sequence[FieldError]) -> str:
    if not errors:
        return ""
    more = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
    return f"{errors[0].field}: {errors[0].detail}{more}"


def _code(status: int) -> str:
    return HTTPStatus(status).phrase.lower().replace(" ", "_")
