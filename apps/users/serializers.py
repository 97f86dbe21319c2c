"""The shapes of the users' API."""

from typing import Any

from rest_framework import serializers

from apps.api.fields import ExternalIdField, JsonObjectField, StrictSerializer
from apps.users.services import MAX_TOKEN_SECONDS


class UserSerializer(serializers.Serializer[Any]):
    """A user."""

    user_id = serializers.CharField()
    anonymous = serializers.BooleanField(help_text="A visitor who has not signed in.")
    personalised = serializers.BooleanField(help_text="False: recommendations do not depend on this user.")
    attributes = JsonObjectField()
    created_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField(allow_null=True)


class UserBodySerializer(StrictSerializer):
    """What a shop says of a user; what is left out stays as it is."""

    user_id = ExternalIdField(required=False, help_text="May be left out, or must be that of the address.")
    anonymous = serializers.BooleanField(required=False)
    personalised = serializers.BooleanField(required=False)
    attributes = JsonObjectField(required=False, help_text="Anything else; replaced whole.")


class MergeSerializer(StrictSerializer):
    """Which visitor this user turned out to be."""

    def get_fields(self) -> dict[str, Any]:
        # `from` is a keyword, so the field cannot be an attribute.
        return {"from": ExternalIdField(help_text="The visitor's id.")}


class PreferencesSerializer(StrictSerializer):
    """What a user wishes."""

    personalised = serializers.BooleanField(help_text="False: recommendations that do not depend on the user.")


class FollowSerializer(serializers.Serializer[Any]):
    """Somebody a user follows."""

    user_id = serializers.CharField(help_text="Who is followed.")
    followed_at = serializers.DateTimeField()


class TokenRequestSerializer(StrictSerializer):
    """How long the token shall live."""

    seconds = serializers.IntegerField(default=3600, min_value=1, max_value=MAX_TOKEN_SECONDS)


class TokenSerializer(serializers.Serializer[Any]):
    """A token with which a browser may act as this user."""

    user_token = serializers.CharField()
    expires_at = serializers.DateTimeField()


class VisitorSerializer(serializers.Serializer[Any]):
    """A new anonymous visitor."""

    visitor_id = serializers.CharField()
