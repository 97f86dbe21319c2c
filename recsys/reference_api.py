"""The reference pages of the API and of events, derived from the OpenAPI description and the event types."""

from collections.abc import Iterator
from typing import Any

from drf_spectacular.generators import SchemaGenerator

from apps.interactions.event_types import TYPES

_NOTE = "<!-- Written by `make docs` from the code; do not edit. -->\n"

_API_HEAD = """# API

JSON over HTTP below `/api/v1/`. The description for programs is at `/api/schema/`, a page to try calls on at `/api/docs/`.

**Keys.** Every call carries `Authorization: Bearer KEY`. A *secret* key is for servers and has scopes. A *public* key is for browsers: it reads recommendations and sends events, from the origins it is allowed for, on behalf of a visitor id that we issued (`POST /api/v1/visitors`) or of a known user whose token your server fetched (`POST /api/v1/users/{user_id}/token`, sent as `X-User-Token`). Keys are made in the admin and shown once.

**Ids** are your own: any printable text up to 255 characters. Whole numbers are accepted and become text.

**Errors** are problem documents (RFC 9457) with the content type `application/problem+json`:

```json
{"type": "about:blank", "title": "Invalid request", "status": 400, "detail": "limit: A valid integer is required.",
 "code": "invalid", "errors": [{"field": "limit", "detail": "A valid integer is required."}]}
```

400: malformed, the field is named. 401: no key, or one that is unknown, expired or revoked. 403: the key lacks the scope, the origin or the right to speak for this user. 404: no such item, placement or category. 413: the body or the list is too long.

**Lists** come in pages: `limit`, `cursor`, and in the answer `next`, the address of the following page.
"""  # noqa: E501  a page, not code


def api_page() -> str:
    """Every call with its parameters and scopes."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    parts = [_NOTE + _API_HEAD]
    for path, methods in sorted(schema["paths"].items()):
        if path.startswith("/api/v1/"):
            components = schema["components"]["schemas"]
            parts += ["\n".join(_operation(path, method, one, components)) for method, one in methods.items()]
    return "\n".join(parts)


def events_page() -> str:
    """Every event type with what it is worth and its other names."""
    rows = [
        f"| `{one.name}` | {one.description} | {one.weight:g} | {one.half_life_days:g} | "
        f"{', '.join(f'`{alias}`' for alias in one.aliases.split())} |"
        for one in TYPES
    ]
    taste = ", ".join(f"`{one.name}`" for one in TYPES if one.taste)
    return (
        f"{_NOTE}# Events\n\nAn event says what a user did. Aliases are accepted in any case, with `-`, `_` or blanks "
        "between words, and stored under the canonical name.\n\n"
        "Weight: how strongly one event speaks for the item (negative: against it). Half-life: days after which it "
        "counts half as much. Both are first values; merchandisers edit them in the admin under *Event types*, and "
        "the next answers and trainings go by them. A `rate` event counts its weight from -1 (rating 0) to 1 "
        f"(rating 5).\n\nTaste events move a user's recommendations: {taste}. The others are only counted.\n\n"
        "| type | meaning | weight | half-life, days | also accepted as |\n|---|---|---|---|---|\n"
        + "\n".join(rows)
        + "\n"
    )


def _operation(path: str, method: str, operation: dict[str, Any], components: dict[str, Any]) -> Iterator[str]:
    yield f"## `{method.upper()} {path}`\n"
    yield f"{operation.get('description') or operation.get('summary', '')}\n"
    if parameters := operation.get("parameters"):
        yield "| parameter | in | type | meaning |\n|---|---|---|---|"
        for one in parameters:
            needed = " (required)" if one.get("required") else ""
            yield f"| `{one['name']}` | {one['in']} | {_type(one['schema'])}{needed} | {_cell(one)} |"
        yield ""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    for shape in _objects(body, components):
        yield "| field of the body | type | meaning |\n|---|---|---|"
        for name, field in shape.get("properties", {}).items():
            needed = " (required)" if name in shape.get("required", ()) else ""
            yield f"| `{name}` | {_type(field)}{needed} | {_cell(field)} |"
        yield ""


def _objects(schema: dict[str, Any], components: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The objects a body may be, references resolved: one, or several that stand beside each other."""
    if reference := schema.get("$ref"):
        schema = components[reference.rsplit("/", 1)[-1]]
    if "properties" in schema:
        yield schema
    for choice in schema.get("oneOf", []):
        yield from _objects(choice, components)


def _type(schema: dict[str, Any]) -> str:
    if choices := schema.get("enum"):
        return ", ".join(f"`{choice}`" for choice in choices)
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        kind = " or ".join(kind)
    bounds = [f"{word} {schema[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema]
    return " ".join([f"list of {_type(schema.get('items', {}))}" if kind == "array" else str(kind), *bounds])


def _cell(parameter: dict[str, Any]) -> str:
    return " ".join(str(parameter.get("description", "")).split()).replace("|", "\\|") or "–"
