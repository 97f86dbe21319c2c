"""On whose behalf the events of one request are recorded."""

from dataclasses import replace

from django.conf import settings
from rest_framework.request import Request

from apps.api.problems import Problem
from apps.interactions.event_input import EventInput, Rejected
from apps.interactions.event_types import UnknownEventType, resolve
from apps.users.acting import acting_user
from apps.users.selectors import KeyFacts
from apps.users.services import visitor_id_is_ours, visitor_id_issue

PUBLIC_NAMESPACE = "public:"
_SERVER_ONLY = {"purchase", "refund"}


class Sender:
    """Who sends the events of one request: a shop's server, or a browser with a public key.

    A browser speaks only for visitors whose ids we issued and for the user of its `user_token`; one that names
    nobody gets one new visitor id for the request. Its event ids are kept apart, so that nobody can take the id
    of an order before the shop reports it.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._public = isinstance(request.auth, KeyFacts) and request.auth.public
        self._visitor = ""
        self._acting: dict[str, str | None] = {}

    def said(self, event: EventInput) -> EventInput:
        """The event with the user it counts for. Raises Rejected where the key may not send it.

        A bad `user_token` is the whole request's fault and raises its 403 problem.
        """
        if not self._public:
            return replace(event, anonymous=True) if visitor_id_is_ours(event.user_id) else event
        if not settings.PUBLIC_KEY_MAY_PURCHASE and _canonical(event.event_type) in _SERVER_ONLY:
            raise Rejected("interaction_type", f"A public key may not send {event.event_type}.", "forbidden")
        user = self._acting_user(event.user_id)
        if user is None:
            user = self._visitor = self._visitor or visitor_id_issue()
        return replace(event, user_id=user, anonymous=visitor_id_is_ours(user), namespace=PUBLIC_NAMESPACE)

    def _acting_user(self, user_id: str) -> str | None:
        if user_id not in self._acting:
            try:
                self._acting[user_id] = acting_user(self._request, user_id or None)
            except Problem as problem:
                if problem.field != "user_id":
                    raise
                raise Rejected("user_id", str(problem.detail), "forbidden") from None
        return self._acting[user_id]


def _canonical(event_type: str) -> str:
    try:
        return resolve(event_type).name
    except UnknownEventType:
        return ""  # rejected when it is recorded
