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
from apps.users.models import Follow, User

_USER_ID = OpenApiParameter("user_id", str, OpenApiParameter.PATH, description="Your own id of the user.")
_VISITOR_ID = OpenApiParameter("visitor_id", str, OpenApiParameter.PATH, description="The visitor's id.")
_OTHER_ID = OpenApiParameter("other_id", str, OpenApiParameter.PATH, description="Your own id of whom they follow.")


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


class UnmergeView(APIView):
    """A visitor was somebody else after all."""

    required_scopes = {"DELETE": "users:write"}

    @extend_schema(
        operation_id="user_unmerge",
        tags=["users"],
        parameters=[_USER_ID, _VISITOR_ID],
        request=None,
        responses={200: shapes.UserSerializer, 404: ProblemSerializer, 409: ProblemSerializer},
    )
    def delete(self, request: Request, user_id: str, visitor_id: str) -> Response:
        """Undo a merge: what the visitor did before it, and under their own id since, is theirs again.

        What came under the user's id stays the user's. Doing so again changes nothing. A visitor who came with another
        one, merged later, can only leave once that merge has been undone.
        """
        user_id, visitor_id = external_id_in_path(user_id, "user_id"), external_id_in_path(visitor_id, "visitor_id")
        try:
            services.users_unmerge(visitor_id, user_id)
        except services.UnknownUser as unknown:
            raise _unknown(str(unknown), "visitor_id" if str(unknown) == visitor_id else "user_id") from None
        except services.CannotMerge as reason:
            raise Problem(409, str(reason), field="visitor_id", code="cannot_unmerge") from None
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


class FollowsView(GenericAPIView[Follow]):
    """Whom a user follows."""

    required_scopes = {"GET": "users:read"}
    serializer_class = shapes.FollowSerializer
    queryset = Follow.objects.none()

    @extend_schema(
        operation_id="user_follows",
        tags=["users"],
        parameters=[_USER_ID],
        responses={200: shapes.FollowSerializer(many=True), 404: ProblemSerializer},
    )
    def get(self, request: Request, user_id: str) -> Response:
        """Whom a user follows, the latest first, in pages."""
        user_id = external_id_in_path(user_id, "user_id")
        follows = selectors.follows_listed(user_id)
        if follows is None:
            raise _unknown(user_id)
        records = [selectors.follow_record(follow) for follow in self.paginate_queryset(follows) or []]
        return self.get_paginated_response(shapes.FollowSerializer(records, many=True).data)


class FollowView(APIView):
    """One user follows another."""

    required_scopes = {"PUT": "users:write", "DELETE": "users:write"}

    @extend_schema(
        operation_id="user_follow",
        tags=["users"],
        parameters=[_USER_ID, _OTHER_ID],
        request=None,
        responses={200: shapes.FollowSerializer, 201: shapes.FollowSerializer, 409: ProblemSerializer},
    )
    def put(self, request: Request, user_id: str, other_id: str) -> Response:
        """Have a user follow another (201), or find that they do already (200).

        What the other wants counts for the user's recommendations from the next training on, where a pipeline asks a
        model of the algorithm `social`. Users nobody knows are created.
        """
        user_id, other_id = external_id_in_path(user_id, "user_id"), external_id_in_path(other_id, "other_id")
        try:
            record, new = services.user_follow(user_id, other_id)
        except services.CannotFollow as reason:
            raise Problem(409, str(reason), field="other_id", code="cannot_follow") from None
        return Response(shapes.FollowSerializer(record).data, status=201 if new else 200)

    @extend_schema(
        operation_id="user_unfollow",
        tags=["users"],
        parameters=[_USER_ID, _OTHER_ID],
        request=None,
        responses={204: None, 404: ProblemSerializer},
    )
    def delete(self, request: Request, user_id: str, other_id: str) -> Response:
        """Have a user no longer follow another. Doing so again changes nothing."""
        user_id, other_id = external_id_in_path(user_id, "user_id"), external_id_in_path(other_id, "other_id")
        try:
            services.user_unfollow(user_id, other_id)
        except services.UnknownUser as unknown:
            raise _unknown(str(unknown), "other_id" if str(unknown) == other_id else "user_id") from None
        return Response(status=204)


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


def _unknown(user_id: str, field: str = "user_id") -> Problem:
    return Problem(404, f"There is no user {user_id!r}.", field=field, code="unknown_user")
