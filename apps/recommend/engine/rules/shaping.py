"""Scores as rules and controls change them: boosts, buries, freshness, margin, rotation."""

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.rules.active import ActiveRules
from apps.recommend.engine.rules.named import Found
from apps.recommend.engine.rules.spec import Controls
from apps.recommend.engine.types import DAY, Items, Rows, Scores, tie_break

TRACE = 0.01  # what the last candidate is worth, the first being worth 1 more: a boost must not multiply nothing
SWING = 0.1  # how much of its score rotation may take from an item
MARGIN = "attributes.margin"

Values = NDArray[np.float64]


class Scale:
    """Between scores as a pipeline gave them, in whatever unit, and values that can be multiplied: TRACE to 1 + TRACE.

    Scores are taken in the order of the slate. Where an earlier stage put an entry above one of a higher score, to
    make a list more varied, its place counts: the values of the whole slate are its scores in descending order.
    """

    def __init__(self, scores: Scores) -> None:
        ordered = np.asarray(scores, dtype=np.float64)
        if not bool((ordered[1:] <= ordered[:-1]).all()):  # NaN lands here too
            ordered = -np.sort(-np.nan_to_num(ordered, nan=-np.inf))
            finite = ordered[np.isfinite(ordered)]
            ordered = np.clip(ordered, finite[-1] if len(finite) else 0.0, finite[0] if len(finite) else 0.0)
        self.best, self.low = (float(ordered[0]), float(ordered[-1])) if len(ordered) else (0.0, 0.0)
        self.span = (self.best - self.low) or 1.0
        self.values: Values = ordered * (1.0 / self.span) + (TRACE - self.low / self.span)

    def scores(self, values: Values) -> Scores:
        """`values` in the unit of the scores again."""
        return np.asarray(self.low + (values - TRACE) * self.span, dtype=np.float32)


def shaped(
    values: Values,
    rows: Rows,
    found: Found | None,
    *,
    active: ActiveRules,
    controls: Controls,
    items: Items,
    now: int,
    user: int,
) -> Values:
    """The values of `rows` after everything that multiplies them. O(rows × rules that weigh).

    - A boost multiplies by its strength, a bury divides by it; of several rules that mean an item one counts.
    - Freshness: × (1 + w · 2^(-age / half-life)), the age from publication.
    - Margin: × (1 + w · margin), the margin clipped to 0..1, 0 where nobody said it.
    - Rotation: × (1 - SWING · u), where u in [0, 1) is a hash of the item, the user and the running period of
      `rotation_hours`. Only items whose values differ by less than SWING can change places, and they keep them for
      the whole period.
    """
    if active.weighs:
        factors = np.ones(len(rows))
        for number in active.weighs:
            factors[active.meant_at(number, rows, found, items, now)] = active.rules.specs[number].factor
        values = values * factors
    if controls.freshness_weight > 0:
        age = np.maximum(now - items.published[rows], 0) / (DAY * controls.freshness_half_life_days)
        values = values * (1.0 + controls.freshness_weight * np.exp2(-age))
    if controls.margin_weight > 0:
        margin = None if items.fields is None else items.fields.numbers(MARGIN, rows)
        if margin is not None:
            values = values * (1.0 + controls.margin_weight * np.clip(np.nan_to_num(margin, nan=0.0), 0.0, 1.0))
    if controls.rotation_hours > 0:
        period = int(now // (controls.rotation_hours * 3600))
        # Multiplied by large odd numbers, so that neighbouring periods and users share no bits; rows are small.
        turn = (period * 0x9E3779B97F4A7C15 + (user + 1) * 0xD1B54A32D192ED03) % 2**64
        hashed = tie_break(rows.astype(np.uint64) ^ np.uint64(turn))
        values = values * (1.0 - SWING * (hashed >> np.uint64(11)).astype(np.float64) * 2.0**-53)
    return values
