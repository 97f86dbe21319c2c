"""`POST /interactions`: events in."""

from collections import Counter
from dataclasses import replace
from typing import Any

from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.api.problems import Problem, ProblemSerializer
from apps.interactions.event_input import EventInput, EventResult, Rejected
from apps.interactions.event_json import event_from_json
from apps.interactions.sending import PUBLIC_NAMESPACE, Sender
from apps.interactions.serializers import (
    InteractionSerializer,
    InteractionsResultSerializer,
    StoredInteractionSerializer,
)
from apps.interactions.services import events_record

LIST_MAX = 1_000
_STATUS = {"unknown_item": 404, "forbidden": 403}


class InteractionsView(APIView):
    """Events: one object, or a list of up to 1,000."""

    required_scopes = {"POST": "events:write"}

    @extend_schema(
        operation_id="record_interactions",
        tags=["events"],
        parameters=[
            OpenApiParameter(
                "Idempotency-Key",
                str,
                OpenApiParameter.HEADER,
                description="Stands for event_id where an event has none; in a list it is joined with the position.",
            )
        ],
        request=PolymorphicProxySerializer(
            component_name="Interactions",
            serializers=[InteractionSerializer, InteractionSerializer(many=True)],
            resource_type_field_name=None,
            many=False,
        ),
        responses={
            201: StoredInteractionSerializer,
            200: PolymorphicProxySerializer(
                component_name="InteractionsAnswer",
                serializers=[StoredInteractionSerializer, InteractionsResultSerializer],
                resource_type_field_name=None,
                many=False,
            ),
            **dict.fromkeys((400, 401, 403, 404, 413), ProblemSerializer),
        },
    )
    def post(self, request: Request) -> Response:
        """Record what a user did. An `event_id` that is known changes nothing.

        One object: 201 when stored, 200 when known, else a problem that names the field.
        A list: 200 with one result for each; the good ones are stored.
        """
        key = request.headers.get("Idempotency-Key", "")
        if not isinstance(request.data, list):
            return _single(_record(request, [_without_user_token(request.data)], [key])[0])
        if len(request.data) > LIST_MAX:
            raise Problem(413, f"A list may have at most {LIST_MAX:,} events.", field="body")
        keys = [f"{key}:{place}" if key else "" for place in range(len(request.data))]
        results = _record(request, request.data, keys)
        counts = Counter(result.status for result in results)
        return Response(
            {status: counts[status] for status in ("stored", "duplicate", "rejected")}
            | {"results": [_entry(result) for result in results]}
        )


def _record(request: Request, entries: list[Any], keys: list[str]) -> list[EventResult]:
    sender = Sender(request)
    results: list[EventResult | None] = []
    events: list[EventInput] = []
    for entry, key in zip(entries, keys, strict=True):
        try:
            event = event_from_json(entry)
            events.append(sender.said(event if event.event_id else replace(event, event_id=key)))
            results.append(None)
        except Rejected as error:
            results.append(EventResult("rejected", field=error.field, reason=str(error), code=error.code))
    recorded = iter(events_record(events))
    return [result or next(recorded) for result in results]


def _without_user_token(entry: Any) -> Any:
    """The entry without the caller's proof of identity, which `acting_user` reads from the body."""
    if isinstance(entry, dict) and "user_token" in entry:
        return {name: value for name, value in entry.items() if name != "user_token"}
    return entry


def _single(result: EventResult) -> Response:
    if result.status == "rejected":
        raise Problem(_STATUS.get(result.code, 400), result.reason, field=result.field, code=result.code)
    return Response(_entry(result), status=201 if result.status == "stored" else 200)


def _entry(result: EventResult) -> dict[str, str]:
    event_id = result.event_id.removeprefix(PUBLIC_NAMESPACE)
    if result.status != "rejected":
        return {"status": result.status, "event_id": event_id, "user_id": result.user_id}
    known = {"event_id": event_id} if event_id else {}
    return {"status": result.status, **known, "field": result.field, "detail": result.reason, "code": result.code}
