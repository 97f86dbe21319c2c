"""What the API's description says of every call: the scope it needs, and how it refuses."""

from typing import Any

_WITH_BODY = {"413": "The body or the list is too long.", "415": "The body is not `application/json`."}
_ALWAYS = {
    "400": "Malformed; `errors` names the fields.",
    "401": "No API key, or one that is unknown, expired or revoked.",
    "403": "The key lacks the scope, the origin or the right to speak for this user.",
}
_MEANINGS = {**_ALWAYS, **_WITH_BODY, "404": "There is no such thing.", "409": "It cannot be done as things are."}


def describe_calls(result: dict[str, Any], generator: Any, **_: Any) -> dict[str, Any]:
    """drf-spectacular's hook: every refusal is described, as the problem document that it is."""
    for path, _regex, method, callback in generator.endpoints:
        operation = result["paths"].get(path, {}).get(method.lower())
        scopes = getattr(callback.cls, "required_scopes", None)
        if operation is None or scopes is None:
            continue
        operation["x-scope"] = scopes[method]
        described = f"{operation.get('description', '').strip()}\n\nScope: `{scopes[method]}`.".strip()
        operation["description"] = described
        answers = operation["responses"]
        for status, meaning in {**_ALWAYS, **(_WITH_BODY if "requestBody" in operation else {})}.items():
            answers.setdefault(status, {"description": meaning})
        for status, answer in answers.items():
            if int(status) >= 400:
                problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
                answer["content"] = {"application/problem+json": problem}
                answer["description"] = answer["description"] or _MEANINGS.get(status, "")
        operation["responses"] = dict(sorted(answers.items()))
    return result
