"""Logs: one JSON object a line, each with the id of the request that caused it."""

import json
import logging
import subprocess
import sys
from functools import cache
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from recsys.logs import RequestLogMiddleware

SCRIPT = """
import logging, sys
import structlog
from django.conf import settings
from django.http import HttpResponse
from django.test import RequestFactory
from recsys.logs import RequestLogMiddleware, logging_config

settings.configure()
logging_config(level=sys.argv[1], style=sys.argv[2])

def view(request):
    structlog.get_logger("shop").info("inside", item_id="85123A", price=2.55)
    logging.getLogger("library").warning("old %s", "style")
    try:
        1 / 0
    except ZeroDivisionError:
        structlog.get_logger("shop").exception("broken")
    return HttpResponse("ok")

answer = RequestLogMiddleware(view)(RequestFactory().get("/x?user_token=secret", headers={"X-Request-Id": "abc-1"}))
assert answer["X-Request-Id"] == "abc-1"
"""


@cache
def _written(level: str, style: str) -> str:
    """What a fresh process writes to standard error while it answers one request."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, level, style], check=True, capture_output=True, text=True)
    return done.stderr


def test_every_line_of_a_request_is_json_and_bears_its_id() -> None:
    lines: list[dict[str, Any]] = [json.loads(line) for line in _written("INFO", "json").splitlines()]
    assert [line["event"] for line in lines] == ["inside", "old style", "broken", "request"]
    assert {line["request_id"] for line in lines} == {"abc-1"}
    assert lines[0] | {"item_id": "85123A", "price": 2.55, "level": "info", "logger": "shop"} == lines[0]
    assert "ZeroDivisionError" in lines[2]["exception"]
    assert (lines[3]["method"], lines[3]["path"], lines[3]["status"]) == ("GET", "/x", 200)
    assert all("timestamp" in line for line in lines)


def test_secrets_in_the_query_string_are_not_logged() -> None:
    assert "secret" not in _written("INFO", "json")


def test_lines_below_the_level_are_not_written() -> None:
    events = [json.loads(line)["event"] for line in _written("WARNING", "json").splitlines()]
    assert events == ["old style", "broken"]


def test_people_may_have_plain_text() -> None:
    text = _written("INFO", "console")
    assert "inside" in text
    assert not text.startswith("{")


@pytest.mark.parametrize("offered", ["", "x" * 65, "a b", "ü", 'x"y', "x\n"])
def test_a_request_id_that_is_no_sane_word_is_replaced(offered: str) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse("ok")

    request = RequestFactory().get("/", HTTP_X_REQUEST_ID=offered)
    given = RequestLogMiddleware(view)(request)["X-Request-Id"]
    assert given != offered
    assert len(given) == 32


def test_every_response_bears_an_id_and_no_two_the_same(client: Client) -> None:
    first, second = client.get("/health/live"), client.get("/health/live")
    assert first["X-Request-Id"] != second["X-Request-Id"]


def test_configuring_twice_leaves_one_handler() -> None:
    from recsys.logs import logging_config

    before = len(logging.getLogger().handlers)
    handlers = logging.getLogger().handlers[:]
    try:
        logging_config(level="WARNING", style="json")
        logging_config(level="WARNING", style="json")
        assert len(logging.getLogger().handlers) <= before + 1
    finally:
        logging.getLogger().handlers[:] = handlers
