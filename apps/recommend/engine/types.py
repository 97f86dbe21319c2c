"""What the engine's parts hand to each other: columns, never objects per event, item or user.

A *row* is a dense number from 0. Rows of `Items` are catalog rows; a fitted model has rows of its own
(`ServedModel` translates). Times are whole seconds since 1970 in UTC. Nothing here knows a database.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.item_fields import ItemFields
from apps.recommend.engine.worth_columns import WorthColumns

if TYPE_CHECKING:
    from apps.recommend.engine.past_events import PastEvents

Rows = NDArray[np.int32]
Scores = NDArray[np.float32]
Ids = NDArray[np.int64]
Times = NDArray[np.int64]
Mask = NDArray[np.bool_]

DAY = 86_400
NOBODY = -1  # the user id of nobody in particular


@dataclass(frozen=True)
class EventWorth:
    """What one event of a type says about taste: `weight` when fresh, half of it every `half_life_days`."""

    name: str
    taste: bool
    weight: float
    half_life_days: float


@dataclass(frozen=True, eq=False)
class Items:
    """The catalog as columns; row i of every column is the item `ids[i]`. `ids` ascend."""

    ids: Ids
    available: Mask
    price: NDArray[np.float64]  # NaN: none
    published: Times
    categories: sparse.csr_matrix  # items x categories, 1 where the item is in the category or below it
    category_ids: Ids
    parents: Rows  # row of the item this one is a variant of, else -1
    texts: Sequence[str] | None = None  # title, brand, categories, tags, description; only when training
    brands: Ids | None = None  # the same number for items of one brand, -1: none. Numbers, not rows; None: not read
    fields: ItemFields | None = None  # what filters, caps and answers read beside these columns; None: not read

    def __len__(self) -> int:
        return len(self.ids)

    def rows_of(self, ids: Ids) -> Rows:
        """Catalog row of each id, -1 where there is none. O(len(ids) log n)."""
        return rows_of(self.ids, ids)

    @cached_property
    def by_category(self) -> sparse.csc_matrix:
        """`categories`, ready for column access."""
        return self.categories.tocsc()

    def in_category(self, category_id: int) -> Mask:
        """Which items are in the category or below it; nowhere True for a category nobody knows."""
        mask = np.zeros(len(self), dtype=bool)
        column = int(np.searchsorted(self.category_ids, category_id))
        if column < len(self.category_ids) and self.category_ids[column] == category_id:
            csc = self.by_category
            mask[csc.indices[csc.indptr[column] : csc.indptr[column + 1]]] = True
        return mask


def rows_of(sorted_ids: Ids, ids: Ids) -> Rows:
    """Position of each of `ids` in the ascending `sorted_ids`, -1 where it is missing."""
    if not len(sorted_ids):
        return np.full(len(ids), -1, dtype=np.int32)
    positions = sorted_ids.searchsorted(ids)
    rows = positions.astype(np.int32)
    rows[sorted_ids.take(positions, mode="clip") != ids] = -1
    return rows


@dataclass(frozen=True, eq=False)
class Follows:
    """Who follows whom since when, one entry a follow, by id: many of them have no event. No promised order."""

    followers: Ids
    followed: Ids
    times: Times

    def __len__(self) -> int:
        return len(self.followers)

    def before(self, time: int) -> Self:
        """The follows from before `time`."""
        mask = self.times < time
        return replace(self, followers=self.followers[mask], followed=self.followed[mask], times=self.times[mask])


@dataclass(frozen=True, eq=False)
class Interactions:
    """Events as columns, one entry an event, in no promised order; only events with a user and an item.

    `user_ids` and `item_ids` ascend; `users` and `items` are rows into them. `sessions` groups events of one
    visit or invoice (-1: none). `types` index `worth`. `as_of` is the time seen from: decay counts from there.
    """

    user_ids: Ids
    item_ids: Ids
    users: Rows
    items: Rows
    sessions: Rows
    types: NDArray[np.int16]
    times: Times
    quantities: NDArray[np.int32]
    values: NDArray[np.float32]  # rating or unit price, NaN: none
    worth: Mapping[int, EventWorth]
    as_of: int
    follows: Follows | None = None  # only for algorithms with `reads_follows`

    def __len__(self) -> int:
        return len(self.users)

    @property
    def n_users(self) -> int:
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        return len(self.item_ids)

    def select(self, mask: Mask, as_of: int | None = None) -> Self:
        """The events where `mask` is True, over the same users and items."""
        return replace(
            self,
            users=self.users[mask],
            items=self.items[mask],
            sessions=self.sessions[mask],
            types=self.types[mask],
            times=self.times[mask],
            quantities=self.quantities[mask],
            values=self.values[mask],
            as_of=self.as_of if as_of is None else as_of,
        )

    def before(self, time: int) -> Self:
        """The events, and the follows, from before `time`, seen from `time`."""
        past = self.select(self.times < time, as_of=time)
        return past if self.follows is None else replace(past, follows=self.follows.before(time))

    def compact(self) -> Self:
        """The same events over only the users and items that occur in them. O(events)."""
        used_users, users = np.unique(self.users, return_inverse=True)
        used_items, items = np.unique(self.items, return_inverse=True)
        return replace(
            self,
            user_ids=self.user_ids[used_users],
            item_ids=self.item_ids[used_items],
            users=users.astype(np.int32),
            items=items.astype(np.int32),
        )

    def of_types(self, names: Sequence[str]) -> Mask:
        """Which events are of one of the named canonical types."""
        codes = [code for code, worth in self.worth.items() if worth.name in names]
        return np.isin(self.types, codes)

    def weights(self) -> NDArray[np.float32]:
        """What each event says about taste as seen from `as_of`; see `event_weights`."""
        return event_weights(self.types, self.times, self.values, WorthColumns.of(self.worth), self.as_of)

    def matrix(self) -> sparse.csr_matrix:
        """Users x items, float32: the sums of `weights()` that are positive; nothing is stored for the other pairs."""
        weights = self.weights()
        matrix = sparse.csr_matrix(
            (weights, (self.users, self.items)), shape=(self.n_users, self.n_items), dtype=np.float32
        )
        matrix.data[matrix.data < 0] = 0.0
        matrix.eliminate_zeros()
        matrix.sort_indices()
        return matrix


def event_weights(
    types: NDArray[np.int16],
    times: Times,
    values: NDArray[np.float32],
    worth: WorthColumns,
    as_of: int,
) -> NDArray[np.float32]:
    """Each event's weight: its type's, halved every half-life; 0 for types without taste. Float32, one an event.

    A rating on the usual scale of 1 to 5 counts from -1 to 1 times its type's weight, with 2.5 as the neutral point.
    """
    from apps.recommend.engine.evidence_loops import weigh  # compiled: a second to import

    return np.asarray(
        weigh(
            np.ascontiguousarray(types, np.int16),
            np.ascontiguousarray(times, np.int64),
            np.ascontiguousarray(values, np.float32),
            as_of,
            worth.weight,
            worth.half_life_days,
            worth.rated,
        )
    )


@dataclass(frozen=True, eq=False)
class Evidence:
    """Items that speak for a taste: rows, how strongly each speaks, and the code of the event type that said it.

    Type -1: none that still holds. `times` are those of each item's latest event, None where nobody knows them.
    """

    rows: Rows
    weights: Scores
    types: NDArray[np.int16]
    times: Times | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def none(cls) -> Self:
        return cls(np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int16))

    @classmethod
    def of_events(
        cls,
        rows: Rows,
        weights: Scores,
        types: NDArray[np.int16],
        worth: WorthColumns,
        times: Times | None = None,
    ) -> Self:
        """One entry an item from one entry an event, in the order of the events (latest first). O(events).

        Events of row -1 are of no item. An item's weights add up; its type is that of the strongest event that speaks
        for it and was not undone since.
        """
        if not len(rows):
            return cls.none()
        from apps.recommend.engine.evidence_loops import gathered  # compiled: a second to import

        own, total, told, latest = gathered(
            np.ascontiguousarray(rows, np.int32),
            np.ascontiguousarray(weights, np.float32),
            np.ascontiguousarray(types, np.int16),
            np.zeros(len(rows), np.int64) if times is None else np.ascontiguousarray(times, np.int64),
            worth.undoable,
            worth.undoes,
        )
        return cls(own, total, told, None if times is None else latest)

    @classmethod
    def of_rows(cls, rows: Sequence[int] | Rows) -> Self:
        """Evidence of equal weight, of no event type (-1)."""
        array = np.asarray(rows, dtype=np.int32)
        return cls(array, np.ones(len(array), np.float32), np.full(len(array), -1, np.int16))


@dataclass(frozen=True, eq=False)
class Query:
    """What a model is asked: whose taste (`history`, latest first) and like what (`seeds`).

    With seeds the question is "what goes with these"; without, "what does this user want". Rows are those of
    whoever is asked: catalog rows in sources and stages, the model's own rows inside a model. `user` is the id of
    who asks, as in `Interactions.user_ids`, for models that know people and not only what they did.
    """

    history: Evidence = field(default_factory=Evidence.none)
    seeds: Evidence = field(default_factory=Evidence.none)
    text: str = ""  # a search query
    now: int = 0
    user: int = NOBODY
    events: "PastEvents | None" = None  # what `history` was made of, always in catalog rows; None: nobody knows

    @property
    def evidence(self) -> Evidence:
        """What speaks: the seeds where there are any, else the history."""
        return self.seeds if len(self.seeds) else self.history


@dataclass(frozen=True, eq=False)
class Queries:
    """What many users are asked at once, without seeds or text: a `Query` a row.

    `times` has an entry for every entry of `histories`, in the same place: the item's latest event. None: not known.
    """

    histories: sparse.csr_matrix  # users x items: summed evidence weights
    times: sparse.csr_matrix | None
    users: Ids
    now: NDArray[np.int64]  # by user; 0: not known

    def __len__(self) -> int:
        return len(self.users)


@dataclass(frozen=True, eq=False)
class Slate:
    """A ranked list as columns, best first. `source[i]` indexes `source_names`; rows are catalog rows."""

    rows: Rows
    scores: Scores
    source: NDArray[np.int16]
    source_names: tuple[str, ...] = ()
    propensities: Scores | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def empty(cls) -> Self:
        return cls(np.empty(0, np.int32), np.empty(0, np.float32), np.empty(0, np.int16))

    @classmethod
    def ranked(cls, rows: Rows, scores: Scores, limit: int, source: str) -> Self:
        """The `limit` best of `rows` by score, dropping those that cannot be scored (NaN). O(n + limit log limit)."""
        silent = np.isnan(scores)
        if silent.any():
            rows, scores = rows[~silent], scores[~silent]
        best = best_places(rows, scores, limit)
        rows, scores = rows[best], scores[best]
        return cls(rows.astype(np.int32), scores.astype(np.float32), np.zeros(len(rows), dtype=np.int16), (source,))

    def take(self, index: NDArray[np.integer] | Mask | slice) -> Self:
        """The entries at `index`, in that order."""
        propensities = None if self.propensities is None else self.propensities[index]
        return type(self)(self.rows[index], self.scores[index], self.source[index], self.source_names, propensities)


def tie_break(rows: NDArray[np.integer]) -> NDArray[np.uint64]:
    """A fixed pseudo-random key for each row (splitmix64): ties must not fall to low row numbers, which are popular."""
    x = rows.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def best_places(rows: NDArray[np.integer], scores: NDArray[np.floating], limit: int) -> NDArray[np.intp]:
    """Where the `limit` highest of `scores` (no NaN) stand, best first, equal ones by `tie_break` of their rows.

    O(n + limit log limit): partitioning values costs a third of what partitioning places does.
    """
    if len(scores) <= limit or limit < 1:
        places = np.arange(len(scores) if limit > 0 else 0)
    else:
        bound = np.partition(scores, len(scores) - limit)[len(scores) - limit]
        places = np.flatnonzero(scores >= bound)
        if len(places) > limit:
            above, level = np.flatnonzero(scores > bound), np.flatnonzero(scores == bound)
            kept = np.argpartition(tie_break(rows[level]), limit - len(above) - 1)[: limit - len(above)]
            places = np.concatenate([above, level[kept]])
    of_best = -scores[places]
    order = np.argsort(of_best)
    ascending = of_best[order]
    level = ascending[1:] == ascending[:-1]
    if level.any():
        tied = np.flatnonzero(np.append(level, False) | np.append(False, level))
        among = order[tied]
        order[tied] = among[np.lexsort((tie_break(rows[places[among]]), of_best[among]))]
    return np.asarray(places[order])
