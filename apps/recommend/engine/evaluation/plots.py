"""Plots of an evaluation as SVG that stands in a page: no window system, no file, readable on light and dark."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

from apps.recommend.engine.evaluation.report import CutOff, Difference, Figure, SliceFigure, Timing

INK = "#010203"  # stands for the colour of the page's text until the SVG is written
COLOURS = ("#3b82c4", "#d97a1f", "#2f9e6e", "#b7559b", "#8a7f2a", "#7b6fd0", "#c8493d", "#2a9fb0", "#8b8b8b", "#a0674b")
MARKERS = "osD^vPX<>*"
WIDTH = 6.2  # inches; the page scales it
ROW = 0.3
SETTINGS: Any = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "evaluation",  # the same figures give the same bytes
    "font.family": "sans-serif",
    "font.size": 10,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def figure_plot(figures: Sequence[Figure], models: Sequence[str]) -> str:
    """One metric: a row for each model, the mean with its interval. A model's colour is by its place in `models`."""

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        _rows(axes, figures, models)

    return _svg(draw, height=ROW * len(figures) + 0.7)


def difference_plot(differences: Sequence[Difference], models: Sequence[str]) -> str:
    """As `figure_plot`, for how much better each model is than the baseline, with a line at no difference."""

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        axes.axvline(0, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
        _rows(axes, differences, models)

    return _svg(draw, height=ROW * len(differences) + 0.7)


def slice_plot(figures: Sequence[SliceFigure]) -> str:
    """One metric by slice: a group for each slice, a point with its interval for each model."""
    labels = {one.label: one.observations for one in figures}
    models = list(dict.fromkeys(one.model for one in figures))

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        places = {label: place for place, label in enumerate(labels)}
        for number, model in enumerate(models):
            mine = [one for one in figures if one.model == model]
            offset = 0.7 * ((number + 0.5) / len(models) - 0.5)
            axes.errorbar(
                [one.mean for one in mine],
                [places[one.label] + offset for one in mine],
                xerr=_reach(mine),
                label=model,
                **_style(number),
            )
        axes.set_yticks(range(len(labels)), [f"{_short(label)} ({count:,})" for label, count in labels.items()])
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_xlabel(figures[0].metric)
        for edge in range(1, len(labels)):
            axes.axhline(edge - 0.5, color=INK, linewidth=0.3, alpha=0.4)
        _grid(axes)
        _legend(figure, models)

    height = len(labels) * max(0.34, 0.14 * len(models)) + 0.9
    return _svg(draw, height=height, legend=len(models))


def cutoff_plot(cutoffs: Sequence[CutOff], metric: str, dates: Sequence[str]) -> str:
    """One metric at each cut-off, a line for each model."""
    models = [model for model, means in cutoffs[0].means.items() if metric in means]

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        for number, model in enumerate(models):
            style = _style(number) | {"linestyle": "-", "linewidth": 1.3}
            style.pop("capsize")
            style.pop("elinewidth")
            axes.plot(range(len(dates)), [one.means[model][metric] for one in cutoffs], label=model, **style)
        axes.set_xticks(range(len(dates)), dates)
        axes.set_ylabel(metric)
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", alpha=0.25, color=INK, linewidth=0.5)
        _legend(figure, models)

    return _svg(draw, height=2.9, legend=len(models))


def timing_plot(timings: Mapping[str, Timing]) -> str:
    """Seconds each model took to fit and to rank."""

    def draw(figure: Any) -> None:
        axes = figure.add_subplot()
        rows = range(len(timings))
        fit = [one.fit for one in timings.values()]
        axes.barh(rows, fit, height=0.55, color=COLOURS[0], label="fit")
        axes.barh(rows, [one.rank for one in timings.values()], left=fit, height=0.55, color=COLOURS[1], label="rank")
        axes.set_yticks(rows, [_short(model) for model in timings])
        axes.set_ylim(len(timings) - 0.4, -0.6)
        axes.set_xlabel("seconds")
        _grid(axes)
        figure.legend(loc="outside upper center", ncols=2, frameon=False)

    return _svg(draw, height=ROW * len(timings) + 1.0)


def _rows(axes: Any, values: Sequence[Figure | Difference], models: Sequence[str]) -> None:
    for number, one in enumerate(values):
        axes.errorbar([one.mean], [number], xerr=_reach([one]), **_style(models.index(one.model)))
    axes.set_yticks(range(len(values)), [_short(one.model) for one in values])
    axes.set_ylim(len(values) - 0.4, -0.6)
    _grid(axes)


def _style(number: int) -> dict[str, Any]:
    return {
        "color": COLOURS[number % len(COLOURS)],
        "marker": MARKERS[number % len(MARKERS)],
        "markersize": 5,
        "linestyle": "none",
        "elinewidth": 1.4,
        "capsize": 2.5,
    }


def _reach(values: Sequence[Figure | Difference | SliceFigure]) -> list[list[float]]:
    """How far each interval reaches below and above its mean."""
    below = [max(one.mean - (one.mean if one.low is None else one.low), 0.0) for one in values]
    above = [max((one.mean if one.high is None else one.high) - one.mean, 0.0) for one in values]
    return [below, above]


def _grid(axes: Any) -> None:
    axes.grid(axis="x", alpha=0.25, color=INK, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)


def _legend(figure: Any, models: Sequence[str]) -> None:
    figure.legend(loc="outside upper center", ncols=min(len(models), 4), frameon=False, fontsize=9)


def _short(text: str) -> str:
    return text if len(text) <= 28 else f"{text[:27]}…"


def _svg(draw: Any, *, height: float, legend: int = 0) -> str:
    """What `draw` puts on a figure, `height` inches high and more for a legend of `legend` entries."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # its pyplot would keep every figure
    from matplotlib.figure import Figure as Canvas

    with mpl.rc_context(SETTINGS):
        figure = Canvas(figsize=(WIDTH, height + 0.22 * -(-legend // 4)), layout="constrained")
        draw(figure)
        out = io.StringIO()
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(out, metadata={"Date": None, "Creator": None})
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<(metadata|style)\b.*?</\1>", "", svg, flags=re.DOTALL)  # a style would hold for the whole page
    svg = svg.replace("xlink:href", "href")
    svg = re.sub(r' id="(?!p|m|h)[a-z0-9]*_?\d*"', "", svg)  # ids that nothing refers to, the same in every plot
    svg = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" role="img">', svg, count=1)
    return svg.replace(INK, "currentColor")
