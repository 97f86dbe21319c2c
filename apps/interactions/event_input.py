"""One event: as it is stated, as it is checked, and what became of it. Touches no database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from apps.interactions.entry_token import EntryToken
from apps.interactions.event_types import CanonicalType


@dataclass(frozen=True, slots=True)
class EventInput:
    """One event as a caller states it; ids are the shop's own. Nothing is checked before `events_record`."""

    event_type: str  # canonical name or alias
    item_id: str = ""
    user_id: str = ""  # empty: the session stands for an anonymous user
    session_id: str = ""
    event_id: str = ""  # empty: one is drawn
    occurred_at: datetime | str | float | None = None  # naive: shop time; number: seconds since 1970; None: now
    value: Decimal | float | str | None = None
    currency: str = ""
    quantity: int | str = 1
    token: str = ""  # an entry token, or a plain recomm_id
    properties: Mapping[str, Any] | None = None
    anonymous: bool = False  # user_id is a visitor's, not a person's
    namespace: str = ""  # put before the event id, so that those whom anybody can send meet no others


@dataclass(frozen=True, slots=True)
class EventResult:
    """What became of one event. Rejected ones name the `field` at fault and the `reason`."""

    status: Literal["stored", "duplicate", "rejected"]
    event_id: str = ""
    user_id: str = ""
    field: str = ""
    reason: str = ""
    code: Literal["", "invalid", "unknown_item", "bad_token", "forbidden"] = ""


class Rejected(ValueError):
    """An event that cannot be stored, with the field at fault."""

    def __init__(
        self, field: str, reason: str, code: Literal["invalid", "unknown_item", "bad_token", "forbidden"] = "invalid"
    ):
        super().__init__(reason)
        self.field = field
        self.code = code


@dataclass(slots=True)
class EventRow:
    """A checked event; the ids of item and user are still to be looked up."""

    event_id: str
    kind: CanonicalType
    user: str
    anonymous: bool
    item: str
    occurred_at: datetime  # UTC
    session_id: str
    session_key: int
    value: float | None
    currency: str
    quantity: int
    properties: str | None  # JSON
    attribution: EntryToken | UUID | None
    item_pk: int | None = None
    user_pk: int = 0
    visitor_pk: int | None = None  # a merged visitor, whose event counts for the user
