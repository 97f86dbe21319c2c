"""What a model may learn from, and what it is then asked to foresee: always cut by time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.types import Interactions, Items, Mask, Rows


@dataclass(frozen=True, eq=False)
class Split:
    """`train` is all there was before time `at`; `truth` is what the tested users wanted from then until `until`."""

    train: Interactions  # over the same users and items as the whole
    at: int
    until: int
    users: Rows  # the tested users, ascending: known before `at`, with a truth after
    truth: sparse.csr_matrix  # tested users x items, True where wanted
    had: sparse.csr_matrix  # tested users x items, True where the user had the item before `at`
    new_only: bool

    @property
    def truth_sizes(self) -> Rows:
        return np.diff(self.truth.indptr).astype(np.int32)


def temporal_split(
    interactions: Interactions,
    *,
    at: int,
    until: int | None = None,
    events: Sequence[str] | None = None,
    new_only: bool = True,
) -> Split:
    """Hold out what happened from `at` to `until` (exclusive; default: the end).

    A user's truth is the items of their held-out events of the types `events` (default: all taste types with a
    positive weight). With `new_only`, items the user had an event of such a type with before are no truth: to
    foresee repetition is easy and seldom wanted. Tested are users with a taste event before `at` and a truth.

    Raises NotEnoughData when there is nothing before `at` or nobody to test.
    """
    until = int(interactions.times.max(initial=at)) + 1 if until is None else until
    speaks = _of_wanted_types(interactions, events)
    train = interactions.before(at)
    held_out = speaks & (interactions.times >= at) & (interactions.times < until)
    wanted = _pairs(interactions, held_out)
    had = _pairs(interactions, speaks & (interactions.times < at))
    if new_only:
        wanted = (wanted - wanted.multiply(had)).tocsr()
        wanted.eliminate_zeros()
    known = np.zeros(interactions.n_users, dtype=bool)
    known[train.users[train.weights() > 0]] = True
    if not known.any():
        raise NotEnoughData("users with events before the split", 0, 1)
    users = np.flatnonzero(known & (wanted.getnnz(axis=1) > 0)).astype(np.int32)
    if not len(users):
        raise NotEnoughData("users with events before and after the split", 0, 1)
    return Split(
        train=train,
        at=at,
        until=until,
        users=users,
        truth=wanted[users].astype(bool),
        had=had[users].astype(bool),
        new_only=new_only,
    )


def items_as_of(items: Items, train: Interactions, at: int) -> Items:
    """The items that existed at time `at`: published by then, or with an event before. O(items).

    (An imported item may carry its import as its publication, long after its first event.)
    """
    seen = np.zeros(train.n_items, dtype=bool)
    seen[train.items[train.times < at]] = True
    existed = items.published <= at
    rows = items.rows_of(train.item_ids[seen])
    existed[rows[rows >= 0]] = True
    return items if existed.all() else _only(items, existed)


def _only(items: Items, mask: Mask) -> Items:
    new_rows = np.append(np.where(mask, np.cumsum(mask) - 1, -1), -1)  # the last one for parent -1
    return replace(
        items,
        ids=items.ids[mask],
        available=items.available[mask],
        price=items.price[mask],
        published=items.published[mask],
        categories=items.categories[mask],
        parents=new_rows[items.parents[mask]].astype(np.int32),
        texts=None if items.texts is None else [items.texts[int(i)] for i in np.flatnonzero(mask)],
    )


def _of_wanted_types(interactions: Interactions, events: Sequence[str] | None) -> Mask:
    if events is None:
        events = [worth.name for worth in interactions.worth.values() if worth.taste and worth.weight > 0]
    return interactions.of_types(events)


def _pairs(interactions: Interactions, mask: Mask) -> sparse.csr_matrix:
    """1 where the user has a selected event with the item."""
    users, items = interactions.users[mask], interactions.items[mask]
    shape = (interactions.n_users, interactions.n_items)
    matrix = sparse.csr_matrix((np.ones(len(users), np.int32), (users, items)), shape=shape)
    matrix.data[:] = 1
    return matrix
