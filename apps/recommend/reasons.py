"""Why an entry is in a slate, told from what really contributed to its score."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from django.utils.translation import gettext as _

from apps.recommend.engine.pipeline import PipelineSpec
from apps.recommend.engine.served_model import ServedModel
from apps.recommend.engine.types import EventWorth, Query, Rows, Slate

if TYPE_CHECKING:
    from apps.recommend.live_catalog import LiveCatalog


@dataclass(frozen=True)
class Reason:
    """A code for programs, a sentence for shoppers, and the items (the shop's own ids) it speaks of."""

    code: str
    text: str
    item_ids: tuple[str, ...] = ()

    @classmethod
    def chosen(cls) -> "Reason":
        """Why an item is there that no pipeline proposed: the shop put it there."""
        return cls("chosen", _("Chosen by the shop"))


def _because(event_type: str, title: str) -> tuple[str, str]:
    match event_type:
        case "purchase":
            return "because_you_bought", _("Because you bought %s") % title
        case "add_to_cart":
            return "because_you_added_to_cart", _("Because %s is in your cart") % title
        case "like":
            return "because_you_liked", _("Because you liked %s") % title
        case "rate":
            return "because_you_rated", _("Because you rated %s") % title
        case _:
            return "because_you_viewed", _("Because you viewed %s") % title


def _about_seed(kind: str, title: str) -> tuple[str, str]:
    match kind:
        case "bought_together":
            return "bought_together", _("Often bought with %s") % title
        case "viewed_together":
            return "viewed_together", _("Often viewed with %s") % title
        case "goes_with":
            return "goes_with", _("Goes with %s") % title
        case _:
            return "similar", _("Similar to %s") % title


def _for_everybody(kind: str, text: str) -> Reason:
    match kind:
        case "popular":
            return Reason("popular", _("Popular in the shop"))
        case "trending":
            return Reason("trending", _("Trending now"))
        case "new":
            return Reason("new", _("New in the shop"))
        case "matches":
            return Reason("matches", _("Matches “%s”") % text)
        case "followed":
            return Reason("followed", _("Liked by people you follow"))
        case "viewed":
            return Reason("viewed", _("You viewed this"))
        case "bought":
            return Reason("bought", _("You bought this before"))
        case _:
            return Reason("taste", _("Based on your taste"))


def reasons(
    slate: Slate,
    spec: PipelineSpec,
    query: Query,
    models: Mapping[str, ServedModel],
    catalog: "LiveCatalog",
    worth: Mapping[int, EventWorth],
) -> list[Reason]:
    """One reason for each entry of `slate`, which `spec` made for `query`. O(entries x evidence) in NumPy."""
    kinds = {source.name: source.reason for source in spec.sources}
    result: list[Reason | None] = [None] * len(slate)
    for number, source in enumerate(slate.source_names):
        entries = np.flatnonzero(slate.source == number)
        kind = kinds.get(source, "taste")
        asked = _asked(kind, query)
        model = models.get(source)
        if not len(entries) or model is None or asked is None:
            same = _about_last_viewed(query, catalog) if kind == "last_viewed" else _for_everybody(kind, query.text)
            for entry in entries:
                result[entry] = same
            continue
        added = model.contributions(asked, slate.rows[entries])
        for entry, row_contributions in zip(entries, added, strict=True):
            result[entry] = _strongest(row_contributions, asked, kind, catalog, worth)
    return [reason or _for_everybody("taste", query.text) for reason in result]


def _about_last_viewed(query: Query, catalog: "LiveCatalog") -> Reason:
    """The reason of a list that is around one item."""
    row = None if query.events is None else query.events.last_viewed
    if row is None:
        return _for_everybody("taste", "")
    return Reason(*_because("view_item", catalog.title(row)), (catalog.external_id(row),))


def _asked(kind: str, query: Query) -> Query | None:
    """The question that sources with this kind of reason put to their model; None where evidence plays no part."""
    if kind in ("popular", "trending", "new", "matches", "followed", "viewed", "bought", "last_viewed"):
        return None
    asked = Query(history=query.history, now=query.now) if kind == "taste" else Query(seeds=query.seeds, now=query.now)
    return asked if len(asked.evidence) else None


def _strongest(
    contributions: np.ndarray,
    asked: Query,
    kind: str,
    catalog: "LiveCatalog",
    worth: Mapping[int, EventWorth],
) -> Reason:
    order = np.argsort(-contributions)
    order = order[contributions[order] > 0]
    if not len(order):
        return _for_everybody("taste", "")
    evidence: Rows = asked.evidence.rows[order[:3]]
    title = catalog.title(int(evidence[0]))
    if kind == "taste":
        event = worth.get(int(asked.evidence.types[order[0]]))
        if event is None:  # what they did with the item was undone since: nothing to be told that still holds
            return _for_everybody("taste", "")
        code, text = _because(event.name, title)
    else:
        code, text = _about_seed(kind, title)
    return Reason(code, text, tuple(catalog.external_id(int(row)) for row in evidence))
