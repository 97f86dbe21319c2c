"""Users over HTTP."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.api.fields import external_id_in_path
from apps.api.problems import Problem, ProblemSerializer
from apps.users import selectors, services
from apps.users import serializers as shapes
from apps.users.models import User

_USER_ID = OpenApiParameter("user_id", str, OpenApiParameter.PATH, description="Your own id of the user.")


class UsersView(GenericAPIView[User]):
    """All users."""

    required_scopes = {"GET": "users:read"}
    serializer_class = shapes.UserSerializer
    queryset = User.objects.none()

    @extend_schema(operation_id="user_list", tags=["users"], responses=shapes.UserSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Users, newest first, in pages."""
        page = self.paginate_queryset(selectors.users_listed())
        records = [selectors.record_of(user) for user in page or []]
        return self.get_paginated_response(shapes.UserSerializer(records, many=True).data)


class UserView(APIView):
    """One user."""

    required_scopes = {"GET": "users:read", "PUT": "users:write", "DELETE": "users:write"}

    @extend_schema(
        operation_id="user_get",
        tags=["users"],
        parameters=[_USER_ID],
        responses={200: shapes.UserSerializer, 404: ProblemSerializer},
    )
    def get(self, request: Request, user_id: str) -> Response:
        """A user. The id of a visitor who was merged into a user shows that user."""
        return Response(_shown(external_id_in_path(user_id, "user_id")))

    @extend_schema(
        operation_id="user_put",
        tags=["users"],
        parameters=[_USER_ID],
        request=shapes.UserBodySerializer,
        responses={200: shapes.UserSerializer, 201: shapes.UserSerializer, 400: ProblemSerializer},
    )
    def put(self, request: Request, user_id: str) -> Response:
        """Create a user (201) or set what is sent (200). Doing so again changes nothing."""
        user_id = external_id_in_path(user_id, "user_id")
        sent = _valid(shapes.UserBodySerializer, request)
        if sent.pop("user_id", user_id) != user_id:
            raise Problem(400, "The body names another user than the address.", field="user_id", code="invalid")
        created = services.user_put(user_id, **sent)
        return Response(_shown(user_id), status=201 if created else 200)

    @extend_schema(
        operation_id="user_erase",
        tags=["users"],
        parameters=[_USER_ID],
        request=None,
        responses={204: None, 404: ProblemSerializer},
    )
    def delete(self, request: Request, user_id: str) -> Response:
        """Erase a user, and the visitors merged into them.

        Their ids, attributes, searches and everything else that says who they were are gone from every store.
        Their events stay, so that counts remain right, as those of somebody nobody can name.
        """
        user_id = external_id_in_path(user_id, "user_id")
        try:
            services.user_erase(user_id)
        except services.UnknownUser:
            raise _unknown(user_id) from None
        return Response(status=204)


class MergeView(APIView):
    """A visitor signs in."""

    required_scopes = {"POST": "users:write"}

    @extend_schema(
        operation_id="user_merge",
        tags=["users"],
        parameters=[_USER_ID],
        request=shapes.MergeSerializer,
        responses={200: shapes.UserSerializer, 400: ProblemSerializer, 409: ProblemSerializer},
    )
    def post(self, request: Request, user_id: str) -> Response:
        """Make everything an anonymous visitor did count for this user, and what they do from now on.

        Doing so again changes nothing, so it can be called at every sign-in.
        """
        user_id = external_id_in_path(user_id, "user_id")
        visitor = _valid(shapes.MergeSerializer, request)["from"]
        try:
            services.users_merge(visitor, user_id)
        except services.CannotMerge as reason:
            raise Problem(409, str(reason), field="from", code="cannot_merge") from None
        return Response(_shown(user_id))


class ExportView(APIView):
    """What is held about a user."""

    required_scopes = {"GET": "users:read"}

    @extend_schema(
        operation_id="user_export",
        tags=["users"],
        parameters=[_USER_ID],
        responses={200: OpenApiTypes.OBJECT, 404: ProblemSerializer},
    )
    def get(self, request: Request, user_id: str) -> Response:
        """Everything held about a user, as JSON, by the part that holds it."""
        user_id = external_id_in_path(user_id, "user_id")
        held = selectors.export_user(user_id)
        if held is None:
            raise _unknown(user_id)
        return Response(held)


class PreferencesView(APIView):
    """What a user wishes."""

    required_scopes = {"GET": "users:read", "PUT": "users:write"}

    @extend_schema(
        operation_id="user_preferences_get",
        tags=["users"],
        parameters=[_USER_ID],
        responses={200: shapes.PreferencesSerializer, 404: ProblemSerializer},
    )
    def get(self, request: Request, user_id: str) -> Response:
        """A user's wishes."""
        return Response({"personalised": _shown(external_id_in_path(user_id, "user_id"))["personalised"]})

    @extend_schema(
        operation_id="user_preferences_put",
        tags=["users"],
        parameters=[_USER_ID],
        request=shapes.PreferencesSerializer,
        responses={200: shapes.PreferencesSerializer, 400: ProblemSerializer},
    )
    def put(self, request: Request, user_id: str) -> Response:
        """Set a user's wishes; they hold from the next request on. A user nobody knows is created."""
        user_id = external_id_in_path(user_id, "user_id")
        wishes = _valid(shapes.PreferencesSerializer, request)
        services.user_prefer(user_id, **wishes)
        return Response(wishes)


class TokenView(APIView):
    """What a shop's server hands to a signed-in browser."""

    required_scopes = {"POST": "users:write"}

    @extend_schema(
        operation_id="user_token",
        tags=["users"],
        parameters=[_USER_ID],
        request=shapes.TokenRequestSerializer,
        responses={200: shapes.TokenSerializer, 400: ProblemSerializer},
    )
    def post(self, request: Request, user_id: str) -> Response:
        """A short-lived token with which a browser holding a public key may act as this user."""
        user_id = external_id_in_path(user_id, "user_id")
        seconds = _valid(shapes.TokenRequestSerializer, request)["seconds"]
        token = services.user_token_sign(user_id, seconds)
        expires_at = timezone.now() + timedelta(seconds=seconds)
        return Response(shapes.TokenSerializer({"user_token": token, "expires_at": expires_at}).data)


class VisitorsView(APIView):
    """Anonymous visitors."""

    required_scopes = {"POST": "events:write"}

    @extend_schema(
        operation_id="visitor_issue", tags=["users"], request=None, responses={201: shapes.VisitorSerializer}
    )
    def post(self, request: Request) -> Response:
        """A new visitor id, for a browser to keep. Nothing is stored; nobody can guess another visitor's."""
        return Response({"visitor_id": services.visitor_id_issue()}, status=201)


def _valid(shape: type[Any], request: Request) -> dict[str, Any]:
    serializer = shape(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _shown(user_id: str) -> dict[str, Any]:
    record = selectors.user_record(user_id)
    if record is None:
        raise _unknown(user_id)
    return dict(shapes.UserSerializer(record).data)


def _unknown(user_id: str) -> Problem:
    return Problem(404, f"There is no user {user_id!r}.", field="user_id", code="unknown_user")
