"""An evaluation as one HTML page with plots, that needs nothing else and can be mailed."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import TypeVar

from apps.recommend.engine.evaluation import plots
from apps.recommend.engine.evaluation.report import Difference, Evaluation, Figure, Report, SliceFigure
from apps.recommend.engine.evaluation.tables import INTERVALS, asked, day, left_out

T = TypeVar("T")
K = TypeVar("K")

BETTER_IF_HIGHER = frozenset({"recall", "ndcg", "map", "mrr", "hit_rate", "serendipity"})  # the rest is taste
LEADING = "ndcg"  # the metric that slices and cut-offs are drawn for

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #d7dce3; --page: #fff; --panel: #f6f7f9;
  --good: #1d7a4f; --bad: #b3362b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --soft: #9aa6b5; --line: #39424f; --page: #14181e;
  --panel: #1c222a; --good: #5fc795; --bad: #f0847a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 76rem; color: var(--ink); background: var(--page);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .4rem; }
h2 { font-size: 1.3rem; margin: 3rem 0 .4rem; padding-top: 1.2rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p { margin: .3rem 0; max-width: 52rem; }
.soft, figcaption, td small { color: var(--soft); }
.verdict { font-size: 1.1rem; font-weight: 600; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .86rem; margin: .5rem 0; }
th, td { text-align: right; padding: .32rem .7rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; } th:first-child, td:first-child { text-align: left; position: sticky; left: 0;
  background: var(--page); }
td small { display: block; font-size: .76rem; }
.best { font-weight: 700; } .up { color: var(--good); } .down { color: var(--bad); }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(30rem, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; padding: .8rem; background: var(--panel); border-radius: 8px; }
figcaption { font-weight: 600; font-size: .9rem; margin-bottom: .3rem; }
svg { width: 100%; height: auto; display: block; }
details { margin: .8rem 0; } summary { cursor: pointer; color: var(--soft); }
pre { background: var(--panel); padding: .8rem; border-radius: 8px; overflow-x: auto; font-size: .82rem; }
nav a { color: inherit; margin-right: 1rem; }
"""


