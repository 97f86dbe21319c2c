"""One event as JSON, translated into an EventInput. What each key may hold is told to callers in `serializers`."""

from collections.abc import Mapping
from typing import Any

from apps.interactions.event_input import EventInput, Rejected

ALIASES = {
    "event_type": "interaction_type",
    "attribution_token": "token",
    "recommId": "token",
    "recomm_id": "token",
}
FIELDS = (
    "user_id",
    "item_id",
    "interaction_type",
    "event_id",
    "occurred_at",
    "value",
    "currency",
    "quantity",
    "session_id",
    "token",
    "properties",
    "query",
)
_IDS = ("user_id", "item_id", "event_id", "session_id")
_TEXTS = ("interaction_type", "currency", "token", "query")
_NUMBERS = ("value", "quantity")
QUERY_MAX = 1_000


def event_from_json(entry: object) -> EventInput:
    """The event that a JSON object states; nulls count as left out, numbers as ids become text.

    Raises Rejected naming a key that is unknown, said twice in different words, or of the wrong type.
    """
    if not isinstance(entry, Mapping):
        raise Rejected("body", "An event must be a JSON object.")
    said = _by_field(entry)
    for field in _IDS:
        if isinstance(said.get(field), int) and not isinstance(said[field], bool):
            said[field] = _digits(field, said[field])
    for field in (*_IDS, *_TEXTS):
        if not isinstance(said.get(field, ""), str):
            kind = "text or a whole number" if field in _IDS else "text"
            raise Rejected(field, f"{field} must be {kind}.")
    for field in _NUMBERS:
        if isinstance(said.get(field), bool) or not isinstance(said.get(field, 1), int | float | str):
            raise Rejected(field, f"{field} must be a number.")
    properties = said.pop("properties", {})
    if not isinstance(properties, Mapping):
        raise Rejected("properties", "properties must be a JSON object.")
    query = said.pop("query", "")
    if len(query) > QUERY_MAX:
        raise Rejected("query", f"query is longer than {QUERY_MAX} characters.")
    if "\x00" in query:
        raise Rejected("query", "query must not contain the NUL character.")
    if query:
        properties = {**properties, "query": query}
    return EventInput(event_type=said.pop("interaction_type", ""), properties=properties or None, **said)


def _by_field(entry: Mapping[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for key, value in entry.items():
        field = ALIASES.get(key, key)
        if field not in FIELDS:
            raise Rejected(key[:100], f"There is no such field. Known: {', '.join(FIELDS)}; anything else: properties.")
        if value is None:
            continue
        if said.get(field, value) != value:
            raise Rejected(key, f"{key} says something else than {field}.")
        said[field] = value
    return said


def _digits(field: str, number: int) -> str:
    try:
        return str(number)
    except ValueError:  # Python refuses to print integers of more than 4,300 digits
        raise Rejected(field, f"{field} is too long.") from None
