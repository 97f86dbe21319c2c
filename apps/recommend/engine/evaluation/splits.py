"""What a model may learn from, what it is told about the tested users, and what it is then asked to foresee."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.types import Ids, Interactions, Items, Mask, Rows

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, eq=False)
class Split:
    """Models are fitted on `train`, told `known` about the tested users, and asked for their `truth`.

    `at` is the time they are asked; `until` is when the truth ends.
    """

    train: Interactions  # over the same users and items as the whole
    at: int
    until: int
    users: Rows  # the tested users, ascending rows of `train.user_ids`
    truth: sparse.csr_matrix  # tested users x items, True where wanted
    had: sparse.csr_matrix  # tested users x items, True where the model is told that the user had the item
    new_only: bool  # whether what the user had is no truth
    fold_in: Interactions | None = None  # what is known of the tested users, where that is not `train`
    candidates: Ids | None = None  # ascending ids of the only items to rank; None: all

    @property
    def truth_sizes(self) -> Rows:
        return np.diff(self.truth.indptr).astype(np.int32)

    @property
    def known(self) -> Interactions:
        """The events that a model may be told of when it is asked about the tested users."""
        return self.train if self.fold_in is None else self.fold_in

    def only(self, chosen: Mask | NDArray[np.integer]) -> Self:
        """The same split with only some of its tested users, ascending by place in `users`."""
        return replace(self, users=self.users[chosen], truth=self.truth[chosen], had=self.had[chosen])

    def sample(self, count: int, rng: np.random.Generator) -> Self:
        """The same split with at most `count` tested users, drawn at random."""
        if count >= len(self.users):
            return self
        return self.only(np.sort(rng.choice(len(self.users), count, replace=False)))


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
    positive weight). With `new_only`, items the user had an event of such a type with before are no truth. Tested
    are users with a taste event before `at` and a truth.

    Raises NotEnoughData when there is nothing before `at` or nobody to test.
    """
    until = int(interactions.times.max(initial=at)) + 1 if until is None else until
    train = interactions.before(at)
    had = pairs(train, of_wanted_types(train, events))
    return split_of(train, wanted_within(interactions, at, until, events), had, at=at, until=until, new_only=new_only)


def given_split(train: Interactions, test: Interactions, *, new_only: bool = True) -> Split:
    """Learn from `train`, foresee `test`: of somebody else's making, over the same `user_ids` and `item_ids`.

    Every positive taste event of `test` is truth, but with `new_only` not items the user had in `train`.
    Raises ValueError where users or items are others; NotEnoughData as `temporal_split`.
    """
    same = np.array_equal(train.user_ids, test.user_ids) and np.array_equal(train.item_ids, test.item_ids)
    if not same:
        raise ValueError("train and test must be over the same user_ids and item_ids")
    had, wanted = (pairs(part, of_wanted_types(part, None)) for part in (train, test))
    until = max(train.as_of, int(test.times.max(initial=0)) + 1)
    return split_of(train, wanted, had, at=train.as_of, until=until, new_only=new_only)


def leave_last_out(interactions: Interactions, *, events: Sequence[str] | None = None, new_only: bool = True) -> Split:
    """Hold out the last item of each user; all that the user did before is known.

    The last item is that of the user's latest event of the wanted types; of events of one second, the last one in
    the columns. That event, later ones, and those with the item in the same second are left out; earlier ones with it
    stay, so that it is a repetition. Users with nothing else to tell are not tested, and all their events are kept.
    Users stop at different times: models see a little of others' future, which flatters all of them alike.
    """
    users, items, times = interactions.users, interactions.items, interactions.times
    speaks = np.flatnonzero(of_wanted_types(interactions, events))
    order = speaks[np.lexsort((speaks, times[speaks], users[speaks]))]
    last = order[np.diff(users[order], append=-1) != 0]
    end = np.full(interactions.n_users, NEVER, dtype=np.int64)
    end[users[last]] = times[last]
    item = np.full(interactions.n_users, -1, dtype=np.int32)
    item[users[last]] = items[last]
    held_out = (times > end[users]) | ((times == end[users]) & (items == item[users]))
    before = interactions.select(~held_out)
    remains = np.zeros(interactions.n_users, dtype=bool)
    remains[before.users[before.weights() > 0]] = True
    train = interactions.select(~held_out | ~remains[users])
    asked = np.zeros(len(interactions), dtype=bool)
    asked[last[remains[users[last]]]] = True
    had = pairs(train, of_wanted_types(train, events))
    at = interactions.as_of
    return split_of(train, pairs(interactions, asked), had, at=at, until=at, new_only=new_only)


