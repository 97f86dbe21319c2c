"""Request bodies: JSON only, bounded in size and depth."""

import json
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from django.conf import settings
from rest_framework.parsers import BaseParser

from apps.api.problems import Problem


class JsonBodyParser(BaseParser):
    """Reads JSON in UTF-8. At most `MAX_BODY_BYTES` are read; a longer body is answered with 413.

    DRF's own parser reads past Django's limit, and answers very deep nesting with 500.
    """

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read(settings.MAX_BODY_BYTES + 1)
        if len(body) > settings.MAX_BODY_BYTES:
            raise Problem(413, f"The body may have at most {settings.MAX_BODY_BYTES:,} bytes.", field="body")
        try:
            value = json.loads(body.decode("utf-8"), parse_constant=_refuse)
            if b"\\ud" in body.lower():
                # Half of a surrogate pair can neither be stored nor be repeated in an answer.
                json.dumps(value, ensure_ascii=False).encode()
            return value
        except RecursionError:
            raise Problem(400, "The body is nested too deeply.", field="body", code="parse_error") from None
        except ValueError as error:
            raise Problem(400, f"The body is not valid JSON: {error}.", field="body", code="parse_error") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")
