"""Values as callers send them, checked: ids, text, JSON. Knows neither Django nor HTTP."""

import math
from dataclasses import dataclass
from typing import Any

MAX_ID_LENGTH = 255
MAX_JSON_DEPTH = 20


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field. `field` is its path from the top of the body, e.g. `prices.EUR`."""

    field: str
    detail: str


def external_id(value: object) -> str:
    """A shop's own id as text: 1 to 255 printable characters. Whole numbers are accepted (12345 is "12345").

    Raises ValueError with a sentence for the caller.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError("An id must be text or a whole number.")  # noqa: TRY004 - pydantic and DRF expect ValueError
    try:
        text = str(value)
    except ValueError:  # Python refuses to print integers of more than 4,300 digits
        raise ValueError(f"An id may have at most {MAX_ID_LENGTH} characters.") from None
    if not text.strip():
        raise ValueError("An id must not be empty.")
    if len(text) > MAX_ID_LENGTH:
        raise ValueError(f"An id may have at most {MAX_ID_LENGTH} characters.")
    if not text.isprintable():
        raise ValueError("An id must be printable text, without control characters.")
    return text


def storable_text(value: str) -> str:
    """`value` unchanged if every database can hold it; else ValueError (NUL, or half of a surrogate pair)."""
    if "\x00" in value:
        raise ValueError("Text must not contain the NUL character.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("Text must be valid Unicode.") from None
    return value


def storable_json(value: Any, depth: int = MAX_JSON_DEPTH) -> Any:
    """`value` unchanged if every database can hold it as JSON; else ValueError.

    Refused: text that `storable_text` refuses, infinite numbers, nesting deeper than 20.
    """
    if depth < 0:
        raise ValueError(f"JSON may be nested at most {MAX_JSON_DEPTH} deep.")
    if isinstance(value, str):
        storable_text(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("Numbers must be finite.")
    elif isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise ValueError("Names in JSON must be text.")  # noqa: TRY004
            storable_text(key)
            storable_json(inner, depth - 1)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            storable_json(inner, depth - 1)
    elif value is not None and not isinstance(value, (bool, int, float)):
        raise ValueError("Only text, numbers, true, false, null, lists and objects are JSON.")
    return value