def page(report: Report) -> str:
    """The whole page. Takes about a tenth of a second for each plot."""
    made = datetime.fromtimestamp(report.made_at, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
    cores = f"{report.cores} processor core{'s' if report.cores > 1 else ''}"
    title = escape(report.title)
    body = [
        f"<h1>{title}</h1>",
        _p(f"{report.data}. Made {made} on {cores}, seed {report.seed}.", "soft"),
    ]
    if len(report.tasks) > 1:
        links = (f'<a href="#task{n}">{escape(_capital(name))}</a>' for n, name in enumerate(report.tasks))
        body.append(f"<nav>{''.join(links)}</nav>")
    for number, (name, evaluation) in enumerate(report.tasks.items()):
        body.append(f'<h2 id="task{number}">{escape(_capital(name))}</h2>')
        body += [_p(sentence, "verdict") for sentence in report.verdicts.get(name, ())]
        body += _task(evaluation)
    body += [_p(note) for note in report.notes]
    body += _parameters(report)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n<body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _task(evaluation: Evaluation) -> Iterable[str]:
    yield _p(f"{asked(evaluation)}. {INTERVALS}")
    for sentence in left_out(evaluation):
        yield _p(sentence)
    if evaluation.stopped:
        yield _p(evaluation.stopped, "verdict")
    if not evaluation.figures:
        return
    yield _figures(evaluation)
    with_interval = [one for one in evaluation.figures if one.low is not None]
    by_metric = _grouped(with_interval, lambda one: one.metric)
    yield _plots((metric, plots.figure_plot(some, evaluation.models)) for metric, some in by_metric.items())
    yield from _differences(evaluation)
    yield from _cutoffs(evaluation)
    yield from _slices(evaluation)
    yield "<h3>Time</h3>"
    yield _plots([("seconds, all splits together", plots.timing_plot(evaluation.timings))])


def _figures(evaluation: Evaluation) -> str:
    metrics = evaluation.metrics
    best = {
        metric: max(one.mean for one in evaluation.figures if one.metric == metric)
        for metric in metrics
        if _plain(metric) in BETTER_IF_HIGHER
    }
    rows = [["model", *metrics, "fit, s", "rank, s"]]
    for model in evaluation.models:
        found = {one.metric: one for one in evaluation.figures if one.model == model}
        timing = evaluation.timings[model]
        cells = [_cell(found.get(metric), best.get(metric)) for metric in metrics]
        rows.append([escape(model), *cells, f"{timing.fit:.1f}", f"{timing.rank:.1f}"])
    return _table(rows)


def _differences(evaluation: Evaluation) -> Iterable[str]:
    for baseline, some in _grouped(evaluation.differences, lambda one: one.baseline).items():
        yield f"<h3>Difference from {escape(baseline)}</h3>"
        metrics = list(dict.fromkeys(one.metric for one in some))
        rows = [["model", *metrics]]
        for model, mine in _grouped(some, lambda one: one.model).items():
            found = {one.metric: one for one in mine}
            rows.append([escape(model), *(_change(found.get(metric)) for metric in metrics)])
        yield _table(rows)
        chosen = _leading(metrics)
        yield _plots(
            (
                f"{metric} minus {baseline}",
                plots.difference_plot([one for one in some if one.metric == metric], evaluation.models),
            )
            for metric in chosen
        )


def _cutoffs(evaluation: Evaluation) -> Iterable[str]:
    if len(evaluation.cutoffs) < 2:
        return
    dates = [day(one.at) for one in evaluation.cutoffs]
    metrics = list(dict.fromkeys(metric for means in evaluation.cutoffs[0].means.values() for metric in means))
    yield "<h3>By cut-off</h3>"
    yield _plots((metric, plots.cutoff_plot(evaluation.cutoffs, metric, dates)) for metric in _leading(metrics))
    rows = [["cut-off", "users", "wanted", "events learned from"]]
    rows += [
        [date, f"{one.n_users:,}", f"{one.n_truth:,}", f"{one.n_train_events:,}"]
        for date, one in zip(dates, evaluation.cutoffs, strict=True)
    ]
    yield _table(rows)


def _slices(evaluation: Evaluation) -> Iterable[str]:
    if not evaluation.slices:
        return
    by_metric = _grouped(evaluation.slices, lambda one: one.metric)
    yield "<h3>Slices</h3>"
    yield _p("Where items are sliced, users are asked for the wanted items of the slice only.", "soft")
    drawn = (
        (f"{metric} by {by} (observations)", plots.slice_plot(some))
        for metric in _leading(list(by_metric))
        for by, some in _grouped(by_metric[metric], lambda one: one.by).items()
    )
    yield _plots(drawn)
    yield "<details><summary>All figures by slice</summary>"
    for by, some in _grouped(evaluation.slices, lambda one: one.by).items():
        metrics = list(dict.fromkeys(one.metric for one in some))
        rows = [[escape(by), "model", "observations", *metrics]]
        for (label, model), mine in _grouped(some, lambda one: (one.label, one.model)).items():
            found = {one.metric: one for one in mine}
            cells = [_cell(found.get(metric)) for metric in metrics]
            rows.append([escape(label), escape(model), f"{mine[0].observations:,}", *cells])
        yield _table(rows)
    yield "</details>"


def _parameters(report: Report) -> Iterable[str]:
    lines = []
    for name, parameters in report.parameters.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {value}" for key, value in parameters.items()]
        lines.append("")
    if lines:
        yield "<details><summary>Parameters of the models</summary>"
        yield f"<pre>{escape(chr(10).join(lines).strip())}</pre></details>"


def _leading(metrics: Sequence[str]) -> list[str]:
    """The metrics to draw where one must do: NDCG at each length, else the first there is."""
    return [metric for metric in metrics if _plain(metric) == LEADING] or list(metrics[:1])


def _cell(figure: Figure | SliceFigure | None, best: float | None = None) -> str:
    if figure is None:
        return ""
    mean = f"{figure.mean:.4f}"
    if best is not None and figure.mean == best:
        mean = f'<span class="best">{mean}</span>'
    if figure.low is None or figure.high is None:
        return mean
    return f"{mean}<small>{figure.low:.3f} to {figure.high:.3f}</small>"


def _change(difference: Difference | None) -> str:
    if difference is None:
        return ""
    sure = difference.sure and difference.p_value < 0.05 and _plain(difference.metric) in BETTER_IF_HIGHER
    tone = ("up" if difference.mean > 0 else "down") if sure else ""
    chance = f"p = {difference.p_value:.4f}" if difference.p_value >= 0.0001 else "p &lt; 0.0001"
    between = f"{difference.low:+.4f} to {difference.high:+.4f}"
    return f'<span class="{tone}">{difference.mean:+.4f}</span><small>{between}<br>{chance}</small>'


def _table(rows: Sequence[Sequence[str]]) -> str:
    """A table of HTML cells, the first row its head."""
    head = "".join(f"<th>{cell}</th>" for cell in rows[0])
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows[1:])
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _plots(drawn: Iterable[tuple[str, str]]) -> str:
    figures = (f"<figure><figcaption>{escape(name)}</figcaption>{svg}</figure>" for name, svg in drawn)
    return f'<div class="plots">{"".join(figures)}</div>'


def _p(text: str, style: str = "") -> str:
    return f'<p class="{style}">{escape(text)}</p>' if style else f"<p>{escape(text)}</p>"


def _plain(metric: str) -> str:
    return metric.partition("@")[0]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _grouped(values: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    found: dict[K, list[T]] = {}
    for value in values:
        found.setdefault(key(value), []).append(value)
    return found
