"""The figures as bars, those that were asked for beside the line they should reach."""

from pathlib import Path
from typing import Any

from apps.recommend.benchmarks.serving.figures import Figure, Outcome, Report

_ROW = 0.32  # inches
_BASELINE, _OURS, _SHORT, _LINE = "#8b8b8b", "#3b82c4", "#c8493d", "#d97a1f"


def draw(report: Report, path: Path) -> None:
    """Write the plot; its format is the file's ending. One row of panels for each size of catalog."""
    from matplotlib.figure import Figure as Canvas  # without pyplot: no window system, nothing global

    rates = [[one for one in outcome.figures if one.unit == "/s"] for outcome in report.outcomes]
    asked = [[one for one in outcome.figures if _share(one) is not None] for outcome in report.outcomes]
    rows = [max(len(left), len(right), 1) for left, right in zip(rates, asked, strict=True)]
    canvas = Canvas(figsize=(13, sum(_ROW * count + 1.2 for count in rows)), layout="constrained")
    panels: Any = canvas.subplots(len(rows), 2, squeeze=False, height_ratios=[count + 3 for count in rows])
    for outcome, left, right, (one, other) in zip(report.outcomes, rates, asked, panels, strict=True):
        _rates(one, outcome, left)
        _against_asked(other, right)
    canvas.savefig(path)


def _rates(axes: Any, outcome: Outcome, figures: list[Figure]) -> None:
    names = [f"{one.scenario}: {one.name}" for one in figures]
    colours = [_BASELINE if one.scenario == "baseline" else _OURS for one in figures]
    bars = axes.barh(names, [one.value for one in figures], color=colours)
    axes.bar_label(bars, [f"{one.value:,.0f}" for one in figures], padding=3)
    axes.set_title(f"requests/s, {outcome.items:,} items")
    _plain(axes)


def _against_asked(axes: Any, figures: list[Figure]) -> None:
    names = [f"{one.scenario}: {one.name}" for one in figures]
    shares = [min(_share(one) or 0.0, 3.0) for one in figures]
    bars = axes.barh(names, shares, color=[_OURS if one.met else _SHORT for one in figures])
    axes.bar_label(bars, [f"{one.value:,.3g} {one.unit} ({one.asked})" for one in figures], padding=3)
    axes.axvline(1, color=_LINE)
    axes.set_xlim(0, 4.2)
    axes.set_title("measured / asked (blue: met; bars end at 3)")
    _plain(axes)


def _share(figure: Figure) -> float | None:
    """Measured over asked; None where nothing was asked, or nothing at all was allowed."""
    bound = figure.least if figure.least is not None else figure.most
    return figure.value / bound if bound else None


def _plain(axes: Any) -> None:
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
