"""What can be asked of `serve.recommend`, what it answers, and what it refuses."""

from dataclasses import dataclass

from apps.recommend.reasons import Reason

MAX_LIMIT = 200


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
    pipeline: str | None = None  # instead of the placement's own
    min_relevance: float | None = None
    explain: bool = False


@dataclass(frozen=True)
class Card:
    """What a shelf shows of an item, as of now."""

    title: str
    url: str
    image_url: str
    price: str | None
    currency: str
    available: bool


@dataclass(frozen=True)
class Entry:
    """One recommended item."""

    item_id: str
    position: int
    score: float
    source: str
    pinned: bool
    token: str
    reason: Reason | None
    card: Card


@dataclass(frozen=True)
class Recommendation:
    """One answer. `fallback` names the first pipeline that had to help out, None where none had to.

    `label` is what shoppers read above the list.
    """

    placement: str
    label: str
    pipeline: str
    model_version: str | None
    fallback: str | None
    recomm_id: str
    took_ms: float
    entries: tuple[Entry, ...]


class Refused(Exception):
    """A question that cannot be answered; `field` is the part of it that is wrong."""

    def __init__(self, field: str, detail: str) -> None:
        self.field, self.detail = field, detail
        super().__init__(f"{field}: {detail}")


class NotFound(Refused):
    """The question names something that does not exist."""
