"""Session neighbourhoods: what went on in past sessions that look like the current one.

VS-kNN: M. Ludewig, D. Jannach: Evaluation of Session-based Recommendation Algorithms, UMUAI 28, 2018 (section 3.2.3).
STAN: D. Garg et al.: Sequence and Time Aware Neighborhood for Session-based Recommendations, SIGIR 2019 (equations 1
to 6). V-STAN, which is both: M. Ludewig et al.: Empirical Analysis of Session-based Recommendation Algorithms, UMUAI
31, 2021. `Config` says which; the defaults are VS-kNN.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import sparse

from apps.plugins import ComponentConfig
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.protocols import Arrays
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.tuning.ranges import Between, OneOf
from apps.recommend.engine.types import DAY, Evidence, Interactions, Items, Query, Rows, Scores

Floats = NDArray[np.float64]
Weighting = Literal["same", "linear", "quadratic", "logarithmic", "reciprocal"]

STEP_BITS = 6
MOST_RECENT = 1 << STEP_BITS  # places in the current session: they share a word with the session's number
LONGEST = 200  # latest items kept of a past session: crawlers have sessions without end

# How much something `steps` back from the latest of `length` items counts.
FADING: dict[str, Callable[[Floats, int], Floats]] = {
    "same": lambda steps, length: np.ones_like(steps),
    "linear": lambda steps, length: 1 - steps / length,
    "quadratic": lambda steps, length: (1 - steps / length) ** 2,
    "logarithmic": lambda steps, length: 1 / np.log2(steps + 2),
    "reciprocal": lambda steps, length: 1 / (steps + 1),
}


@dataclass(frozen=True, eq=False)
class _Likeness:
    """The nearest past sessions of a current one. Pairs are (neighbour, step back) where both have the item."""

    sessions: Rows
    pull: Floats  # by neighbour: what turns a pair's weight into its part of the score, before item and distance
    latest: Rows  # by neighbour: the latest item of the current session that it has
    pair_neighbours: NDArray[np.int64]
    pair_steps: NDArray[np.int64]
    step_weights: Floats


@dataclass(frozen=True, eq=False)
class SessionKnnModel:
    """Past sessions, numbered from the latest to the oldest, by session and by item.

    The newest distinct items that speak for a taste, in the order of the evidence (latest first), are the current
    session. How strongly each speaks plays no part, and neither does `now`: all ages count from the latest session.
    """

    item_ids: NDArray[np.int64]
    session_ends: NDArray[np.int64]  # items of session s are session_items[session_ends[s] : session_ends[s + 1]]
    session_items: Rows  # in order of time
    session_times: NDArray[np.int64]
    item_ends: NDArray[np.int64]  # sessions of item i are item_sessions[item_ends[i] : item_ends[i + 1]]
    item_sessions: Rows  # latest first, at most `sample_size`
    rarity: NDArray[np.float32]  # by item: what idf makes of it
    settings: "SessionKnn.Config"

    def score(self, query: Query, rows: Rows) -> Scores:
        """As promised by `Model`. O(sample_size x recent + k x session length + items), whatever the past holds."""
        scores = np.full(len(self.item_ids), np.nan, dtype=np.float32)
        current = self._current(query.evidence)
        like = self._like(query.evidence.rows[current])
        if like is not None:
            entries, neighbours, strengths = self._entries(like)
            totals = np.bincount(like.pair_neighbours, like.step_weights[like.pair_steps], len(like.sessions))
            said = np.bincount(entries, strengths * totals[neighbours], len(self.item_ids))
            scores[entries] = said[entries] * self.rarity[entries]
        return scores[rows]

    def contributions(self, query: Query, rows: Rows) -> NDArray[np.float32]:
        parts = np.zeros((len(rows), len(query.evidence)), dtype=np.float32)
        current = self._current(query.evidence)
        like = self._like(query.evidence.rows[current])
        if like is None or not len(rows):
            return parts
        asked, inverse = np.unique(rows, return_inverse=True)
        entries, neighbours, strengths = self._entries(like)
        places = np.minimum(np.searchsorted(asked, entries), len(asked) - 1)
        told = asked[places] == entries
        said = strengths[told] * self.rarity[entries[told]]
        count = len(like.sessions)
        items = sparse.csr_matrix((said, (places[told], neighbours[told])), shape=(len(asked), count))
        pairs = (like.step_weights[like.pair_steps], (like.pair_neighbours, like.pair_steps))
        steps = sparse.csr_matrix(pairs, shape=(count, len(current)))
        parts[:, current] = (items @ steps).toarray()[inverse]
        return parts

    def _current(self, evidence: Evidence) -> NDArray[np.int64]:
        """Places in the evidence of the current session's items, latest first."""
        speaks = np.flatnonzero(evidence.weights > 0)
        _, first = np.unique(evidence.rows[speaks], return_index=True)
        return np.asarray(speaks[np.sort(first)[: self.settings.recent]], dtype=np.int64)

    def _like(self, current: Rows) -> _Likeness | None:
        """The k nearest sessions to the items `current` (latest first) among the latest that share one with them."""
        settings, length = self.settings, len(current)
        keys = self._sharing(current)
        if not len(keys):
            return None
        # Sorted by session, then by step back: the first of a session is the latest item it shares.
        keys.sort()
        sessions, steps = keys >> STEP_BITS, keys & (MOST_RECENT - 1)
        starts = np.flatnonzero(np.append(True, sessions[1:] != sessions[:-1]))
        if len(starts) > settings.sample_size:
            last = int(starts[settings.sample_size])
            starts, sessions, steps = starts[: settings.sample_size], sessions[:last], steps[:last]
        back = np.arange(length, dtype=np.float64)
        if settings.spw is None:
            weights = FADING[settings.weighting](back, length)
        else:
            weights = np.exp(-back / settings.spw)
        sampled, latest = sessions[starts], steps[starts]
        pull = self._nearness(sampled, length)
        nearness = np.add.reduceat(weights[steps], starts) * pull
        best = _largest(nearness.astype(np.float32), settings.k)  # single precision: sums that differ by rounding tie
        sizes = np.diff(np.append(starts, len(sessions)))[best]
        pairs = _ranges(starts[best], sizes)
        pull = pull[best] * FADING[settings.shared_weighting](back, length)[latest[best]]
        return _Likeness(
            sessions=sampled[best].astype(np.int32),
            pull=pull,
            latest=current[latest[best]],
            pair_neighbours=np.repeat(np.arange(len(best)), sizes),
            pair_steps=steps[pairs].astype(np.int64),
            step_weights=weights,
        )

    def _sharing(self, current: Rows) -> NDArray[np.integer]:
        """A number for each (session, step back) that share an item: session << STEP_BITS | step."""
        lists = [self.item_sessions[self.item_ends[item] : self.item_ends[item + 1]] for item in current]
        full = [int(one[-1]) for one in lists if len(one) >= self.settings.sample_size]
        if full:  # one item alone has as many sessions as are looked at: none older than those can be among them
            oldest = min(full)
            lists = [one[: np.searchsorted(one, oldest, side="right")] for one in lists]
        small = len(self.session_times) * MOST_RECENT < np.iinfo(np.int32).max
        number: type[np.int32] | type[np.int64] = np.int32 if small else np.int64
        keys = [np.left_shift(one, STEP_BITS, dtype=number) | number(step) for step, one in enumerate(lists)]
        return np.concatenate(keys) if keys else np.empty(0, np.int32)

    def _nearness(self, sessions: NDArray[np.integer], length: int) -> Floats:
        """What multiplies the shared weights of each session: its length and its age."""
        nearness = np.ones(len(sessions))
        if self.settings.similarity == "cosine":
            nearness /= np.sqrt(length * (self.session_ends[sessions + 1] - self.session_ends[sessions]))
        if self.settings.snh is not None:
            times = self.session_times[sessions]
            nearness *= np.exp((times - times.max()) / (self.settings.snh * DAY))
        return nearness

    def _entries(self, like: _Likeness) -> tuple[Rows, NDArray[np.int64], Floats]:
        """Every item of every neighbour: the item, the neighbour, and what the neighbour's likeness counts for it."""
        starts = self.session_ends[like.sessions]
        sizes = self.session_ends[like.sessions + 1] - starts
        places = _ranges(starts, sizes)
        items = self.session_items[places]
        neighbours = np.repeat(np.arange(len(starts)), sizes)
        strengths = like.pull[neighbours]
        if self.settings.inh is not None:
            shared = np.flatnonzero(items == like.latest[neighbours])  # one in each neighbour: items do not repeat
            distance = np.abs(places - places[shared][neighbours])
            strengths = strengths * np.exp(-distance / self.settings.inh)
        return items, neighbours, strengths

    def to_arrays(self) -> Arrays:
        return {
            "item_ids": self.item_ids,
            "session_ends": self.session_ends,
            "session_items": self.session_items,
            "session_times": self.session_times,
            "item_ends": self.item_ends,
            "item_sessions": self.item_sessions,
            "rarity": self.rarity,
            "settings": np.frombuffer(self.settings.model_dump_json().encode(), dtype=np.uint8),
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        settings = SessionKnn.Config.model_validate_json(np.asarray(arrays["settings"]).tobytes())
        return cls(**{name: array for name, array in arrays.items() if name != "settings"}, settings=settings)


def _largest(values: Scores, count: int) -> NDArray[np.int64]:
    """Places of the `count` largest, ascending; of equal ones, the first (the latest sessions)."""
    if len(values) <= count:
        return np.arange(len(values))
    bound = np.sort(values)[len(values) - count]  # faster than a partition where many are equal
    chosen = values > bound
    chosen[np.flatnonzero(values == bound)[: count - int(chosen.sum())]] = True
    return np.flatnonzero(chosen)


def _ranges(starts: NDArray[np.integer], sizes: NDArray[np.integer]) -> NDArray[np.int64]:
    """start, start + 1, … of each range, one range after the other."""
    before = np.cumsum(sizes) - sizes
    return np.asarray(np.repeat(starts - before, sizes) + np.arange(int(sizes.sum())), dtype=np.int64)


@ALGORITHMS.register("session_knn")
class SessionKnn:
    """Finds the past sessions most like the current one, and what was in them."""

    class Config(ComponentConfig):
        k: Annotated[int, Between(50, 1_500, log=True)] = Field(default=500, ge=1)
        """Nearest past sessions that have a say."""
        sample_size: Annotated[int, Between(500, 5_000, log=True)] = Field(default=5_000, ge=1)
        """The nearest are looked for among the latest so many sessions that share an item with the current one."""
        recent: Annotated[int, Between(3, 50, log=True)] = Field(default=20, ge=1, le=MOST_RECENT)
        """Newest items of the history that make up the current session."""
        weighting: Annotated[Weighting, OneOf("same", "linear", "quadratic", "logarithmic", "reciprocal")] = "quadratic"
        """How fast items of the current session count less, the further back, when sessions are compared."""
        shared_weighting: Annotated[Weighting, OneOf("same", "linear", "quadratic", "logarithmic", "reciprocal")] = (
            "reciprocal"
        )
        """The same for what a neighbour says, by how far back the latest item lies that both sessions have."""
        idf_weighting: Annotated[float, Between(0.0, 10.0)] = Field(default=5.0, ge=0)
        """Scores are multiplied by 1 + this x log(sessions / sessions with the item) / log(sessions)."""
        similarity: Annotated[Literal["dot", "cosine"], OneOf("dot", "cosine")] = "dot"
        """cosine divides by the root of both sessions' lengths: long sessions are like everything."""
        spw: Annotated[float | None, OneOf(0.9, 1.6, 2.7, 4.9, None)] = Field(default=None, gt=0)
        """V-STAN: an item n steps back counts exp(-n / spw) when sessions are compared, instead of `weighting`."""
        snh: Annotated[float | None, OneOf(2.5, 5.0, 20.0, 40.0, 80.0, None)] = Field(default=None, gt=0)
        """V-STAN: a session d days older than the latest counts exp(-d / snh). None: age plays no part."""
        inh: Annotated[float | None, OneOf(0.9, 1.6, 2.7, 4.9, None)] = Field(default=None, gt=0)
        """V-STAN: in a neighbour, an item n places from the latest shared one counts exp(-n / inh). None: all alike."""
        events: tuple[str, ...] | None = None
        """Canonical event types to learn from. None: all that carry taste."""

    Model = SessionKnnModel
    collaborative = True
    reads_texts = False

    def __init__(self, config: Config) -> None:
        self.config = config

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> SessionKnnModel:
        """As promised by `Algorithm`. Events without a session are grouped by user and day (UTC).

        Sessions with one item are left out. O(events log events); about 12 bytes an event.
        """
        speaks = interactions.weights() > 0
        if self.config.events is not None:
            speaks &= interactions.of_types(self.config.events)
        chosen = interactions.select(speaks)
        unit = _units(chosen)
        order = np.lexsort((chosen.times, unit))[::-1]
        _, last = np.unique(unit[order] * chosen.n_items + chosen.items[order], return_index=True)
        last.sort()
        order = order[last]  # the last event of each item in a session; all of one session together, latest first
        unit = unit[order]
        sizes = np.bincount(unit)
        rank = np.arange(len(unit)) - np.searchsorted(-unit, -unit)
        kept = (sizes[unit] > 1) & (rank < LONGEST)
        order, unit, rank = order[kept], unit[kept], rank[kept]
        if not len(order):
            raise NotEnoughData("sessions with two items", 0, 1)
        present, columns = np.unique(chosen.items[order], return_inverse=True)
        heads = np.flatnonzero(rank == 0)
        ages = np.empty(len(heads), dtype=np.int64)
        by_age = np.argsort(-chosen.times[order[heads]], kind="stable")
        ages[by_age] = np.arange(len(heads))
        session = ages[np.cumsum(rank == 0) - 1]
        in_time = np.lexsort((-rank, session))
        session, columns = session[in_time], columns[in_time]
        by_item = np.argsort(columns, kind="stable")
        counts = np.bincount(columns)
        place = np.arange(len(columns)) - np.repeat(np.cumsum(counts) - counts, counts)
        sampled = place < self.config.sample_size
        idf = np.log(len(heads) / counts) / np.log(max(len(heads), 2))
        return SessionKnnModel(
            item_ids=interactions.item_ids[present],
            session_ends=_ends(np.bincount(session)),
            session_items=columns.astype(np.int32),
            session_times=chosen.times[order[heads]][by_age],
            item_ends=_ends(np.minimum(counts, self.config.sample_size)),
            item_sessions=session[by_item][sampled].astype(np.int32),
            rarity=(1 + self.config.idf_weighting * idf).astype(np.float32),
            settings=self.config,
        )


def _units(interactions: Interactions) -> NDArray[np.int64]:
    """Which session each event belongs to, numbered from 0; events of none: their user's day."""
    named = interactions.sessions >= 0
    days = interactions.times // DAY
    days = days - days.min(initial=0)
    own = interactions.users.astype(np.int64) * (int(days.max(initial=0)) + 1) + days
    unit = np.where(named, interactions.sessions, interactions.sessions.max(initial=-1) + 1 + own)
    numbered: NDArray[np.int64] = np.unique(unit, return_inverse=True)[1]
    return numbered


def _ends(sizes: NDArray[np.integer]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
