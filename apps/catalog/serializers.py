"""The shapes of the catalog's API. `parse_item` checks what comes in; these describe it, and write what goes out."""

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.api.fields import ExternalIdField, JsonObjectField
from apps.catalog.item_input import MAX_CATEGORY_DEPTH
from apps.catalog.prices import price_text

_PRICE = {"oneOf": [{"type": "string", "pattern": r"^\d{1,10}(\.\d{1,4})?$"}, {"type": "number", "minimum": 0}]}


@extend_schema_field({**_PRICE, "nullable": True, "example": "2.55"})
class PriceField(serializers.Field[Decimal, Any, str, Any]):
    """A price as text, so that no digit is lost on the way."""

    def to_representation(self, value: Decimal) -> str:
        return price_text(value)


@extend_schema_field(
    {
        "type": "array",
        "maxItems": 50,
        "items": {
            "oneOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MAX_CATEGORY_DEPTH},
            ]
        },
        "example": ["Kitchen > Mugs", ["Gifts", "For her"]],
    }
)
class CategoryPathsField(serializers.Field[list[Any], Any, list[Any], Any]):
    """Paths from the root down, as text or as lists of names or ids."""

    def to_representation(self, value: list[Any]) -> list[Any]:
        return value


@extend_schema_field({"type": "object", "additionalProperties": _PRICE, "example": {"EUR": "2.95"}})
class PricesField(JsonObjectField):
    """Prices by currency."""


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}, "example": {"de": "Tasse"}})
class TitlesField(JsonObjectField):
    """Titles by language."""


class ItemSerializer(serializers.Serializer[Any]):
    """An item. What is left out, or null, is reset to its default."""

    item_id = ExternalIdField(help_text="Your own id: up to 255 printable characters, or a whole number.")
    title = serializers.CharField(max_length=500)
    titles = TitlesField(required=False, help_text='Titles per language: `{"de": "Tasse"}`.')
    description = serializers.CharField(required=False, max_length=50_000, allow_blank=True)
    categories = CategoryPathsField(
        required=False,
        help_text="Paths from the root down, such as `Kitchen > Mugs` or `[\"Kitchen\", \"Mugs\"]`; names or ids. "
        "Categories that do not exist yet are created.",
    )  # fmt: skip
    brand = serializers.CharField(required=False, max_length=255, allow_blank=True)
    tags = serializers.ListField(child=serializers.CharField(max_length=255), required=False, max_length=200)
    price = PriceField(required=False, allow_null=True, help_text="Up to ten digits before the point and four after.")
    currency = serializers.CharField(
        required=False, max_length=3, allow_blank=True, help_text="ISO 4217, such as GBP. Empty: the shop's currency."
    )
    prices = PricesField(required=False, help_text='Prices in other currencies: `{"EUR": "2.95"}`.')
    stock = serializers.IntegerField(
        required=False, allow_null=True, min_value=0, max_value=2_147_483_647, help_text="Null: not tracked."
    )
    available = serializers.BooleanField(required=False, default=True, help_text="False: never recommended.")
    url = serializers.CharField(
        required=False, max_length=2000, allow_blank=True, help_text="http(s), or relative to the site's root."
    )
    image_url = serializers.CharField(
        required=False, max_length=2000, allow_blank=True, help_text="http(s), or relative to the site's root."
    )
    published_at = serializers.DateTimeField(required=False, allow_null=True, help_text="Not shown before.")
    expires_at = serializers.DateTimeField(required=False, allow_null=True, help_text="Not shown from then on.")
    parent_id = serializers.CharField(
        required=False, max_length=255, allow_blank=True, help_text="The item this one is a variant of."
    )
    attributes = JsonObjectField(required=False, help_text="Anything else.")
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)


class ItemBodySerializer(ItemSerializer):
    """An item at its own address: the id may be left out, or must be the same."""

    item_id = ExternalIdField(required=False)


class ItemPatchSerializer(ItemBodySerializer):
    """The fields to change; null resets one."""

    title = serializers.CharField(max_length=500, required=False)


class FieldErrorSerializer(serializers.Serializer[Any]):
    """What is wrong with one field."""

    field = serializers.CharField()
    detail = serializers.CharField()


class ItemResultSerializer(serializers.Serializer[Any]):
    """What became of one entry."""

    item_id = serializers.CharField(allow_null=True, help_text="Null when it could not be read.")
    status = serializers.ChoiceField(choices=["created", "updated", "unchanged", "rejected"])
    errors = FieldErrorSerializer(many=True)  # type: ignore[assignment]  # Serializer has an attribute of this name


class ItemResultsSerializer(serializers.Serializer[Any]):
    """One result an entry, in the order sent."""

    results = ItemResultSerializer(many=True)


class CategorySerializer(serializers.Serializer[Any]):
    """A category and its place in the tree."""

    category_id = serializers.CharField(source="external_id")
    name = serializers.CharField()
    parent_id = serializers.CharField(allow_null=True, source="parent.external_id", default=None)
