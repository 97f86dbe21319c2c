"""Scores as rules and controls change them: boosts, buries, freshness, margin, rotation."""

from math import isfinite

import numpy as np
from numpy.typing import NDArray

from apps.recommend.engine.rules.meant import Meant
from apps.recommend.engine.rules.spec import Controls
from apps.recommend.engine.types import DAY, Scores, tie_break

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
        ordered = np.negative(scores, dtype=np.float64)
        ordered.sort()  # NaN goes last
        np.negative(ordered, out=ordered)
        self.best, self.low = (float(ordered[0]), float(ordered[-1])) if len(ordered) else (0.0, 0.0)
        if not (isfinite(self.best) and isfinite(self.low)):
            finite = ordered[np.isfinite(ordered)]
            self.best, self.low = (float(finite[0]), float(finite[-1])) if len(finite) else (0.0, 0.0)
            ordered = np.clip(np.where(np.isnan(ordered), -np.inf, ordered), self.low, self.best)
        self.span = (self.best - self.low) or 1.0
        ordered *= 1.0 / self.span
        ordered += TRACE - self.low / self.span
        self.values: Values = ordered

    def scores(self, values: Values) -> Scores:
        """`values` in the unit of the scores again."""
        return np.asarray(self.low + (values - TRACE) * self.span, dtype=np.float32)


def shaped(
    values: Values,
    meant: Meant,
    *,
    controls: Controls,
    user: int,
) -> Values:
    """The values of the rows after everything that multiplies them. O(rows × rules that weigh).

    - A boost multiplies by its strength, a bury divides by it; of several rules that mean an item one counts.
    - Freshness: × (1 + w · 2^(-age / half-life)), the age from publication.
    - Margin: × (1 + w · margin), the margin clipped to 0..1, 0 where nobody said it.
    - Rotation: × (1 - SWING · u), where u in [0, 1) is a hash of the item, the user and the running period of
      `rotation_hours`. Only items whose values differ by less than SWING can change places, and they keep them for
      the whole period.
    """
    rows, items, now, active = meant.rows, meant.items, meant.now, meant.active
    if active.weighs:
        factors = np.ones(len(rows))
        for number in active.weighs:
            factor = active.rules.specs[number].factor
            named = meant.only_named(number)
            if named is None:
                np.putmask(factors, meant.by(number), factor)
            else:
                factors[named] = factor
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
