from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404
from rest_framework import exceptions

from apps.api.problems import Problem, problem_response
from apps.api.values import FieldError


def document(error: Exception) -> dict[str, Any]:
    response = problem_response(error, {})
    assert response is not None
    assert response.content_type == "application/problem+json"
    assert response.data["status"] == response.status_code
    assert {"type", "title", "status", "detail", "errors"} <= response.data.keys()
    return response.data | {"headers": dict(response.items())}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Http404(), 404),
        (PermissionDenied(), 403),
        (RequestDataTooBig(), 413),
        (exceptions.NotFound(), 404),
        (exceptions.ParseError(), 400),
        (exceptions.NotAuthenticated(), 401),
        (exceptions.MethodNotAllowed("PUT"), 405),
        (exceptions.NotAcceptable(), 406),
        (exceptions.UnsupportedMediaType("text/plain"), 415),
        (exceptions.Throttled(wait=7), 429),
        (exceptions.ValidationError("x"), 400),
        (Problem(409, "x"), 409),
        (Problem(422, field="a"), 422),
    ],
)
def test_every_error_raised_on_purpose_becomes_a_problem_document(error: Exception, status: int) -> None:
    said = document(error)
    assert said["status"] == status
    assert said["title"]
    assert said["detail"]


def test_a_throttled_caller_is_told_when_to_come_back() -> None:
    assert document(exceptions.Throttled(wait=7.3))["headers"]["Retry-After"] == "8"


def test_nested_validation_errors_are_told_by_their_path() -> None:
    error = exceptions.ValidationError(
        {
            "a": ["one", "two"],
            "b": {"c": ["three"]},
            "d": [{}, {"e": ["four"]}],
            "f": {3: ["six"]},
            "non_field_errors": ["five"],
        }
    )
    said = document(error)
    assert [(one["field"], one["detail"]) for one in said["errors"]] == [
        ("a", "one"),
        ("a", "two"),
        ("b.c", "three"),
        ("d[1].e", "four"),
        ("f[3]", "six"),
        ("body", "five"),
    ]
    assert said["detail"] == "a: one (5 more)"


def test_a_problem_names_its_fields() -> None:
    assert document(Problem(400, "Too long.", field="name"))["errors"] == [{"field": "name", "detail": "Too long."}]
    several = Problem(400, errors=[FieldError("a", "x"), FieldError("b", "y")])
    assert [one["field"] for one in document(several)["errors"]] == ["a", "b"]


def test_an_unexpected_error_is_left_to_the_server() -> None:
    assert problem_response(RuntimeError(), {}) is None
