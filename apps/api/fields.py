"""Serializer fields of more than one app."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.api.problems import Problem
from apps.api.values import MAX_ID_LENGTH, external_id, storable_json, storable_text


@extend_schema_field({"type": "string", "minLength": 1, "maxLength": MAX_ID_LENGTH})
class ExternalIdField(serializers.Field[str, Any, str, Any]):
    """A shop's own id: 1 to 255 printable characters; whole numbers are accepted and become text."""

    def to_internal_value(self, data: Any) -> str:
        try:
            return external_id(data)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None

    def to_representation(self, value: str) -> str:
        return value


class TextField(serializers.CharField):
    """Text that every database can hold. Numbers and booleans are not text."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("Must be text.")
        try:
            return super().to_internal_value(storable_text(data))
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None


@extend_schema_field({"type": "object", "additionalProperties": {}})
class JsonObjectField(serializers.Field[dict[str, Any], Any, dict[str, Any], Any]):
    """A JSON object that every database can hold."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise serializers.ValidationError("Must be a JSON object.")
        try:
            storable_json(data)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None
        return data

    def to_representation(self, value: dict[str, Any]) -> dict[str, Any]:
        return value


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer that refuses fields it does not know, by name, instead of ignoring them."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = [str(name) for name in data if name not in self.fields]
            if unknown:
                raise serializers.ValidationError({name: ["There is no such field."] for name in unknown})
        return super().to_internal_value(data)


def external_id_in_path(value: str, field: str) -> str:
    """The id in a request's path. Raises a 400 problem naming `field` when it cannot be an id."""
    try:
        return external_id(value)
    except ValueError as error:
        raise Problem(400, str(error), field=field, code="invalid") from None
