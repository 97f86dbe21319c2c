"""Structured logs: one line per event, with the id of the request that caused it."""

import logging.config
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def logging_config(*, level: str, style: str) -> None:
    """Send structlog's and the standard library's records to standard error as JSON or coloured text."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if style == "json":
        shared.append(structlog.processors.format_exc_info)
        renderer: Any = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "structured": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
                    "foreign_pre_chain": shared,
                }
            },
            "filters": {"outages": {"()": OutageInOneLine}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
            "root": {"handlers": ["stderr"], "level": level},
            "loggers": {
                "django.request": {"level": "ERROR", "filters": ["outages"]},
                "django.server": {"level": "WARNING"},
                "sentence_transformers": {"level": "WARNING"},
                "faiss": {"level": "WARNING"},
            },
        }
    )


class OutageInOneLine(logging.Filter):
    """While the database is away, every request says so in a line, not in a stack trace."""

    def filter(self, record: logging.LogRecord) -> bool:
        from recsys.error_pages import OUTAGES  # Django is not there yet when logging is configured

        problem = record.exc_info[1] if record.exc_info else None
        if isinstance(problem, OUTAGES):
            record.msg, record.args, record.exc_info = f"{record.getMessage()} ({problem})", (), None
        return True


class RequestLogMiddleware:
    """Gives every request an id (the caller's `X-Request-Id` if it is a sane one), logs one line, returns the id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.log = structlog.get_logger("recsys.request")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        offered = request.headers.get("X-Request-Id", "")
        request_id = offered if _REQUEST_ID.fullmatch(offered) else uuid.uuid4().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        response = self.get_response(request)
        response["X-Request-Id"] = request_id
        if not request.path.startswith(("/health", "/metrics", "/static")):
            self.log.info(
                "request",
                method=request.method,
                path=request.path,
                status=response.status_code,
                took_ms=round((time.perf_counter() - started) * 1000, 2),
            )
        return response
