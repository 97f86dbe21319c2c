"""An item as a shop sends it, checked field by field."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import urlsplit

from django.utils import timezone
from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.dataclasses import dataclass
from pydantic_core import ErrorDetails

from apps.api.values import FieldError, external_id, storable_json, storable_text
from apps.catalog.prices import read_price

MAX_CATEGORY_DEPTH = 10
PATH_SEPARATOR = ">"

CategoryPath = tuple[str, ...]


def _parent_id(value: object) -> str:
    return "" if value == "" else external_id(value)


def _address(value: str) -> str:
    """http(s), or relative to the site's root. Anything else could run as a script where the page shows it."""
    if not value:
        return value
    if not value.isprintable() or re.search(r"[\s\\<>\"]", value):
        raise ValueError("An address must not contain spaces, quotes, angle brackets or backslashes.")
    if value.startswith("/") and not value.startswith("//"):
        return value
    try:
        parts = urlsplit(value)
    except ValueError:
        raise ValueError("This is not an address.") from None
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError('An address must start with "https://", "http://" or "/".')
    return value


def _moment_or_number(value: object) -> object:
    """Digits alone are a date such as 20261121 or seconds since 1970; pydantic would take any for seconds."""
    if isinstance(value, bool):
        raise ValueError("A time must be text in ISO 8601, or seconds since 1970.")  # noqa: TRY004 - for pydantic
    if isinstance(value, str) and value.strip().isdecimal():
        digits = value.strip()
        if len(digits) == 8:
            return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
        if len(digits) < 8:
            raise ValueError("A time must be text in ISO 8601, or seconds since 1970.")
    return value


def _whole_number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("Should be a whole number.")  # noqa: TRY004 - for pydantic
    return value


def _moment(value: datetime) -> datetime:
    if not 1900 <= value.year < 3000:
        raise ValueError("The year must lie between 1900 and 2999.")
    return value if timezone.is_aware(value) else timezone.make_aware(value)


def _category_path(value: object) -> CategoryPath:
    if isinstance(value, str):
        value = [name.strip() for name in value.split(PATH_SEPARATOR)]
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError('A category is a path such as "Kitchen > Mugs", or a list of names or ids from the root down.')
    if len(value) > MAX_CATEGORY_DEPTH:
        raise ValueError(f"A category path may have at most {MAX_CATEGORY_DEPTH} levels.")
    try:
        return tuple(external_id(name) for name in value)
    except ValueError as error:
        raise ValueError(str(error).replace("An id", "A category's name or id")) from None


def _currency(value: str) -> str:
    if not re.fullmatch(r"[A-Z]{3}", value):
        raise ValueError("A currency is three capital letters (ISO 4217).")
    return value


def _currency_or_none(value: str) -> str:
    return value and _currency(value)


def _language(value: str) -> str:
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", value):
        raise ValueError('A language is a code such as "de" or "pt-BR".')
    return value


def _length(shortest: int, longest: int) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, min_length=shortest, max_length=longest)


Title = Annotated[str, _length(1, 500), AfterValidator(storable_text)]
Tag = Annotated[str, _length(1, 255), AfterValidator(storable_text)]
Name = Annotated[str, _length(0, 255), AfterValidator(storable_text)]
Description = Annotated[str, _length(0, 50_000), AfterValidator(storable_text)]
Address = Annotated[str, _length(0, 2000), AfterValidator(_address)]
Price = Annotated[Decimal, BeforeValidator(read_price)]
Currency = Annotated[str, AfterValidator(_currency)]
Language = Annotated[str, AfterValidator(_language)]
Moment = Annotated[datetime, BeforeValidator(_moment_or_number), AfterValidator(_moment)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ItemInput:
    """One item, whole: what is left out is reset to its default when the item is written.

    Every instance is valid: the constructor raises pydantic.ValidationError. `parse_item` reads one from a mapping.
    """

    item_id: Annotated[str, BeforeValidator(external_id)]
    title: Title
    titles: dict[Language, Title] = Field(default_factory=dict, max_length=100)
    description: Description = ""
    categories: tuple[Annotated[CategoryPath, BeforeValidator(_category_path)], ...] = Field(default=(), max_length=50)
    brand: Name = ""
    tags: tuple[Tag, ...] = Field(default=(), max_length=200)
    price: Price | None = None
    currency: Annotated[str, AfterValidator(_currency_or_none)] = ""
    prices: dict[Currency, Price] = Field(default_factory=dict, max_length=200)
    stock: Annotated[int, BeforeValidator(_whole_number), Field(ge=0, le=2_147_483_647)] | None = None
    available: bool = True
    url: Address = ""
    image_url: Address = ""
    published_at: Moment | None = None
    expires_at: Moment | None = None
    parent_id: Annotated[str, BeforeValidator(_parent_id)] = ""
    attributes: Annotated[dict[str, Any], AfterValidator(storable_json)] = Field(default_factory=dict)

    @field_validator("expires_at")
    @classmethod
    def _expires_after_publication(cls, value: datetime | None, info: ValidationInfo) -> datetime | None:
        published = info.data.get("published_at")
        if value and published and value <= published:
            raise ValueError("The item must expire after it is published.")
        return value

    @field_validator("parent_id")
    @classmethod
    def _not_its_own_parent(cls, value: str, info: ValidationInfo) -> str:
        if value and value == info.data.get("item_id"):
            raise ValueError("An item cannot be a variant of itself.")
        return value


ITEM_FIELDS = tuple(ItemInput.__dataclass_fields__)


class ItemRejected(ValueError):
    """An item that cannot be accepted; `errors` names every field at fault."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(f"{error.field}: {error.detail}" for error in errors))


_ITEM = TypeAdapter(ItemInput)


def parse_item(raw: object) -> ItemInput:
    """The item in a mapping of field names to values (JSON or a file's row); null counts as left out.

    Raises ItemRejected naming every field that is unknown, missing or unreadable. About 20 µs.
    """
    if not isinstance(raw, Mapping):
        raise ItemRejected([FieldError("item", "An item must be a JSON object.")])
    try:
        return _ITEM.validate_python({str(name): value for name, value in raw.items() if value is not None})
    except ValidationError as error:
        raise ItemRejected([_field_error(one) for one in error.errors(include_url=False)]) from None


_WORDING = {
    "missing": "This field is required.",
    "unexpected_keyword_argument": "There is no such field.",
    "tuple_type": "Should be a list.",
    "dict_type": "Should be a JSON object.",
    "string_type": "Should be text.",
    "string_unicode": "Text must be valid Unicode.",
    "string_too_short": "Must not be empty.",
}


def _field_error(error: ErrorDetails) -> FieldError:
    field, *rest = (str(part) for part in error["loc"] or ["item"])
    of_key = "[key]" in rest  # pydantic's mark for: not the value, but its name
    for part in rest:
        if part.isdigit():
            field += f"[{part}]"
        elif not of_key:
            field += f".{part}"
    cause = error.get("ctx", {}).get("error")
    if error["type"] == "value_error" and cause:
        return FieldError(field, str(cause))
    if error["type"] == "too_long":
        return FieldError(field, f"May have at most {error['ctx']['max_length']} entries.")
    return FieldError(
        field or "(empty name)", _WORDING.get(error["type"]) or f"{error['msg'].replace('Input should', 'Should', 1)}."
    )
