"""Evaluations as text that fits a terminal of 120 characters."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from apps.recommend.engine.evaluation.compare import CONFIDENCE
from apps.recommend.engine.evaluation.report import Difference, Evaluation, Figure, Report, SliceFigure

INTERVALS = "95 % bootstrap intervals over users."
WIDTH = 120
SHOWN_BY_SLICE = "ndcg"


def report_text(report: Report, text: Callable[[Evaluation], str] | None = None) -> str:
    """All tasks, one after another, under their names where there are several; `text` is what is said of each."""
    parts = []
    for name, evaluation in report.tasks.items():
        heading = f"{name[:1].upper()}{name[1:]}\n{'=' * len(name)}\n" if len(report.tasks) > 1 else ""
        parts.append(heading + (text or evaluation_text)(evaluation))
    return "\n\n\n".join([*parts, *(["\n".join(report.notes)] if report.notes else [])])


def evaluation_text(evaluation: Evaluation) -> str:
    """What was asked, then tables: figures, differences from each baseline, one metric by slice."""
    lines = [f"{asked(evaluation)}.", INTERVALS]
    lines += left_out(evaluation)
    lines += [evaluation.stopped] if evaluation.stopped else []
    cells = {(figure.metric, figure.model): _cell(figure) for figure in evaluation.figures}
    for model, timing in evaluation.timings.items():
        cells |= {("seconds to fit", model): f"{timing.fit:.1f}", ("seconds to rank", model): f"{timing.rank:.1f}"}
    lines += _tables("metric", evaluation.models, cells)
    for baseline in dict.fromkeys(difference.baseline for difference in evaluation.differences):
        against = [difference for difference in evaluation.differences if difference.baseline == baseline]
        cells = {(difference.metric, difference.model): _change(difference) for difference in against}
        lines += _tables(f"minus {baseline}", [model for model in evaluation.models if model != baseline], cells)
    for (by, metric), figures in _by_slice(evaluation).items():
        cells = {(f"{one.label} ({one.observations:,})", one.model): _cell(one) for one in figures}
        lines += _tables(f"{metric} by {by}", evaluation.models, cells)
    return "\n".join(lines)


def left_out(evaluation: Evaluation) -> list[str]:
    """A sentence for each model and each metric that there is nothing of."""
    return [f"{name} is left out: it {why}." for name, why in {**evaluation.skipped, **evaluation.unmeasured}.items()]


def asked(evaluation: Evaluation) -> str:
    """How many users were asked, about what, after learning from what."""
    wanted = "new items" if evaluation.new_only else "items"
    learned = f"learned from {evaluation.n_train_events:,} events"
    foreseen = f"asked about {evaluation.n_truth:,} {wanted}"
    if evaluation.at:  # else the data know no times
        learned += f" before {day(evaluation.at)}"
        foreseen += f" wanted until {day(evaluation.until)}"
    users = f"{evaluation.n_users:,} users"
    if len(evaluation.cutoffs) > 1:
        dates = ", ".join(day(cutoff.at) for cutoff in evaluation.cutoffs)
        foreseen = f"asked about {evaluation.n_truth:,} {wanted} wanted in the time after each"
        learned = f"learned from all events before each of {dates}"
        users += f" in {evaluation.n_observations:,} observations"
    return f"{users}, {evaluation.n_items:,} items, {learned}, {foreseen}"


def comparison_text(evaluation: Evaluation, ours: str, theirs: str) -> str:
    """Two models on every metric: means, difference, p-value, who won for how many users; and what it comes to."""
    rows = [["metric", ours, theirs, "difference", "p", "Wilcoxon p", "better/same/worse"]]
    for metric in evaluation.metrics:
        both = [evaluation.figure(model, metric) for model in (ours, theirs)]
        row = [metric, *(f"{figure.mean:.4f}" for figure in both)]
        if both[0].low is None:
            row += [f"{both[0].mean - both[1].mean:+.4f}", "", "", ""]
        else:
            found = evaluation.difference(ours, theirs, metric)
            wins = f"{found.wins:,}/{found.ties:,}/{found.losses:,}"
            row += [_change(found), _chance(found.p_value), _chance(found.wilcoxon_p), wins]
        rows.append(row)
    return "\n".join([f"{asked(evaluation)}.", "", *_drawn(rows), "", *verdicts(evaluation, ours, theirs)])


def verdicts(evaluation: Evaluation, ours: str, theirs: str, metric: str = SHOWN_BY_SLICE) -> list[str]:
    """A plain sentence for each length of list: which model is better in `metric`, or that this cannot be said."""
    return [
        verdict(evaluation, difference)
        for difference in evaluation.differences
        if (difference.model, difference.baseline) == (ours, theirs) and difference.metric.split("@")[0] == metric
    ]


def verdict(evaluation: Evaluation, difference: Difference) -> str:
    """Whether `difference` is one: both its interval and its p-value must say so."""
    base = evaluation.figure(difference.baseline, difference.metric).mean
    relative = f" ({difference.mean / base:+.1%})" if base else ""
    found = f"{_change(difference)}{relative}, p = {_chance(difference.p_value)}"
    pair = (difference.model, difference.baseline)
    if not difference.sure or difference.p_value >= 1 - CONFIDENCE:
        return f"{pair[0]} and {pair[1]} cannot be told apart in {difference.metric}: {found}."
    better, worse = pair if difference.mean > 0 else pair[::-1]
    return f"{better} is better than {worse} in {difference.metric}: {found} ({pair[0]} minus {pair[1]})."


def _by_slice(evaluation: Evaluation) -> dict[tuple[str, str], list[SliceFigure]]:
    """Slice figures to show, by what they slice and metric."""
    found: dict[tuple[str, str], list[SliceFigure]] = {}
    metrics = dict.fromkeys(one.metric for one in evaluation.slices)
    chosen = [metric for metric in metrics if metric.split("@")[0] == SHOWN_BY_SLICE] or list(metrics)
    for one in evaluation.slices:
        if one.metric == chosen[-1]:
            found.setdefault((one.by, one.metric), []).append(one)
    return found


def _tables(corner: str, models: Sequence[str], cells: Mapping[tuple[str, str], str]) -> list[str]:
    """One table after another, as many models in each as fit the width, an empty line before each."""
    metrics = list(dict.fromkeys(metric for metric, _ in cells))
    columns = [[model, *(cells.get((metric, model), "") for metric in metrics)] for model in models]
    head = [corner, *metrics]
    lines: list[str] = []
    while columns:
        left = WIDTH - max(map(len, head))
        some: list[list[str]] = []
        while columns and (not some or left >= max(map(len, columns[0])) + 2):
            left -= max(map(len, columns[0])) + 2
            some.append(columns.pop(0))
        lines += ["", *_drawn(list(zip(head, *some, strict=True)))]
    return lines


def _drawn(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    drawn = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [drawn[0], "-" * max(map(len, drawn)), *drawn[1:]]


def _cell(figure: Figure | SliceFigure) -> str:
    if figure.low is None or figure.high is None:
        return f"{figure.mean:.4f}"
    return f"{figure.mean:.4f} [{figure.low:.3f}, {figure.high:.3f}]"


def _change(difference: Difference) -> str:
    return f"{difference.mean:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"


def _chance(p_value: float) -> str:
    return f"{p_value:.4f}" if p_value >= 0.0001 else "< 0.0001"


def day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%d")
