"""A shop that is easily reckoned with, and `arrange` with little to say, for tests of rules."""

from typing import Any

import numpy as np
from scipy import sparse

from apps.recommend.engine.context import Context
from apps.recommend.engine.rules import Arranged, Controls, Rules, RuleSpec, arrange
from apps.recommend.engine.types import DAY, Items, Query, Rows, Slate

NOW = 1_800_000_000
N = 30


def shop(**columns: object) -> Items:
    """Items 100, 101, …, each of a brand and a category of its own, a day older than the one before."""
    return Items(
        **{
            "ids": np.arange(N, dtype=np.int64) + 100,
            "available": np.ones(N, bool),
            "price": np.arange(N, dtype=float),
            "published": NOW - DAY * np.arange(N, dtype=np.int64),
            "categories": sparse.identity(N, dtype=np.float32, format="csr"),
            "category_ids": np.arange(N, dtype=np.int64) + 1000,
            "parents": np.full(N, -1, np.int32),
            "brands": np.arange(N, dtype=np.int64),
        }
        | columns
    )


def rule(action: str, *items: int, id: int = 1, **fields: object) -> RuleSpec:
    """A rule about the rows `items`."""
    return RuleSpec(
        **{"id": id, "name": f"rule {id}", "action": action, "items": tuple(i + 100 for i in items)} | fields
    )


def ten(rows: Rows | None = None) -> Slate:
    """Ten candidates whose scores fall from 10 to 1: rows 0 to 9."""
    rows = np.arange(10, dtype=np.int32) if rows is None else rows
    return Slate(rows, np.arange(len(rows), 0, -1).astype(np.float32), np.zeros(len(rows), np.int16), ("als",))


def arranged(
    *specs: RuleSpec, items: Items | None = None, slate: Slate | None = None, limit: int = 10, **options: Any
) -> Arranged:
    items = items or shop()
    controls = options.pop("controls", Controls())
    eligible = options.pop("eligible", items.available)
    return arrange(
        ten() if slate is None else slate,
        active=Rules.of(specs).active(now=NOW, items=items),
        controls=controls,
        query=Query(now=NOW, user=options.pop("user", -1)),
        context=Context(items=items, eligible=eligible),
        limit=limit,
        **options,
    )


def rows(found: Arranged) -> list[int]:
    return found.slate.rows.tolist()