def strong_generalisation(
    interactions: Interactions,
    *,
    users: int | Rows,
    rng: np.random.Generator,
    share: float = 0.8,
    events: Sequence[str] | None = None,
) -> Split:
    """Hold out whole users (a number, or rows): nobody learned from them; `share` of their items are then told.

    Of each tested user's items of the wanted types, `share` (rounded up, but never all), drawn at random, are what
    the model is told, with all events about them and about items of no wanted type; the others are the truth. Users
    with one item are not tested. D. Liang et al.: Variational Autoencoders for Collaborative Filtering, WWW 2018.
    """
    if not 0 < share < 1:
        raise ValueError(f"share must lie between 0 and 1, not {share}")
    speaks = of_wanted_types(interactions, events)
    wants = pairs(interactions, speaks)
    enough = np.flatnonzero(wants.getnnz(axis=1) > 1)
    if isinstance(users, int):
        users = np.sort(rng.choice(enough, min(users, len(enough)), replace=False)).astype(np.int32)
    users = np.intersect1d(users, enough)
    theirs = np.zeros(interactions.n_users, dtype=bool)
    theirs[users] = True
    theirs_all = wants[users].tocoo()
    order = np.lexsort((rng.random(theirs_all.nnz), theirs_all.row))
    row, column = theirs_all.row[order], theirs_all.col[order]
    sizes = np.bincount(row, minlength=len(users))
    told = np.minimum(np.ceil(share * sizes).astype(np.int64), sizes - 1)
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    hidden = rank >= told[row]
    shape = (interactions.n_users, interactions.n_items)
    ones = np.ones(int(hidden.sum()), np.int32)
    wanted = sparse.csr_matrix((ones, (users[row[hidden]], column[hidden])), shape=shape)
    is_hidden = np.isin(keys(interactions), users[row[hidden]].astype(np.int64) * shape[1] + column[hidden])
    train = interactions.select(~theirs[interactions.users])
    if not len(train):
        raise NotEnoughData("users that are not held out", 0, 1)
    fold_in = interactions.select(theirs[interactions.users] & ~is_hidden)
    had = pairs(fold_in, of_wanted_types(fold_in, events))
    at = interactions.as_of
    return split_of(train, wanted, had, at=at, until=at, new_only=True, known=fold_in)


def items_as_of(items: Items, train: Interactions, at: int, also: Ids | None = None) -> Items:
    """The items that existed at time `at`: published by then, or with an event before, or in `also`. O(items).

    (An imported item may carry its import as its publication, long after its first event.)
    """
    seen = np.zeros(train.n_items, dtype=bool)
    seen[train.items[train.times < at]] = True
    existed = items.published <= at
    if also is not None:
        existed |= np.isin(items.ids, also)
    rows = items.rows_of(train.item_ids[seen])
    existed[rows[rows >= 0]] = True
    return items if existed.all() else _only(items, existed)


def split_of(
    train: Interactions,
    wanted: sparse.csr_matrix,
    had: sparse.csr_matrix,
    *,
    at: int,
    until: int,
    new_only: bool,
    known: Interactions | None = None,
) -> Split:
    """The split that tests everybody the model knows something of and who wanted something."""
    known = train if known is None else known
    if new_only:
        wanted = (wanted - wanted.multiply(had)).tocsr()
        wanted.eliminate_zeros()
    told = np.zeros(train.n_users, dtype=bool)
    told[known.users[known.weights() > 0]] = True
    if not told.any():
        raise NotEnoughData("users with events before the split", 0, 1)
    users = np.flatnonzero(told & (wanted.getnnz(axis=1) > 0)).astype(np.int32)
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
        fold_in=None if known is train else known,
    )


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
        brands=None if items.brands is None else items.brands[mask],
    )


def wanted_within(interactions: Interactions, at: int, until: int, events: Sequence[str] | None) -> sparse.csr_matrix:
    """1 where the user has an event of a wanted type with the item from `at` to `until` (exclusive)."""
    window = (interactions.times >= at) & (interactions.times < until)
    return pairs(interactions, of_wanted_types(interactions, events) & window)


def of_wanted_types(interactions: Interactions, events: Sequence[str] | None) -> Mask:
    """Which events are of the types `events`; None: of all taste types with a positive weight."""
    if events is None:
        events = [worth.name for worth in interactions.worth.values() if worth.taste and worth.weight > 0]
    return interactions.of_types(events)


def keys(interactions: Interactions) -> Ids:
    """One number for each pair of user and item."""
    return interactions.users.astype(np.int64) * interactions.n_items + interactions.items


def pairs(interactions: Interactions, mask: Mask) -> sparse.csr_matrix:
    """1 where the user has a selected event with the item."""
    users, items = interactions.users[mask], interactions.items[mask]
    shape = (interactions.n_users, interactions.n_items)
    matrix = sparse.csr_matrix((np.ones(len(users), np.int32), (users, items)), shape=shape)
    matrix.data[:] = 1
    return matrix
