"""What Redis keeps under a user's id: one value, read whole.

    version (1 byte), kind (1), mark (8), row id (8), revision (8), then by kind:
    profile: flags (1), length of the id (2), of the segments (2), the id, the segments as JSON, the packed taste;
    alias:   the id of the person that this visitor turned out to be.

Numbers are big-endian. Row id and revision say which of two values is the newer one. The mark is not 0 while somebody
is about to commit a change: the eight bytes are theirs, the first six when they began, in ms since 1970.
"""

import struct
import time
from dataclasses import dataclass
from secrets import token_bytes

import orjson

from apps.interactions.profile_rows import ProfileRow
from apps.interactions.taste import RECORD_BYTES, TASTE_MAX

VERSION = 2
STUB, PROFILE, ALIAS, UNKNOWN = 0, 1, 2, 3
"""Kinds. A stub says only what is too old to be kept here."""
NO_MARK = bytes(8)
BUSY_SECONDS = 2.0
"""Whoever marked a value longer ago than this has died before saying what came of it."""

_HEAD = struct.Struct(">BB8sqq")
_PROFILE = struct.Struct(">BHH")
_ANONYMOUS, _PERSONALISED = 1, 2
TASTE_BYTES = TASTE_MAX * RECORD_BYTES


@dataclass(frozen=True, slots=True)
class Stored:
    """A value, unpacked."""

    kind: int
    mark: bytes
    row: ProfileRow | None = None
    alias: str = ""

    @property
    def abandoned(self) -> bool:
        """Somebody began to change this and never finished: only the database knows what came of it."""
        began = int.from_bytes(self.mark[:6], "big") / 1000
        return self.mark != NO_MARK and not -BUSY_SECONDS < time.time() - began < BUSY_SECONDS


def new_mark() -> bytes:
    """A mark that nobody else has, from now."""
    return int(time.time() * 1000).to_bytes(6, "big") + token_bytes(2)


def pack_profile(row: ProfileRow, taste: bytes) -> bytes:
    """The value under the user's own id."""
    name, segments = row.external_id.encode(), orjson.dumps(row.segments)
    flags = _ANONYMOUS * row.anonymous | _PERSONALISED * row.personalised
    head = _HEAD.pack(VERSION, PROFILE, NO_MARK, row.id, row.revision)
    return b"".join((head, _PROFILE.pack(flags, len(name), len(segments)), name, segments, taste))


def pack_alias(row: ProfileRow) -> bytes:
    """The value under the id of a visitor who was merged into this user."""
    return _HEAD.pack(VERSION, ALIAS, NO_MARK, *row.own) + row.external_id.encode()


def pack_unknown() -> bytes:
    """The value under an id that nobody has."""
    return _HEAD.pack(VERSION, UNKNOWN, NO_MARK, 0, 0)


def unpack(value: bytes | None) -> Stored:
    """The value's meaning. What is missing or from another version is a stub."""
    if value is None or len(value) < _HEAD.size or value[0] != VERSION:
        return Stored(STUB, NO_MARK)
    _, kind, mark, row_id, revision = _HEAD.unpack_from(value)
    if kind == ALIAS:
        return Stored(kind, mark, alias=value[_HEAD.size :].decode())
    if kind != PROFILE:
        return Stored(kind, mark)
    flags, name_length, segments_length = _PROFILE.unpack_from(value, _HEAD.size)
    name_at = _HEAD.size + _PROFILE.size
    segments_at = name_at + name_length
    taste_at = segments_at + segments_length
    row = ProfileRow(
        own=(row_id, revision),
        id=row_id,
        external_id=value[name_at:segments_at].decode(),
        anonymous=bool(flags & _ANONYMOUS),
        personalised=bool(flags & _PERSONALISED),
        revision=revision,
        segments=tuple(orjson.loads(value[segments_at:taste_at])) if segments_length > 2 else (),
        taste=value[taste_at:],
    )
    return Stored(kind, mark, row)
