"""Checks what is said about events and makes storable rows of it. Touches no database."""

import math
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from hashlib import blake2b
from typing import Any
from uuid import UUID

import orjson

from apps.api.values import MAX_ID_LENGTH, storable_json
from apps.interactions.entry_token import BadToken, EntryToken, verify
from apps.interactions.event_input import EventInput, EventRow, Rejected
from apps.interactions.event_types import CanonicalType, UnknownEventType, resolve

EVENT_ID_MAX = 128
ANONYMOUS_PREFIX = "session:"
SESSION_ID_MAX = MAX_ID_LENGTH - len(ANONYMOUS_PREFIX)
PROPERTIES_MAX_BYTES = 16_000
VALUE_LIMIT = 1e11  # with four decimals still exact as a double
QUANTITY_MAX = 2**31 - 1
CLOCK_SKEW = timedelta(minutes=5)
EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)

_CURRENCY = re.compile(r"[A-Z]{3}")


class EventReader:
    """Checks the events of one batch. What repeats within a batch (types, times, sessions) is worked out once."""

    def __init__(self, *, now: datetime, zone: tzinfo) -> None:
        self._now = now
        self._latest = now + CLOCK_SKEW
        self._zone = zone
        self._kinds: dict[str, CanonicalType] = {}
        self._times: dict[str, datetime] = {}
        self._ids: set[str] = set()
        self._values: dict[str, float] = {}
        self._currencies: dict[str, str] = {}
        self._session_keys: dict[tuple[str, str], int] = {}

    def read(self, event: EventInput) -> EventRow:
        """The row to store. Raises Rejected naming the first field at fault."""
        kind = self._kinds.get(event.event_type) or self._kind(event.event_type)
        session_id = self._id(event.session_id, "session_id", SESSION_ID_MAX) if event.session_id else ""
        anonymous = event.anonymous
        if event.user_id:
            user = self._id(event.user_id, "user_id", MAX_ID_LENGTH)
        elif session_id:
            user, anonymous = ANONYMOUS_PREFIX + session_id, True
        else:
            raise Rejected("user_id", "user_id or session_id is required.")
        item = self._id(event.item_id, "item_id", MAX_ID_LENGTH) if event.item_id else ""
        attribution = _attribution(event.token, now=self._now) if event.token else None
        if not item and kind.needs_item and not isinstance(attribution, EntryToken):
            raise Rejected("item_id", f"item_id is required for {kind.name}.")
        if event.event_id:
            event_id = event.namespace + self._id(event.event_id, "event_id", EVENT_ID_MAX)
        elif kind.beacon and isinstance(attribution, EntryToken):  # a shelf may report an entry again: it counts once
            event_id = f"{kind.name}:{attribution.recomm_id.hex}:{attribution.position}"
        else:
            event_id = event.namespace + str(UUID(bytes=secrets.token_bytes(16), version=4))
        return EventRow(
            event_id=event_id,
            kind=kind,
            user=user,
            anonymous=anonymous,
            item=item,
            occurred_at=self._now if event.occurred_at is None else self._time(event.occurred_at),
            session_id=session_id,
            session_key=self._session_key(user, session_id) if session_id else 0,
            value=self._value(event.value) if event.value is not None else None,
            currency=self._currencies.get(event.currency) or self._currency(event.currency) if event.currency else "",
            quantity=_quantity(event.quantity),
            properties=_properties(event.properties) if event.properties else None,
            attribution=attribution,
        )

    def _kind(self, name: object) -> CanonicalType:
        if not isinstance(name, str) or not name:
            raise Rejected("interaction_type", "interaction_type is required.")
        try:
            kind = self._kinds[name] = resolve(name)
        except UnknownEventType as error:
            raise Rejected("interaction_type", str(error)) from None
        return kind

    def _id(self, text: str, field: str, longest: int) -> str:
        if text not in self._ids:
            if not text.strip():
                raise Rejected(field, f"{field} is blank.")
            if not text.isprintable():
                raise Rejected(field, f"{field} contains characters that cannot be printed.")
            if field != "event_id":  # those hardly repeat
                self._ids.add(text)
        if len(text) > longest:
            raise Rejected(field, f"{field} is longer than {longest} characters.")
        return text

    def _time(self, when: datetime | str | float) -> datetime:
        if isinstance(when, str):
            known = self._times.get(when)
            if known is None:
                known = self._times[when] = self._checked_time(_parsed_time(when))
            return known
        if isinstance(when, datetime):
            return self._checked_time(when)
        if isinstance(when, bool) or not isinstance(when, int | float):
            raise Rejected("occurred_at", "occurred_at is not a time.")
        if when > 100_000_000_000:
            raise Rejected(
                "occurred_at", "occurred_at as a number means seconds since 1970; this looks like milliseconds."
            )
        try:
            return self._checked_time(datetime.fromtimestamp(when, UTC))
        except (OverflowError, OSError, ValueError):
            raise Rejected("occurred_at", "occurred_at is not a time.") from None

    def _checked_time(self, when: datetime) -> datetime:
        try:
            at = (when if when.tzinfo is not None else when.replace(tzinfo=self._zone)).astimezone(UTC)
        except OverflowError:  # the first or the last day that there is, in a zone that takes it over the edge
            raise Rejected("occurred_at", "occurred_at is not a time.") from None
        if at > self._latest:
            raise Rejected("occurred_at", f"occurred_at lies in the future ({at.isoformat()}).")
        if at < EARLIEST:
            raise Rejected("occurred_at", "occurred_at lies before 1995.")
        return min(at, self._now)

    def _value(self, raw: Decimal | float | str) -> float | None:
        if not isinstance(raw, str):
            return _value(raw)
        known = self._values.get(raw)
        if known is None:
            if not raw.strip():
                return None
            known = self._values[raw] = _value(raw)
        return known

    def _currency(self, raw: str) -> str:
        code = self._currencies[raw] = _currency(raw)
        return code

    def _session_key(self, user: str, session_id: str) -> int:
        pair = (user, session_id)
        key = self._session_keys.get(pair)
        if key is None:
            key = self._session_keys[pair] = session_key(user, session_id)
        return key


