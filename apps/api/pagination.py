"""Long lists in pages: `limit` and `cursor` in, `results` and `next` out."""

import base64
import binascii
from typing import Any

from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from apps.api.problems import Problem

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000


class KeysetPagination(BasePagination):
    """Newest first by primary key, from where the cursor points: a page costs the same however deep it lies,
    and rows added meanwhile neither repeat nor hide others."""

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any]:
        """The asked page. Raises a 400 problem naming `limit` or `cursor` when one cannot be read."""
        self.request = request
        limit = _limit(request.query_params.get("limit"))
        if cursor := request.query_params.get("cursor"):
            queryset = queryset.filter(pk__lt=_decoded(cursor))
        rows = list(queryset.order_by("-pk")[: limit + 1])
        self.next_cursor = _encoded(rows[limit - 1].pk) if len(rows) > limit else None
        return rows[:limit]

    def get_paginated_response(self, data: Any) -> Response:
        following = None
        if self.next_cursor is not None:
            following = replace_query_param(self.request.build_absolute_uri(), "cursor", self.next_cursor)
        return Response({"results": data, "next": following})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["results", "next"],
            "properties": {
                "results": schema,
                "next": {
                    "type": "string",
                    "format": "uri",
                    "nullable": True,
                    "description": "Address of the following page; null on the last one.",
                },
            },
        }

    def get_schema_operation_parameters(self, view: APIView) -> list[dict[str, Any]]:
        return [
            {
                "name": "limit",
                "in": "query",
                "description": f"Entries of a page, {DEFAULT_LIMIT} unless said otherwise.",
                "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
            },
            {
                "name": "cursor",
                "in": "query",
                "description": "Where the page starts: as in `next` of the page before.",
                "schema": {"type": "string"},
            },
        ]


def _limit(asked: str | None) -> int:
    if asked is None:
        return DEFAULT_LIMIT
    if not (asked.isascii() and asked.isdigit() and len(asked) < 10 and 1 <= int(asked) <= MAX_LIMIT):
        raise Problem(400, f"Must be a whole number from 1 to {MAX_LIMIT}.", field="limit", code="invalid")
    return int(asked)


def _encoded(key: int) -> str:
    return base64.urlsafe_b64encode(str(key).encode()).decode().rstrip("=")


def _decoded(cursor: str) -> int:
    try:
        digits = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        key = int(digits) if digits.isdigit() and len(digits) < 19 else -1
    except (binascii.Error, ValueError):
        key = -1
    if key < 0:
        raise Problem(400, "This cursor is not one of ours.", field="cursor", code="invalid")
    return key
