"""Questions as they arrive over HTTP, and answers as they leave."""

from typing import Any

import orjson
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.api.fields import ExternalIdField, StrictSerializer, TextField
from apps.api.values import storable_text
from apps.recommend import paging
from apps.recommend.asking import MAX_LIMIT, Recommendation
from apps.recommend.engine.filters import Expression, FilterError, parse
from apps.recommend.properties import KNOWN

MAX_EXCLUDED = 1000
MAX_CONTEXT = 20
MAX_PROPERTIES = 30
MAX_SEEDS = 100
MAX_TOGETHER = 20
WINDOWS = {"1d": "popular-1d", "24h": "popular-1d", "7d": "popular", "30d": "popular-30d"}


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


@extend_schema_field({"type": "string", "maxLength": 2000})
class FilterField(serializers.Field[Any, Any, Any, Any]):
    """A filter expression: docs/reference/filters.md."""

    def to_internal_value(self, data: Any) -> Expression:
        if not isinstance(data, str):
            raise serializers.ValidationError("Must be text.")
        try:
            return parse(data)
        except FilterError as error:
            raise serializers.ValidationError(str(error)) from None


@extend_schema_field({"type": "string"})
class CursorField(serializers.Field[Any, Any, Any, Any]):
    """What an earlier page said in `next`."""

    def to_internal_value(self, data: Any) -> tuple[int, ...]:
        try:
            return paging.shown(data if isinstance(data, str) else "")
        except ValueError:
            raise serializers.ValidationError("Must be the `next` of an answer, unchanged.") from None


@extend_schema_field(
    {"oneOf": [{"type": "boolean"}, {"type": "array", "items": {"type": "string"}, "maxItems": MAX_PROPERTIES}]}
)
class PropertiesField(serializers.Field[Any, Any, Any, Any]):
    """true: the card (None here); false: nothing; names: those fields. In a query string separated by commas."""

    def to_internal_value(self, data: Any) -> tuple[str, ...] | None:
        if data in (True, "true", "1", ""):
            return None
        if data in (False, "false", "0"):
            return ()
        names = data.split(",") if isinstance(data, str) else data
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise serializers.ValidationError("Must be true, false or a list of fields.")
        if len(names) > MAX_PROPERTIES:
            raise serializers.ValidationError(f"At most {MAX_PROPERTIES} fields; there are {len(names)}.")
        for name in names:
            if name not in KNOWN and not name.startswith("attributes."):
                raise serializers.ValidationError(
                    f"There is no field {name!r}. Known: {', '.join(KNOWN)} and attributes.<name>."
                )
        return tuple(dict.fromkeys(names))


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": MAX_CONTEXT})
class ContextField(serializers.Field[Any, Any, Any, Any]):
    """What the page is about. `category` and `query` narrow the answer; rules may ask for all the others."""

    def to_internal_value(self, data: Any) -> dict[str, str]:
        if not isinstance(data, dict):
            raise serializers.ValidationError("Must be a JSON object.")
        if len(data) > MAX_CONTEXT:
            raise serializers.ValidationError(f"At most {MAX_CONTEXT} entries; there are {len(data)}.")
        result = {}
        for name, value in data.items():
            if isinstance(value, bool) or not isinstance(value, (str, int, float)):
                value = {True: "true", False: "false"}.get(value) if isinstance(value, bool) else None
            if value is None:
                raise serializers.ValidationError({name: "Must be text, a number, true or false."})
            limit = 500 if name == "query" else 255
            if len(name) > 50 or len(str(value)) > limit:
                raise serializers.ValidationError({name: f"Names have at most 50 characters, this value {limit}."})
            try:
                result[name] = storable_text(str(value))
            except ValueError as error:
                raise serializers.ValidationError({name: str(error)}) from None
        return result


class OptionsSerializer(StrictSerializer):
    """What every question may say. `count` is another name of `limit`, `scenario` of `placement`."""

    limit = serializers.IntegerField(min_value=1, max_value=MAX_LIMIT, required=False)
    count = serializers.IntegerField(
        min_value=1, max_value=MAX_LIMIT, required=False, help_text="Another name of `limit`."
    )
    exclude = ExcludeField(required=False, help_text="Ids of items to leave out.")
    category = TextField(max_length=255, required=False, help_text="Only this category and those below it.")
    filter = FilterField(
        required=False, help_text='Only items that this is true of, e.g. `price < 20 and not brand = "Acme"`.'
    )
    context = ContextField(  # type: ignore[assignment]  # the contract's name, and Serializer's
        required=False, help_text="What rules may ask for. In a query string: `context.device=phone`."
    )
    after = CursorField(required=False, help_text="The `next` of an answer: the page after it.")
    return_properties = PropertiesField(
        required=False, help_text="Instead of the card: `false`, or the names of fields of the item."
    )
    explain = serializers.BooleanField(default=False, help_text="Say why, with each item.")
    trace = serializers.BooleanField(
        default=False, help_text="Tell the whole way. Needs a key with the scope recommendations:trace."
    )
    why_not = ExternalIdField(required=False, help_text="With `trace`: the item whose absence is to be explained.")
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


class QuestionSerializer(OptionsSerializer):
    """One question to `POST /recommendations`."""

    placement = serializers.SlugField(max_length=30, required=False)
    scenario = serializers.SlugField(max_length=30, required=False, help_text="Another name of `placement`.")
    user_id = ExternalIdField(required=False)
    item_ids = serializers.ListField(child=ExternalIdField(), max_length=MAX_SEEDS, required=False)

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
    next = serializers.CharField(allow_null=True, help_text="Send it as `after` for the next page.")
    trace = serializers.DictField(required=False)


class ResultsSerializer(serializers.Serializer[Any]):
    """Several answers, in the order of the questions."""

    results = RecommendationSerializer(many=True)


def body(recommendation: Recommendation) -> bytes:
    """The JSON of one answer, as `RecommendationSerializer` describes it; put together from parts because it is hot."""
    entries = b",".join(
        before + token.encode() + after
        for (before, after), token in zip(recommendation.listed.json_parts, recommendation.tokens, strict=True)
    )
    head: dict[str, Any] = {
        "placement": recommendation.placement,
        "pipeline": recommendation.pipeline,
        "model_version": recommendation.model_version,
        "fallback": recommendation.fallback,
        "experiment": None,
        "recomm_id": recommendation.recomm_id,
        "took_ms": recommendation.took_ms,
        "next": recommendation.next,
    }
    if recommendation.trace is not None:
        head["trace"] = recommendation.trace
    return orjson.dumps(head)[:-1] + b',"recommendations":[' + entries + b"]}"


def bodies(answers: list[Recommendation]) -> bytes:
    """The JSON of several answers, as `ResultsSerializer` describes it."""
    return b'{"results":[' + b",".join(map(body, answers)) + b"]}"
