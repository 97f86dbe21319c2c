"""Cells as values: what a file cannot say about types (a list in CSV, an id that became a float) is restored.

Every function raises BadValue, with a reason fit for the rejects file, for a cell that says something else.
"""

import json
import math
from datetime import date
from decimal import Decimal
from typing import Any


class BadValue(ValueError):
    """A cell that does not hold what its column should. The message says what is wrong with it."""


def missing(value: Any) -> bool:
    """Whether the cell says nothing: '', blanks, None or not-a-number."""
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or (isinstance(value, float) and math.isnan(value))


def text(value: Any) -> str:
    """Trimmed text, '' for a missing cell. A whole number is written without a fraction: 17850.0 is '17850'."""
    if isinstance(value, str):
        return value.strip()
    if missing(value):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float | Decimal):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    raise BadValue(f"not a text: {str(value)[:50]!r}")


def texts(value: Any) -> list[str]:
    """A list of texts: a list, JSON text that starts with '[', or words with '|' between them."""
    if missing(value):
        return []
    if isinstance(value, str):
        value = _json(value) if value.lstrip().startswith("[") else value.split("|")
    if not isinstance(value, list):
        raise BadValue(f"not a list: {str(value)[:50]!r}")
    return [word for word in map(text, value) if word]


def json_object(value: Any) -> dict[str, Any] | None:
    """A JSON object, given as such or as JSON text; None for a missing cell."""
    if missing(value):
        return None
    if isinstance(value, str):
        value = _json(value)
    if isinstance(value, list) and value and all(isinstance(pair, tuple) and len(pair) == 2 for pair in value):
        value = dict(value)  # how a Parquet map arrives
    if not isinstance(value, dict):
        raise BadValue(f"not a JSON object: {str(value)[:50]!r}")
    return value


def _json(word: str) -> Any:
    try:
        return json.loads(word)
    except (ValueError, RecursionError):
        raise BadValue(f"not JSON: {word[:50]!r}") from None
