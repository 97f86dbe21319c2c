"""Reads interactions from files in LightGCN's text form, without a database."""

import gzip
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.types import EventWorth, Interactions

Pairs = tuple[NDArray[np.int32], NDArray[np.int32]]  # users, items: one entry a pair

DIGITS = 10  # ids have fewer: they are rows
LIKE = EventWorth("like", True, 1.0, math.inf)


def read_pairs(path: Path) -> Pairs:
    """Users and items of a file with `user item item …` on each line, plain or gzip; repeated pairs count once.

    Raises ValueError, naming file and line, where something is no whole number from 0.
    """
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        raw = gzip.decompress(raw)
    users, items = [], []
    for number, line in enumerate(raw.splitlines(), start=1):
        words = line.split()
        if not all(word.isdigit() and len(word) < DIGITS for word in words):
            raise ValueError(f"{path}, line {number}: wanted `user item item …`, whole numbers only")
        if len(words) > 1:
            row = np.array(words, dtype=np.int32)
            items.append(np.unique(row[1:]))
            users.append(np.full(len(items[-1]), row[0], dtype=np.int32))
    if not users:
        return np.empty(0, np.int32), np.empty(0, np.int32)
    return np.concatenate(users), np.concatenate(items)


def as_interactions(pairs: Pairs, n_users: int, n_items: int) -> Interactions:
    """One event of weight 1 that never fades for each pair; ids are rows."""
    users, items = pairs
    return Interactions(
        user_ids=np.arange(n_users, dtype=np.int64),
        item_ids=np.arange(n_items, dtype=np.int64),
        users=users,
        items=items,
        sessions=np.full(len(users), -1, dtype=np.int32),
        types=np.ones(len(users), dtype=np.int16),
        times=np.zeros(len(users), dtype=np.int64),
        quantities=np.ones(len(users), dtype=np.int32),
        values=np.full(len(users), np.nan, dtype=np.float32),
        worth={1: LIKE},
        as_of=0,
    )
