"""The reference pages of the API and of events, derived from the OpenAPI description and the event types."""

import re
from collections.abc import Iterator
from typing import Any

from drf_spectacular.generators import SchemaGenerator

from apps.interactions.event_types import TYPES

_NOTE = "<!-- Written by `make docs` from the code; do not edit. -->\n"

_API_HEAD = """# API

JSON over HTTP below `/api/v1/`. The description for programs is at `/api/schema/`, a page to try calls on at `/api/docs/`.

**Keys.** Every call carries `Authorization: Bearer KEY`. A *secret* key is for servers and has scopes. A *public* key is for browsers: it reads recommendations and sends events, from the origins it is allowed for, on behalf of a visitor id that we issued (`POST /api/v1/visitors`) or of a known user whose token your server fetched (`POST /api/v1/users/{user_id}/token`, sent as `X-User-Token`). Keys are made in the admin, or with `manage.py create_api_key NAME`, and shown once. The scope that a call needs stands below it.

**Ids** are your own: any printable text up to 255 characters. Whole numbers are accepted and become text. In an address an id is percent-encoded as everywhere; slashes in it may stay. A user whose id ends in `/merge`, `/export`, `/preferences`, `/token` or `/follows`, or holds `/follows/`, has no address of its own.

**Errors** are problem documents (RFC 9457) with the content type `application/problem+json`:

```json
{"type": "about:blank", "title": "Invalid request", "status": 400, "detail": "limit: A valid integer is required.",
 "code": "invalid", "errors": [{"field": "limit", "detail": "A valid integer is required."}]}
```

400: malformed, the field is named. 401: no key, or one that is unknown, expired or revoked. 403: the key lacks the scope, the origin or the right to speak for this user. 404: no such item, placement or category. 413: the body or the list is too long. 415: the body is not `application/json`.

**Lists** come in pages: `limit`, `cursor`, and in the answer `results` and `next`, the address of the following page, null on the last.

**An answer with recommendations** looks like this. `fallback` names the pipeline that had to help out, and is null where none had to. `score` orders the entries that one pipeline gave; those of a fallback are on a scale of their own. `reason` is there with `explain=true`. Send an entry's `token` back with the events it leads to. Sent `item_ids`, `exclude` and `category` are the shop's own ids; a category may also be given by its name.

```json
{"placement": "home", "pipeline": "home", "model_version": "item_knn-20261121-1", "fallback": null, "experiment": null,
 "recomm_id": "b4648048-ece0-43dd-ad55-7ef5628c8167", "took_ms": 1.9,
 "recommendations": [{"item_id": "68696", "position": 1, "score": 0.51776, "source": "item_knn", "pinned": false, "token": "AQm0…",
   "reason": {"code": "because_you_bought", "text": "Because you bought Small teapot, moss", "item_ids": ["69106"]},
   "item": {"title": "Family teapot, moss", "url": "/shop/item/68696", "image_url": "/shop/pictures/68696.svg",
            "price": "44.00", "currency": "GBP", "available": true}}]}
```
"""  # noqa: E501  a page, not code


def api_page() -> str:
    """Every call with its parameters and scopes."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    components = schema["components"]["schemas"]
    parts = [_NOTE + _API_HEAD]
    for path, methods in sorted(schema["paths"].items()):
        if path.startswith("/api/v1/"):
            parts += ["\n".join(_operation(path, method, one, components)) for method, one in methods.items()]
    parts.append("# Shapes\n")
    parts += ["\n".join(_shape(name, components)) for name in sorted(_linked("\n".join(parts), components))]
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
            yield f"| `{one['name']}` | {one['in']} | {_type(one['schema'], components)}{needed} | {_cell(one)} |"
        yield ""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if body.get("type") == "array":
        yield "The body is a list; the fields of each entry:\n"
        body = body["items"]
    for number, shape in enumerate(_objects(body, components)):
        if number:
            yield "Or:\n"
        yield from _fields(shape, "field of the body", components)
    answers = [
        f"`{status}`{' ' + _type(answer, components) if (answer := _answer(said)) else ''}"
        for status, said in operation["responses"].items()
        if status < "400"
    ]
    refusals = [f"`{status}`" for status in operation["responses"] if status >= "400"]
    yield f"Answers {', '.join(answers)}; refuses with {', '.join(refusals)}.\n"


def _fields(shape: dict[str, Any], title: str, components: dict[str, Any]) -> Iterator[str]:
    yield f"| {title} | type | meaning |\n|---|---|---|"
    for name, field in shape.get("properties", {}).items():
        needed = " (required)" if title != "field" and name in shape.get("required", ()) else ""
        yield f"| `{name}` | {_type(field, components)}{needed} | {_cell(field)} |"
    yield ""


def _answer(said: dict[str, Any]) -> dict[str, Any]:
    """The schema of a response, empty where it has no body."""
    content = said.get("content", {})
    return dict(next(iter(content.values()))["schema"]) if content else {}


def _linked(page: str, components: dict[str, Any]) -> set[str]:
    """Names of the shapes that the page links to, and of those inside them."""
    waiting, found = [page], set[str]()
    while waiting:
        for name in set(re.findall(r"\[(\w+)\]\(#", waiting.pop())) - found:
            found.add(name)
            waiting.append("\n".join(_shape(name, components)))
    return found


def _shape(name: str, components: dict[str, Any]) -> Iterator[str]:
    yield f"## {name}\n"
    if said := components[name].get("description"):
        yield f"{said}\n"
    yield from _fields(components[name], "field", components)


def _objects(schema: dict[str, Any], components: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The objects a body may be, references resolved: one, or several that stand beside each other."""
    if reference := schema.get("$ref"):
        schema = components[reference.rsplit("/", 1)[-1]]
    if "properties" in schema:
        yield schema
    for choice in schema.get("oneOf", []):
        yield from _objects(choice, components)


def _type(schema: dict[str, Any], components: dict[str, Any]) -> str:
    if choices := schema.get("enum"):
        return ", ".join(f"`{choice}`" for choice in choices)
    if reference := schema.get("$ref"):
        name = reference.rsplit("/", 1)[-1]
        if "properties" in components[name]:
            return f"[{name}](#{name.lower()})"
        return _type(components[name], components)
    if several := schema.get("oneOf") or schema.get("allOf"):
        return " or ".join(dict.fromkeys(_type(one, components) for one in several))
    kind = schema.get("type", "object")
    if isinstance(kind, list):
        kind = " or ".join(kind)
    bounds = [f"{word} {schema[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema]
    words = [f"list of {_type(schema.get('items', {}), components)}" if kind == "array" else str(kind), *bounds]
    return " ".join([*words, "or null"] if schema.get("nullable") else words)


def _cell(parameter: dict[str, Any]) -> str:
    return " ".join(str(parameter.get("description", "")).split()).replace("|", "\\|") or "–"
