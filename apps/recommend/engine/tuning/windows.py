"""Validation windows: times to stand at, what was known by then, and what users wanted next."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.evaluation.evaluate import HISTORY_LIMIT
from apps.recommend.engine.evaluation.ranking import aligned, histories, latest_times
from apps.recommend.engine.evaluation.splits import Split, items_as_of, temporal_split
from apps.recommend.engine.types import DAY, Ids, Interactions, Items, Queries, Rows, rows_of

CUT_TO = (1, 2, 5)  # events that are left of a user's history, to see how a blend answers those it hardly knows


@dataclass(frozen=True, eq=False)
class Window:
    """A time to stand at: what was known by then, and what each tested user wanted in the days after."""

    at: int
    until: int
    train: Interactions
    items: Items
    user_ids: Ids  # of the tested users
    item_ids: Ids  # of the columns below: everything there is, ascending
    history: sparse.csr_matrix  # tested users x items: evidence weights
    truth: sparse.csr_matrix  # the same shape, True where wanted
    had: sparse.csr_matrix  # the same shape, stored where it can be no truth and is left out of what is ranked
    cold_history: sparse.csr_matrix  # as `history`, cut down to the latest few events of each user
    times: sparse.csr_matrix  # the same shape: when each user last had to do with each item

    def asked(self, history: sparse.csr_matrix) -> Queries:
        """What a model is asked that is told `history` of the users."""
        now = np.full(len(self.user_ids), self.at, dtype=np.int64)
        return Queries(history, aligned(self.times, history), self.user_ids, now)

    @property
    def truth_sizes(self) -> Rows:
        return np.diff(self.truth.indptr).astype(np.int32)


def windows(
    interactions: Interactions,
    items: Items,
    *,
    until: int,
    days: float,
    count: int,
    new_only: bool,
    limit_users: int | None = None,
    seed: int = 0,
) -> list[Window]:
    """Up to `count` windows of `days` days each, one after the other, the last of which ends at `until`; oldest first.

    Nothing from `until` on is looked at. A window without anybody to test is left out; of more than `limit_users`
    users a random sample is tested. Raises NotEnoughData when no window is left.
    """
    found = []
    everything = np.union1d(interactions.item_ids, items.ids)
    lack = NotEnoughData("validation windows", 0, 1)
    for number in range(count, 0, -1):
        at, end = int(until - number * days * DAY), int(until - (number - 1) * days * DAY)
        try:
            split = temporal_split(interactions, at=at, until=end, new_only=new_only)
        except NotEnoughData as missing:
            lack = missing
            continue
        if limit_users is not None:
            split = split.sample(limit_users, np.random.default_rng([seed, number]))

        def over_everything(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
            return _over(everything, matrix, interactions.item_ids)

        history = over_everything(histories(split.train, split.users, HISTORY_LIMIT))
        found.append(
            Window(
                at=at,
                until=end,
                train=split.train.compact(),
                items=items_as_of(items, split.train, at),
                user_ids=split.train.user_ids[split.users],
                item_ids=everything,
                history=history,
                truth=over_everything(split.truth),
                had=over_everything(split.had) if new_only else sparse.csr_matrix(history.shape),
                cold_history=over_everything(_cut(split, np.random.default_rng([seed, number, 1]))),
                times=over_everything(latest_times(split.train, split.users)),
            )
        )
    if not found:
        raise lack
    return found


def _cut(split: Split, rng: np.random.Generator) -> sparse.csr_matrix:
    """Each tested user's history, cut to one of `CUT_TO` events by lot."""
    length = rng.integers(len(CUT_TO), size=len(split.users))
    kept = [histories(split.train, split.users, events) for events in CUT_TO]
    chosen = [sparse.diags((length == number).astype(np.float32)) @ cut for number, cut in enumerate(kept)]
    cut: sparse.csr_matrix = sum(chosen[1:], start=chosen[0]).tocsr()
    cut.eliminate_zeros()
    cut.sort_indices()
    return cut


def _over(item_ids: Ids, matrix: sparse.csr_matrix, columns: Ids) -> sparse.csr_matrix:
    """`matrix`, whose columns are `columns`, over `item_ids`; both ascend."""
    places = rows_of(item_ids, columns)
    shape = (matrix.shape[0], len(item_ids))
    return sparse.csr_matrix((matrix.data, places[matrix.indices], matrix.indptr), shape=shape)
