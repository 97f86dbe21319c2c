"""Whom and what a model serves well: the same figures by users' history, items' age and category."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.evaluation.exam import Measured
from apps.recommend.engine.evaluation.splits import Split
from apps.recommend.engine.evaluation.tasks import NEVER, first_seen
from apps.recommend.engine.protocols import MetricContext
from apps.recommend.engine.registries import METRICS
from apps.recommend.engine.types import DAY, Interactions, Items, Mask, Rows, rows_of

HISTORY_BANDS = (1, 2, 5, 10, 20, 50)  # different items known of a user: the least of each band
AGE_BANDS = (0, 8, 31, 91, 366)  # whole days since an item was first seen: the least of each band
CATEGORIES = 8
METRIC_NAMES = ("recall", "ndcg", "map", "mrr", "hit_rate")  # figures that ask only what of the truth was found


@dataclass(frozen=True, eq=False)
class UserGroups:
    """Groups of a split's tested users."""

    by: str
    labels: tuple[str, ...]
    member: Mask  # tested users x labels


@dataclass(frozen=True, eq=False)
class ItemGroups:
    """Groups of a split's items: of each user's truth, only what is of the group counts."""

    by: str
    labels: tuple[str, ...]
    member: Mask  # items of the split x labels


Grouping = UserGroups | ItemGroups
Sliced = Mapping[tuple[str, int], NDArray[np.float64]]


def groupings(split: Split, interactions: Interactions, items: Items, names: Mapping[int, str]) -> list[Grouping]:
    """The ways to slice `split`. `names` says what the categories are called; the largest ones count.

    Age is counted at the split, from the first event or the publication, whichever is earlier.
    """
    found: list[Grouping] = [_by_history(split), _by_age(split, interactions, items)]
    by_category = _by_category(interactions, items, names)
    return found if by_category is None else [*found, by_category]


def sliced(
    grouping: Grouping, label: int, split: Split, measured: Measured, context: MetricContext, ks: Sequence[int]
) -> tuple[Rows, Sliced]:
    """The tested users (places in `split.users`) that belong to group `label`, and their values of each figure."""
    recommended, hits = measured.recommended, measured.hits
    if isinstance(grouping, UserGroups):
        mine, sizes, found = grouping.member[:, label], split.truth_sizes, hits
    else:
        member = np.append(grouping.member[:, label], False)  # strangers are in no group
        sizes = np.asarray(split.truth.astype(np.int32) @ member[:-1].astype(np.int32), dtype=np.int32)
        mine, found = sizes > 0, hits & member[np.minimum(recommended, len(member) - 1)]
    places = np.flatnonzero(mine).astype(np.int32)
    values = {
        (name, k): METRICS.create(name).per_user(recommended[places, :k], found[places, :k], sizes[places], context)
        for name in METRIC_NAMES
        for k in ks
        if len(places)
    }
    return places, values


def _by_history(split: Split) -> UserGroups:
    counts = np.diff(split.had.indptr)
    band = np.searchsorted(HISTORY_BANDS, counts, side="right")  # 0: known by other events only
    labels = ("0", *_bands(HISTORY_BANDS))
    return UserGroups("items known of the user", labels, _one_hot(band, len(labels)))


def _by_age(split: Split, interactions: Interactions, items: Items) -> ItemGroups:
    seen = first_seen(interactions, items)
    days = np.maximum(split.at - np.minimum(seen, split.at), 0) // DAY
    band = np.searchsorted(AGE_BANDS, days, side="right") - 1
    band[(seen > split.at) | (seen == NEVER)] = len(AGE_BANDS)
    labels = (*_bands(AGE_BANDS), "not yet seen")
    return ItemGroups("days since the item was first seen", labels, _one_hot(band, len(labels)))


def _by_category(interactions: Interactions, items: Items, names: Mapping[int, str]) -> ItemGroups | None:
    """The categories with most events; None in a catalog without any."""
    if not items.categories.nnz:
        return None
    rows = rows_of(items.ids, interactions.item_ids)
    place = sparse.csr_matrix(
        (np.ones(int((rows >= 0).sum()), np.float32), (np.flatnonzero(rows >= 0), rows[rows >= 0])),
        shape=(len(rows), len(items)),
    )
    member = (place @ items.categories).tocsr()
    events = np.bincount(interactions.items, minlength=interactions.n_items) @ member
    largest = np.argsort(-events, kind="stable")[:CATEGORIES]
    largest = largest[events[largest] > 0]
    mask = member.tocsc()[:, largest].toarray() > 0
    labels: list[str] = []
    for number in items.category_ids[largest].tolist():
        name = names.get(number, f"category {number}")
        labels.append(f"{name} ({number})" if name in labels else name)  # two branches may use one name
    rest = ~mask.any(axis=1)
    none = np.asarray(member.getnnz(axis=1)) == 0
    mask = np.column_stack([mask, rest & ~none, none])
    return ItemGroups("category of the item", (*labels, "other categories", "no category"), mask)


def _bands(starts: Sequence[int]) -> list[str]:
    named = [
        str(low) if low == high else f"{low}–{high}"
        for low, high in zip(starts, (n - 1 for n in starts[1:]), strict=False)
    ]
    return [*named, f"{starts[-1]} and more"]


def _one_hot(band: NDArray[np.integer], width: int) -> Mask:
    return np.asarray(band[:, None] == np.arange(width))
