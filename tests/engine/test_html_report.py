"""The page stands alone, shows every figure, and is well-formed."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from apps.recommend.engine.evaluation import plots
from apps.recommend.engine.evaluation.evaluate import Protocol, evaluate_tasks
from apps.recommend.engine.evaluation.html_report import page
from apps.recommend.engine.evaluation.report import Evaluation, Report
from apps.recommend.engine.evaluation.slices import groupings
from apps.recommend.engine.evaluation.splits import temporal_split
from apps.recommend.engine.evaluation.tables import comparison_text, report_text, verdict
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.types import DAY
from tests import worlds

CUT = worlds.NOW - 10 * DAY
VOID = {"meta", "br"}


class Tags(HTMLParser):
    """Follows tags, and complains about those that do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attrs]


@pytest.fixture(scope="module")
def report(world: worlds.World) -> Report:
    splits = [temporal_split(world.interactions, at=at, until=at + 5 * DAY) for at in (CUT - 5 * DAY, CUT)]
    protocol = Protocol(
        seed=1,
        metrics=("ndcg", "recall", "coverage"),
        slicer=lambda split: groupings(split, world.interactions, world.items, {}),
    )
    recipes = {name: ALGORITHMS.create(name) for name in ("popularity", "item_knn", "als")}
    tasks = evaluate_tasks(recipes, world.items, {"new <things>": splits, "again": splits[:1]}, protocol)
    return Report(
        title="Evaluation of <als>",
        made_at=worlds.NOW,
        data="1,234 events",
        cores=3,
        seed=1,
        tasks=tasks,
        parameters={"als": {"factors": 64, "remark": "<b>"}},
        verdicts={"again": ["als is better."]},
        notes=["A note & more."],
    )


@pytest.fixture(scope="module")
def html(report: Report) -> str:
    return page(report)


def test_the_page_is_well_formed_and_its_text_is_escaped(html: str) -> None:
    tags = Tags()
    tags.feed(html)
    assert tags.open == []
    assert "<title>Evaluation of &lt;als&gt;</title>" in html
    assert "New &lt;things&gt;" in html
    assert "A note &amp; more." in html
    assert "remark = &lt;b&gt;" in html


def test_the_page_asks_nothing_of_the_network(html: str) -> None:
    tags = Tags()
    tags.feed(html)
    for tag, name, value in tags.attributes:
        assert tag not in {"script", "link", "img", "iframe"}
        if name in {"href", "src", "xlink:href"}:
            assert (value or "").startswith("#")
    assert "url(http" not in html
    assert "@import" not in html


def test_the_page_says_what_was_measured_on_what(html: str, report: Report) -> None:
    assert "1,234 events. Made" in html
    assert "3 processor cores, seed 1" in html
    assert "als is better." in html
    for evaluation in report.tasks.values():
        for figure in evaluation.figures:
            assert f"{figure.mean:.4f}" in html
        for timing in evaluation.timings.values():
            assert f"<td>{timing.fit:.1f}</td>" in html
        for one in evaluation.differences:
            assert f"{one.mean:+.4f}" in html


def test_every_metric_has_a_plot_with_every_model(html: str, report: Report) -> None:
    evaluation = report.tasks["again"]
    section = html[html.index('id="task1"') :]
    figures = dict(re.findall(r"<figure><figcaption>(.*?)</figcaption>(<svg.*?</svg>)", section, re.DOTALL))
    with_interval = {one.metric for one in evaluation.figures if one.low is not None}
    assert with_interval <= set(figures)
    for metric in with_interval:
        texts = [node.text for node in ET.fromstring(figures[metric]).iter() if node.tag.endswith("text")]
        assert {"popularity", "item_knn", "als"} <= set(texts)


def test_plots_take_the_colour_of_the_page_and_are_the_same_every_time(report: Report) -> None:
    evaluation = report.tasks["again"]
    one, two = (plots.timing_plot(evaluation.timings) for _ in range(2))
    assert one == two
    assert "currentColor" in one
    assert plots.INK not in one
    assert "<metadata" not in one
    assert not re.search(r"<svg[^>]* (width|height)=", one)


def test_ids_within_the_page_that_are_referred_to_exist(html: str) -> None:
    ids = set(re.findall(r' id="([^"]+)"', html))
    wanted = set(re.findall(r'href="#([^"]+)"', html)) | set(re.findall(r"url\(#([^)]+)\)", html))
    assert wanted
    assert wanted <= ids


def test_several_cutoffs_are_drawn_over_time(html: str) -> None:
    first, second = html.split('id="task1"')
    assert "By cut-off" in first
    assert "By cut-off" not in second


def test_a_task_in_which_nothing_could_be_fitted_is_shown_as_such(report: Report) -> None:
    empty: Evaluation = replace(
        report.tasks["again"],
        figures=[],
        differences=[],
        slices=[],
        cutoffs=[],
        timings={},
        skipped={"als": "needs more"},
    )
    shown = page(replace(report, tasks={"again": empty}))
    assert "als is left out: it needs more." in shown
    assert "<table>" not in shown


def test_text_reports_keep_to_the_width_of_a_terminal(report: Report) -> None:
    lines = report_text(report).splitlines()
    assert max(len(line) for line in lines if not line.endswith(".")) <= 120
    assert "Again" in lines
    assert lines[-1] == "A note & more."


def test_a_verdict_names_the_better_one_and_by_how_much(report: Report) -> None:
    evaluation = report.tasks["again"]
    text = comparison_text(evaluation, "item_knn", "popularity")
    found = evaluation.difference("item_knn", "popularity", "ndcg@10")
    assert found.sure
    assert f"item_knn is better than popularity in ndcg@10: {found.mean:+.4f} [" in text
    assert f"{found.wins:,}/{found.ties:,}/{found.losses:,}" in text
    worse = replace(found, mean=-found.mean, low=-found.high, high=-found.low)
    assert verdict(evaluation, worse).startswith("popularity is better than item_knn in ndcg@10: -")
    unsure = replace(found, p_value=0.2)
    assert verdict(evaluation, unsure).startswith("item_knn and popularity cannot be told apart in ndcg@10: ")
