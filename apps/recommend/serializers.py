"""Questions as they arrive over HTTP, and answers as they leave."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.api.fields import ExternalIdField, StrictSerializer, TextField
from apps.recommend.asking import MAX_LIMIT, Recommendation

MAX_EXCLUDED = 1000
MAX_SEEDS = 100
MAX_TOGETHER = 20
WINDOWS = {"1d": "popular-1d", "24h": "popular-1d", "7d": "popular-7d", "30d": "popular-30d"}


@extend_schema_field({"type": "array", "items": {"type": "string"}, "maxItems": MAX_EXCLUDED})
class ExcludeField(serializers.Field[Any, Any, Any, Any]):
    """Ids to leave out: a JSON list, or in a query string repeated or separated by commas."""

    def to_internal_value(self, data: Any) -> frozenset[str]:
        if isinstance(data, str):
            data = [part for part in data.split(",") if part]
        if not isinstance(data, list):
            raise serializers.ValidationError("Must be a list of item ids.")
        if len(data) > MAX_EXCLUDED:
            raise serializers.ValidationError(f"At most {MAX_EXCLUDED} ids; there are {len(data)}.")
        one = ExternalIdField()
        return frozenset(one.run_validation(part) for part in data)


class OptionsSerializer(StrictSerializer):
    """What every question may say. `count` is another name of `limit`, `scenario` of `placement`."""

    limit = serializers.IntegerField(min_value=1, max_value=MAX_LIMIT, required=False)
    count = serializers.IntegerField(
        min_value=1, max_value=MAX_LIMIT, required=False, help_text="Another name of `limit`."
    )
    exclude = ExcludeField(required=False, help_text="Ids of items to leave out.")
    category = TextField(max_length=255, required=False, help_text="Only this category and those below it.")
    explain = serializers.BooleanField(default=False, help_text="Say why, with each item.")
    user_token = TextField(max_length=5000, required=False, help_text="Public keys: who a known user is.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One name for each thing."""
        for alias, name in (("count", "limit"), ("scenario", "placement")):
            if alias in attrs:
                if name in attrs:
                    raise serializers.ValidationError({alias: f"Is another name of {name}; send one of them."})
                attrs[name] = attrs.pop(alias)
        return attrs


class UserOptions(OptionsSerializer):
    placement = serializers.SlugField(max_length=30, required=False, help_text="`home` unless said otherwise.")
    scenario = serializers.SlugField(max_length=30, required=False, help_text="Another name of `placement`.")


class ItemOptions(OptionsSerializer):
    relation = serializers.ChoiceField(choices=["similar", "bought_together", "viewed_together"], default="similar")
    placement = serializers.SlugField(max_length=30, required=False, help_text="Instead of `relation`.")
    scenario = serializers.SlugField(max_length=30, required=False, help_text="Another name of `placement`.")
    user_id = ExternalIdField(required=False, help_text="Whom to personalise for.")
    min_relevance = serializers.FloatField(required=False, help_text="Leave out entries with a lower score.")


class PopularOptions(OptionsSerializer):
    user_id = ExternalIdField(required=False)
    window = serializers.ChoiceField(choices=sorted(WINDOWS), required=False, help_text="How far to look back.")


class EverybodyOptions(OptionsSerializer):
    user_id = ExternalIdField(required=False)


class SearchOptions(OptionsSerializer):
    q = TextField(max_length=500, help_text="What the shopper typed.")
    user_id = ExternalIdField(required=False, help_text="Whom to personalise for.")


class ContextSerializer(StrictSerializer):
    """What the page is about."""

    category = TextField(max_length=255, required=False)
    query = TextField(max_length=500, required=False)


class QuestionSerializer(OptionsSerializer):
    """One question to `POST /recommendations`."""

    placement = serializers.SlugField(max_length=30, required=False)
    scenario = serializers.SlugField(max_length=30, required=False, help_text="Another name of `placement`.")
    user_id = ExternalIdField(required=False)
    item_ids = serializers.ListField(child=ExternalIdField(), max_length=MAX_SEEDS, required=False)
    context = ContextSerializer(required=False)  # type: ignore[assignment]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if "placement" not in attrs:
            raise serializers.ValidationError({"placement": "Is needed."})
        return attrs


class TogetherSerializer(StrictSerializer):
    """Several questions at once."""

    requests = serializers.ListField(child=QuestionSerializer(), min_length=1, max_length=MAX_TOGETHER)
    distinct = serializers.BooleanField(default=False, help_text="No item twice across the answers.")


class ReasonSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    text = serializers.CharField()
    item_ids = serializers.ListField(child=serializers.CharField())


class CardSerializer(serializers.Serializer[Any]):
    title = serializers.CharField()
    url = serializers.CharField()
    image_url = serializers.CharField()
    price = serializers.CharField(allow_null=True)
    currency = serializers.CharField()
    available = serializers.BooleanField()


class EntrySerializer(serializers.Serializer[Any]):
    item_id = serializers.CharField()
    position = serializers.IntegerField()
    score = serializers.FloatField()
    source = serializers.CharField(  # type: ignore[assignment]
        help_text="The model or source that contributed most."
    )
    pinned = serializers.BooleanField()
    token = serializers.CharField(help_text="Send it back with the events this entry leads to.")
    reason = ReasonSerializer(required=False)
    item = CardSerializer()


class RecommendationSerializer(serializers.Serializer[Any]):
    """One answer."""

    placement = serializers.CharField()
    pipeline = serializers.CharField()
    model_version = serializers.CharField(allow_null=True)
    fallback = serializers.CharField(allow_null=True, help_text="The pipeline that had to help out, if one had to.")
    experiment = serializers.DictField(allow_null=True)
    recomm_id = serializers.CharField()
    took_ms = serializers.FloatField()
    recommendations = EntrySerializer(many=True)


class ResultsSerializer(serializers.Serializer[Any]):
    """Several answers, in the order of the questions."""

    results = RecommendationSerializer(many=True)


def answer(recommendation: Recommendation) -> dict[str, Any]:
    """The JSON of one answer, as `RecommendationSerializer` describes it; written by hand because it is hot."""
    entries = []
    for entry in recommendation.entries:
        out: dict[str, Any] = {
            "item_id": entry.item_id,
            "position": entry.position,
            "score": entry.score,
            "source": entry.source,
            "pinned": entry.pinned,
            "token": entry.token,
        }
        if entry.reason is not None:
            out["reason"] = {
                "code": entry.reason.code,
                "text": entry.reason.text,
                "item_ids": list(entry.reason.item_ids),
            }
        card = entry.card
        out["item"] = {
            "title": card.title,
            "url": card.url,
            "image_url": card.image_url,
            "price": card.price,
            "currency": card.currency,
            "available": card.available,
        }
        entries.append(out)
    return {
        "placement": recommendation.placement,
        "pipeline": recommendation.pipeline,
        "model_version": recommendation.model_version,
        "fallback": recommendation.fallback,
        "experiment": None,
        "recomm_id": recommendation.recomm_id,
        "took_ms": recommendation.took_ms,
        "recommendations": entries,
    }
