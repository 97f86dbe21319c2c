"""The calls of every page, without the framework around them: same question, same answer, an eighth of the overhead.

`lean_answer` answers what is plainly right. For everything else it answers nothing, and the view asks again with all
the care that errors deserve: there is one place that refuses, and it is not here.
"""

from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from django.http import HttpRequest
from rest_framework.exceptions import APIException

from apps.api.values import MAX_ID_LENGTH
from apps.recommend import serializers as shapes
from apps.recommend.asking import Refused
from apps.recommend.serve import recommend
from apps.recommend.views import ForItem, ForUser, New, Popular, Trending, options_of
from apps.users.authentication import secret_key_of

PREFIX = "/api/v1/recommendations/"

_WHOLE = {"popular": Popular, "trending": Trending, "new": New}
_WITH_ID = {"user": ForUser, "item": ForItem}


def lean_answer(request: HttpRequest) -> tuple[str, bytes] | None:
    """The view's name and the body of a 200, for a GET below PREFIX with a secret key; None: ask the view."""
    kind, _, rest = request.path_info[len(PREFIX) :].partition("/")
    view: Any = _WITH_ID.get(kind) if rest else _WHOLE.get(kind)
    if view is None or len(rest) > MAX_ID_LENGTH or not rest.isprintable() or rest != rest.strip():
        return None
    key = secret_key_of(request.META.get("HTTP_AUTHORIZATION", ""), scope="recommendations:read")
    if key is None:
        return None
    query = request.META.get("QUERY_STRING", "")
    try:
        options = _options(view, query)
        if options["trace"]:
            return None
        ask = view.ask(options, options.get("user_id"), *([rest] if rest else []))
        return view.name, shapes.body(recommend(ask))
    except (APIException, Refused, ValueError):  # ValueError: a query string without end
        return None


@lru_cache(maxsize=4096)
def _options(view: Any, query: str) -> dict[str, Any]:
    """The options of a query string, checked. Pages ask with few different ones; a wrong one is not remembered."""
    return options_of(parse_qsl(query, keep_blank_values=True, max_num_fields=1_000), view.shape)
