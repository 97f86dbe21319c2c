"""What tuning found, as a table."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from apps.recommend.engine.evaluation.compare import Interval, intervals
from apps.recommend.engine.tuning.tuner import Tuned
from apps.recommend.engine.tuning.weighing import Figures
from apps.recommend.tuning import Result


def table(result: Result) -> str:
    """Before and after on the validation windows, beside each part alone, with intervals clustered by user."""
    tuned = result.tuned
    rows = [["on validation", "NDCG@10", "cut to 1-5 events", "coverage@10"]]
    shown = {"as it is": tuned.before, "tuned": tuned.after}
    shown |= {f"{name} alone": figures for name, figures in tuned.alone.items()}
    for name, figures in shown.items():
        rows.append([name, f"{figures.mean_ndcg:.4f}", f"{figures.mean_cold_ndcg:.4f}", f"{figures.mean_coverage:.3f}"])
    for name, other in {"as it is": tuned.before, **tuned.alone}.items():
        rows.append([f"tuned minus {name}", str(difference(tuned, tuned.after, other, result.wish.seed)), "", ""])
    lines = [_heading(result), *_drawn(rows), ""]
    weights = [["source", "weight", "without history"]]
    weights += [[source.name, f"{source.weight:g}", _cold(source.cold_weight)] for source in result.spec.sources]
    lines += [*_drawn(weights), f"Weights stand halfway at {result.spec.history_half:g} items of history."]
    for name, changed in result.tables.items():
        told = ", ".join(f"{key} {value}" for key, value in changed.items() if key != "algorithm")
        lines.append(f"The model {name} now has: {told}. Train it before you serve it.")
    lines += [f"Note: {note}" for note in result.notes]
    if tuned.cut_short:
        lines.append(f"The budget did not allow all that was to be tried; left out: {'; '.join(tuned.cut_short)}.")
    return "\n".join(lines)


def difference(tuned: Tuned, ours: Figures, theirs: Figures, seed: int) -> Interval:
    """How much better `ours` is, paired by user and window; users are drawn with all their windows."""
    values = np.concatenate([a - b for a, b in zip(ours.ndcg, theirs.ndcg, strict=True)])[:, None]
    users = np.concatenate([window.user_ids for window in tuned.windows])
    return intervals(values, np.random.default_rng(seed), clusters=users)[0]


def _heading(result: Result) -> str:
    tuned = result.tuned
    asked = sum(len(window.user_ids) for window in tuned.windows)
    what = "items new to the user" if result.new_only else "all items, repeated ones too"
    until = datetime.fromtimestamp(result.until, tz=UTC).strftime("%Y-%m-%d")
    return (
        f"{result.wish.pipeline}: {len(tuned.windows)} validation windows of {result.wish.window_days:g} days until "
        f"{until}, {asked:,} users asked for {what}.\n"
        f"{tuned.weight_trials} sets of weights and {tuned.part_trials} sets of parameters tried; the last "
        f"{result.wish.holdout_days:g} days were not looked at.\n"
    )


def _cold(weight: float | None) -> str:
    return "the same" if weight is None else f"{weight:g}"


def _drawn(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    drawn = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [drawn[0], "-" * max(map(len, drawn)), *drawn[1:]]