def session_key(user: str, session_id: str) -> int:
    """The 64-bit key under which training groups a user's session; stable for ever."""
    digest = blake2b(f"{user}\x00{session_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _attribution(token: str, *, now: datetime) -> EntryToken | UUID:
    if len(token) <= 45:  # shorter than any entry token
        try:
            return UUID(token)
        except ValueError:
            pass
    try:
        return verify(token, now=int(now.timestamp()))
    except BadToken as error:
        raise Rejected("token", f"The token is {error}.", "bad_token") from None


def _parsed_time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        raise Rejected("occurred_at", f"occurred_at {text[:40]!r} is not an ISO 8601 time.") from None


def _value(raw: Decimal | float | str) -> float:
    try:
        if isinstance(raw, bool):
            raise TypeError
        value = float(raw)
    except (TypeError, ValueError, OverflowError):
        raise Rejected("value", "value is not a number.") from None
    if not math.isfinite(value):
        raise Rejected("value", "value is not a finite number.")
    if abs(value) >= VALUE_LIMIT:
        raise Rejected("value", "value is too large.")
    return round(value, 4)


def _currency(raw: str) -> str:
    code = raw.strip().upper()
    if not _CURRENCY.fullmatch(code):
        raise Rejected("currency", "currency is not a code of three letters, such as EUR.")
    return code


def _quantity(raw: int | str) -> int:
    if type(raw) is int and 1 <= raw <= QUANTITY_MAX:
        return raw
    try:
        if isinstance(raw, bool):
            raise TypeError
        number = float(raw)
        if not number.is_integer():
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise Rejected("quantity", "quantity is not a whole number.") from None
    if not 1 <= number <= QUANTITY_MAX:
        raise Rejected("quantity", "quantity is not between 1 and 2147483647.")
    return int(number)


def _properties(properties: Mapping[str, Any]) -> str:
    try:
        text = orjson.dumps(storable_json(dict(properties)))
    except (TypeError, ValueError) as error:
        raise Rejected("properties", f"properties cannot be stored as JSON: {error}") from None
    if len(text) > PROPERTIES_MAX_BYTES:
        raise Rejected("properties", f"properties are longer than {PROPERTIES_MAX_BYTES} bytes.")
    return text.decode()
