"""Profiles as the database knows them: who is it, and what did they want lately, in one statement."""

from dataclasses import dataclass

import orjson
from django.db import InterfaceError, OperationalError, connection

from apps.interactions.event_types import TASTE_CODES_END
from apps.interactions.taste import TASTE_MAX, TasteColumns, packed_text, unpacked

SEGMENTS_MAX, SEGMENT_LENGTH = 100, 100

_TASTE_CONDITION = (  # spelled out: a parameter would hide from the planner that the partial index fits
    f"FROM interactions_event WHERE user_id = person.id AND event_type_id < {TASTE_CODES_END} "
    f"AND item_id IS NOT NULL ORDER BY occurred_at DESC, id DESC LIMIT {TASTE_MAX}"
)
# One value for all events: no Python object for each, and the revision is of the very same moment.
_TASTE = {
    "postgresql": (
        "SELECT string_agg(int8send(item_id) || int8send((extract(epoch FROM occurred_at) * 1000000)::bigint) "
        "|| float4send(coalesce(value, 'NaN')::real) || int2send(event_type_id), ''::bytea "
        f"ORDER BY occurred_at DESC, id DESC) FROM (SELECT * {_TASTE_CONDITION}) AS latest"
    ),
    "sqlite": (
        "SELECT group_concat(item_id || ',' || "
        # Text of whole seconds has no fraction behind it.
        "(strftime('%%s', substr(occurred_at, 1, 19)) * 1000000 + substr(occurred_at || '.000000', 21, 6)) "
        f"|| ',' || ifnull(value, 'nan') || ',' || event_type_id) FROM (SELECT * {_TASTE_CONDITION}) AS latest"
    ),
}
_SEGMENTS = {
    "postgresql": "(person.attributes -> 'segments')::text",
    "sqlite": "json_extract(person.attributes, '$.segments')",
}
_STATEMENT = (
    "SELECT own.id, own.taste_revision, person.id, person.external_id, person.anonymous, person.personalised, "
    "person.taste_revision, {segments}, "
    "CASE WHEN person.id = %s AND person.taste_revision = %s THEN NULL ELSE ({taste}) END "
    "FROM users_user AS own JOIN users_user AS person ON person.id = coalesce(own.merged_into_id, own.id) "
    "WHERE own.external_id = %s AND own.erased_at IS NULL"
)


class DatabaseAway(Exception):
    """The database could not be asked."""


@dataclass(frozen=True, eq=False, slots=True)
class Profile:
    """One user at one moment. The same id and revision mean the same profile."""

    id: int
    external_id: str  # after merges
    anonymous: bool
    personalised: bool
    revision: int
    segments: tuple[str, ...]
    taste: TasteColumns  # the latest TASTE_MAX events


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """One user as stored."""

    own: tuple[int, int]  # the row that the asked id names (a visitor's, where it was merged) and its revision
    id: int
    external_id: str
    anonymous: bool
    personalised: bool
    revision: int
    segments: tuple[str, ...]
    taste: bytes | None  # packed; None: as known

    def profile(self) -> Profile:
        """What callers get."""
        return Profile(
            self.id,
            self.external_id,
            self.anonymous,
            self.personalised,
            self.revision,
            self.segments,
            unpacked(self.taste or b""),
        )


def read(external_id: str, known: tuple[int, int] = (0, -1)) -> ProfileRow | None:
    """The user with this id, or the one they were merged into; None when nobody has it. One query, by indexes.

    The taste is left out where id and revision are those of `known`. Raises DatabaseAway.
    """
    statement = _STATEMENT.format(segments=_SEGMENTS[connection.vendor], taste=_TASTE[connection.vendor])
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, [*known, external_id])
            row = cursor.fetchone()
    except (OperationalError, InterfaceError) as problem:
        raise DatabaseAway(str(problem)) from problem
    if row is None:
        return None
    own_id, own_revision, user_id, name, anonymous, personalised, revision, segments, taste = row
    if (user_id, revision) == known:
        taste = None
    elif taste is None:
        taste = b""
    elif isinstance(taste, str):
        taste = packed_text(taste)
    return ProfileRow(
        own=(own_id, own_revision),
        id=user_id,
        external_id=name,
        anonymous=bool(anonymous),
        personalised=bool(personalised),
        revision=revision,
        segments=_names(segments),
        taste=taste if taste is None else bytes(taste),
    )


def _names(segments: str | None) -> tuple[str, ...]:
    """The names in what a shop keeps under attributes.segments; whatever is no name says nothing."""
    said = orjson.loads(segments) if segments and segments.startswith("[") else []
    names = dict.fromkeys(name for name in said if isinstance(name, str) and 0 < len(name) <= SEGMENT_LENGTH)
    return tuple(names)[:SEGMENTS_MAX]
