"""What can be asked of `serve.recommend`, what it answers, and what it refuses."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import orjson

from apps.recommend.engine.filters import Expression
from apps.recommend.reasons import Reason

MAX_LIMIT = 200
MAX_DEPTH = 1_000  # entries that can be paged through


@dataclass(frozen=True)
class Ask:
    """One question. Ids are the shop's own."""

    placement: str
    user: str | None = None
    items: tuple[str, ...] = ()
    limit: int | None = None  # None: as the placement says
    exclude: frozenset[str] = frozenset()
    category: str | None = None
    text: str = ""
    filter: Expression | None = None
    context: Mapping[str, str] = field(default_factory=dict)  # what rules may ask for: device, country, campaign, …
    pipeline: str | None = None  # instead of the placement's own
    min_relevance: float | None = None
    after: tuple[int, ...] = ()  # our ids of what earlier pages showed, in order
    explain: bool = False
    trace: bool = False
    why_not: str | None = None  # with `trace`: an item whose absence is to be explained
    properties: tuple[str, ...] | None = None  # instead of the card: these fields of each item


@dataclass(frozen=True, slots=True)
class Card:
    """What a shelf shows of an item, as of now."""

    title: str
    url: str
    image_url: str
    price: str | None
    currency: str
    available: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One recommended item. `token` is empty until a response is made of it."""

    item_id: str
    position: int
    score: float
    source: str
    pinned: bool
    reason: Reason | None
    card: Card
    properties: Mapping[str, Any] | None = None
    token: str = ""


@dataclass(frozen=True, eq=False)
class Recommendation:
    """One answer. `fallback` names the first pipeline that had to help out, None where none had to.

    `label` is what shoppers read above the list. `next` asks for the page after this one, None where there is none.
    `listed` are the entries as every response with this list has them, `tokens` what is this response's own.
    """

    placement: str
    label: str
    pipeline: str
    model_version: str | None
    fallback: str | None
    recomm_id: str
    took_ms: float
    listed: "Listing"
    tokens: list[str]
    next: str | None = None
    trace: Mapping[str, Any] | None = None

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The entries with their tokens."""
        return tuple(replace(entry, token=token) for entry, token in zip(self.listed.entries, self.tokens, strict=True))


@dataclass(frozen=True, eq=False)
class Listing:
    """Entries that may be answered more than once, and room for what they look like in JSON."""

    entries: tuple[Entry, ...]

    @cached_property
    def json_parts(self) -> tuple[tuple[bytes, bytes], ...]:
        """Each entry in JSON, as `serializers.EntrySerializer` describes it: what comes before its token, and after."""
        return tuple(_parts(entry) for entry in self.entries)


def _parts(entry: Entry) -> tuple[bytes, bytes]:
    before = {
        "item_id": entry.item_id,
        "position": entry.position,
        "score": entry.score,
        "source": entry.source,
        "pinned": entry.pinned,
        "token": "",
    }
    after: dict[str, Any] = {}
    if entry.reason is not None:
        after["reason"] = entry.reason
    if entry.properties is None:
        after["item"] = entry.card
    elif entry.properties:
        after["item"] = entry.properties
    head, tail = orjson.dumps(before), orjson.dumps(after)
    return head[:-2], b'"' + (b"," + tail[1:] if after else b"}")


class Refused(Exception):
    """A question that cannot be answered; `field` is the part of it that is wrong."""

    def __init__(self, field: str, detail: str) -> None:
        self.field, self.detail = field, detail
        super().__init__(f"{field}: {detail}")


class NotFound(Refused):
    """The question names something that does not exist."""
