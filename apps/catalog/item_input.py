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


Text = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(storable_text)]
Title = Annotated[Text, StringConstraints(min_length=1, max_length=500)]
Name = Annotated[Text, StringConstraints(max_length=255)]
Tag = Annotated[Text, StringConstraints(min_length=1, max_length=255)]
Address = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000), AfterValidator(_address)]
Price = Annotated[Decimal, BeforeValidator(read_price)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")]
Moment = Annotated[datetime, AfterValidator(_moment)]


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class ItemInput:
    """One item, whole: what is left out is reset to its default when the item is written.

    Every instance is valid: the constructor raises pydantic.ValidationError. `parse_item` reads one from a mapping.
    """

    item_id: Annotated[str, BeforeValidator(external_id)]
    title: Title
    titles: dict[Language, Title] = Field(default_factory=dict, max_length=100)
    description: Annotated[Text, StringConstraints(max_length=50_000)] = ""
    categories: tuple[Annotated[CategoryPath, BeforeValidator(_category_path)], ...] = Field(default=(), max_length=50)
    brand: Name = ""
    tags: tuple[Tag, ...] = Field(default=(), max_length=200)
    price: Price | None = None
    currency: Currency | Annotated[str, StringConstraints(max_length=0)] = ""
    prices: dict[Currency, Price] = Field(default_factory=dict, max_length=200)
    stock: Annotated[int, Field(ge=0, le=2_147_483_647)] | None = None
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
}


def _field_error(error: ErrorDetails) -> FieldError:
    location = [str(part) for part in error["loc"] if part != "[key]"]
    field = location[0] if location else "item"
    for part in location[1:]:
        if part.isdigit():
            field += f"[{part}]"
        elif re.fullmatch(r"[A-Za-z0-9-]{1,35}", part):
            field += f".{part}"
    if error["type"] in _WORDING:
        return FieldError(field, _WORDING[error["type"]])
    if field == "currency" or "[key]" in error["loc"]:
        return FieldError(
            field.split(".", maxsplit=1)[0],
            "A currency is three capital letters (ISO 4217)."
            if field.startswith(("currency", "prices"))
            else 'A language is a code such as "de" or "pt-BR".',
        )
    cause = error.get("ctx", {}).get("error")
    detail = str(cause) if error["type"] == "value_error" and cause else error["msg"]
    return FieldError(field, detail.replace("Input should", "Should", 1))
