"""What may be asked at a split: new things or repetition, of users known by little, about items that are new."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from apps.recommend.engine.evaluation.splits import Split, keys, of_wanted_types, pairs, split_of, wanted_within
from apps.recommend.engine.types import DAY, Ids, Interactions, Items, Times

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Task:
    """What is asked of a model at a split."""

    new_only: bool = True
    """Items the user had an event with before are no truth: to foresee repetition is easy and seldom wanted."""
    known_items: int | None = None
    """Tell of each user no more than the events with this many items, the latest; the rest they count as new.

    The model has still learned from all events: what is tried is how little of a user it needs.
    """
    new_items_days: float | None = None
    """Ask for, and rank, only items that were first seen within this many days before the split, or never before."""
    hide_new_items: bool = False
    """Hide the events with these items, as if they had come this minute: nobody can have learned who wants them."""


def task_split(
    interactions: Interactions,
    train: Interactions,
    task: Task,
    *,
    at: int,
    items: Items | None = None,
    until: int | None = None,
    events: Sequence[str] | None = None,
) -> Split:
    """As `temporal_split`, for any task. `train` is `interactions.before(at)`, which tasks share.

    New items need `items`, for when they were published. Hiding them gives the split a `train` of its own.
    Raises NotEnoughData, too, when nobody wanted a new item.
    """
    until = int(interactions.times.max(initial=at)) + 1 if until is None else until
    wanted = wanted_within(interactions, at, until, events)
    candidates = None
    if task.new_items_days is not None:
        candidates = new_item_ids(interactions, items, at=at, days=task.new_items_days)
        new = np.isin(interactions.item_ids, candidates)
        wanted = sparse.csr_matrix(wanted.multiply(new))
        wanted.eliminate_zeros()
        if task.hide_new_items:
            train = train.select(~new[train.items])
    known = train if task.known_items is None else latest_items(train, task.known_items)
    had = pairs(known, of_wanted_types(known, events))
    split = split_of(train, wanted, had, at=at, until=until, new_only=task.new_only, known=known)
    return split if candidates is None else replace(split, candidates=candidates)


def rolling_cutoffs(interactions: Interactions, *, count: int, days: float) -> list[int]:
    """`count` times, ascending, `days` apart, the last one `days` before the end: their windows do not overlap."""
    end = int(interactions.times.max(initial=0)) + 1
    return [int(end - number * days * DAY) for number in range(count, 0, -1)]


def latest_items(interactions: Interactions, count: int) -> Interactions:
    """Each user's events with their `count` latest items: those of the latest positive taste events."""
    liked = np.flatnonzero(interactions.weights() > 0)
    pair, times = keys(interactions), interactions.times
    order = liked[np.lexsort((liked, times[liked]))][::-1]  # latest first
    _, first = np.unique(pair[order], return_index=True)
    latest = order[np.sort(first)]  # one event for each pair, latest first
    latest = latest[np.argsort(interactions.users[latest], kind="stable")]
    by_user = interactions.users[latest]
    kept = latest[np.arange(len(latest)) - np.searchsorted(by_user, by_user) < count]
    return interactions.select(np.isin(pair, pair[kept]))


def first_seen(interactions: Interactions, items: Items | None = None) -> Times:
    """When each of `interactions.item_ids` came into the shop: publication or first event, whichever is earlier."""
    times = np.full(interactions.n_items, NEVER, dtype=np.int64)
    np.minimum.at(times, interactions.items, interactions.times)
    if items is not None:
        rows = items.rows_of(interactions.item_ids)
        found = rows >= 0
        times[found] = np.minimum(times[found], items.published[rows[found]])
    return times


def new_item_ids(interactions: Interactions, items: Items | None, *, at: int, days: float) -> Ids:
    """Ids of items that existed at `at` and were first seen at most `days` before it, or had no event until then."""
    seen = first_seen(interactions, items)
    had_event = np.zeros(interactions.n_items, dtype=bool)
    had_event[interactions.items[interactions.times < at]] = True
    new = (seen <= at) & ((seen >= at - days * DAY) | ~had_event)
    ids = interactions.item_ids[new]
    if items is not None:
        strangers = ~np.isin(items.ids, interactions.item_ids) & (items.published <= at)
        ids = np.union1d(ids, items.ids[strangers])
    return ids
