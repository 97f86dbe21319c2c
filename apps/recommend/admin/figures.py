"""How figures and facts of a model version look in the admin."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from apps.recommend.models import ModelVersion

MEANINGS = {
    "ndcg": "how near the top the lists had what users went on to want",
    "recall": "the share of what users went on to want that was in their list",
    "hit_rate": "the share of users whose list had at least one thing they went on to want",
    "map": "as NDCG, counting only how early the hits come",
    "mrr": "how near the top the first hit was",
    "coverage": "the share of the catalog that was in anybody's list",
}
_LINE = "border-bottom: 1px solid var(--color-base-200)"
_CELL = f"padding: .4rem 1.25rem .4rem 0; text-align: left; vertical-align: top; {_LINE}"
# A phone is narrower than the tables: they scroll inside their own box.
_BOX = '<div style="overflow-x: auto; max-width: calc(100vw - 5rem)"><table>{}</table></div>'


def plain_name(metric: str) -> str:
    """A metric as people write it: "hit rate@10", "NDCG@10"."""
    name, _, k = metric.partition("@")
    shown = name.upper() if name in {"ndcg", "map", "mrr"} else name.replace("_", " ")
    return f"{shown}@{k}"


def figure(version: ModelVersion, metric: str) -> str:
    """The mean of a metric, or a dash where it was not measured."""
    found = version.metrics.get("figures", {}).get(metric)
    return f"{found['mean']:.4f}" if found else "–"


def interval(found: Mapping[str, float] | None, sign: str = "") -> str:
    """A mean with its 95 % interval in brackets, where it has one."""
    if not found:
        return "–"
    text = f"{found['mean']:{sign}.4f}"
    return f"{text} [{found['low']:{sign}.4f}, {found['high']:{sign}.4f}]" if "low" in found else text


def figures_table(version: ModelVersion) -> SafeString | str:
    """Every metric with its interval, beside popularity's, and what each one means."""
    metrics = version.metrics
    if not metrics:
        return "Not measured: there were too few events."
    columns = {
        "this version": metrics["figures"],
        "popularity": metrics["popularity"],
        "difference": metrics["minus_popularity"],
    }
    if metrics.get("minus_active"):
        columns["difference to the one before"] = metrics["minus_active"]
    rows = [
        [plain_name(metric), *(_stacked(column.get(metric)) for column in columns.values())]
        for metric in metrics["figures"]
    ]
    held_out = metrics.get("held_out", {})
    meanings = [
        (plain_name(metric), MEANINGS[metric.partition("@")[0]])
        for metric in metrics["figures"]
        if metric.partition("@")[0] in MEANINGS
    ]
    return format_html(
        '{}<p style="margin-top: .75rem">For {} users, on what they did after the last event it had learnt from. '
        "Below each figure its 95 % interval; a difference whose interval leaves out 0 is no accident.<br>{}</p>",
        table(["", *columns], rows),
        f"{held_out.get('users', 0):,}",
        format_html_join("", "{}: {}. ", meanings),
    )


def pairs(values: Mapping[str, Any]) -> SafeString:
    """Facts, one to a line; moments in the shop's time."""
    return table([], [[name.replace("_", " "), _shown(value)] for name, value in values.items()])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> SafeString:
    """A table that scrolls by itself where it is wider than the window."""
    top = format_html_join("", f'<th style="{_CELL}; font-weight: 600">{{}}</th>', ((text,) for text in head))
    lines = [format_html_join("", f'<td style="{_CELL}">{{}}</td>', ((text,) for text in row)) for row in rows]
    body = format_html_join("", "<tr>{}</tr>", ((line,) for line in ([top, *lines] if head else lines)))
    return format_html(_BOX, body)


def _stacked(found: Mapping[str, float] | None) -> SafeString | str:
    if not found:
        return "–"
    if "low" not in found:
        return f"{found['mean']:.4f}"
    return format_html(
        '{}<br><small style="white-space: nowrap">{} – {}</small>',
        f"{found['mean']:.4f}", f"{found['low']:.4f}", f"{found['high']:.4f}",
    )  # fmt: skip


def _shown(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    moment = parse_datetime(value) if isinstance(value, str) and "T" in value else None
    return date_format(localtime(moment), "DATETIME_FORMAT") if moment and moment.tzinfo else str(value)
