"""What is answered where there is no view, and when a view breaks."""

import pytest
from django.test import Client, RequestFactory

from recsys import error_pages


@pytest.mark.django_db
def test_an_unknown_api_address_gets_a_problem_document(client: Client) -> None:
    response = client.get("/api/v1/nothing-here")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert {"type", "title", "status", "detail"} <= set(response.json())


@pytest.mark.django_db
def test_an_unknown_page_gets_a_page(client: Client) -> None:
    response = client.get("/nothing-here")
    assert response.status_code == 404
    assert "<h1>Not Found</h1>" in response.content.decode()


@pytest.mark.parametrize(("path", "kind"), [("/api/v1/x", "application/problem+json"), ("/x", "text/html")])
def test_a_broken_view_is_answered_without_its_cause(path: str, kind: str) -> None:
    response = error_pages.server_error(RequestFactory().get(path))
    assert response.status_code == 500
    assert response["Content-Type"].startswith(kind)
    assert b"Traceback" not in response.content
