"""The shapes of `POST /interactions`, for the API's description."""

from typing import Any

from rest_framework import serializers

from apps.api.fields import ExternalIdField, JsonObjectField
from apps.interactions.event_types import BY_NAME


class InteractionSerializer(serializers.Serializer[Any]):
    """One event."""

    user_id = ExternalIdField(
        required=False, help_text="Who did it. Without it, session_id stands for an anonymous user."
    )
    item_id = ExternalIdField(
        required=False, help_text="Required but for search, render_item_list, view_item_list, or with an entry token."
    )
    interaction_type = serializers.CharField(
        help_text=f"One of {', '.join(BY_NAME)}, or a common alias such as view, click or cart. Also: event_type."
    )
    event_id = serializers.CharField(
        required=False, max_length=128, help_text="Yours; sent again, it changes nothing. Without it, one is drawn."
    )
    occurred_at = serializers.DateTimeField(
        required=False, help_text="Without an offset: the shop's time; or seconds since 1970. Default: now."
    )
    value = serializers.FloatField(required=False, help_text="Unit price, or the rating of a rate event.")
    currency = serializers.CharField(required=False, help_text="ISO 4217.")
    quantity = serializers.IntegerField(required=False, min_value=1, default=1)
    session_id = serializers.CharField(required=False, help_text="Events of one visit or order belong together.")
    token = serializers.CharField(
        required=False,
        help_text="The entry token of the recommendation that led here, or a plain recomm_id. "
        "Also: attribution_token, recommId, recomm_id.",
    )
    properties = JsonObjectField(required=False, help_text="Anything else.")
    query = serializers.CharField(required=False, help_text="What was searched for.")
    user_token = serializers.CharField(
        required=False, help_text="With a public key: who is speaking. In a list, send X-User-Token instead."
    )


class StoredInteractionSerializer(serializers.Serializer[Any]):
    """What became of one event."""

    status = serializers.ChoiceField(choices=["stored", "duplicate"])
    event_id = serializers.CharField()
    user_id = serializers.CharField(help_text="Whom the event counts for; a public key learns its visitor's id here.")


class EntryResultSerializer(serializers.Serializer[Any]):
    """What became of one event of a list."""

    status = serializers.ChoiceField(choices=["stored", "duplicate", "rejected"])
    event_id = serializers.CharField(required=False)
    user_id = serializers.CharField(required=False)
    field = serializers.CharField(required=False, help_text="Of a rejected event: the field at fault.")
    detail = serializers.CharField(required=False, help_text="Of a rejected event: why.")
    code = serializers.CharField(required=False, help_text="invalid, unknown_item, bad_token or forbidden.")


class InteractionsResultSerializer(serializers.Serializer[Any]):
    """What became of a list of events, one result for each, in order."""

    stored = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    rejected = serializers.IntegerField()
    results = EntryResultSerializer(many=True)
