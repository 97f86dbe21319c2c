"""Every example in docs/reference/filters.md is read, and means what the page says."""

import re
from pathlib import Path

import numpy as np
import pytest

from apps.recommend.engine.filters import FilterError, grammar, parse
from tests.engine.filter_worlds import NOW, Item, items_of

PAGE = (Path(__file__).parents[2] / "docs/reference/filters.md").read_text()
DAY = 86_400
NAMES = ["m1", "m2", "p1", "x1"]
ITEMS: list[Item] = [
    {"price": 8.5, "brand": "Acme", "category": ["mugs", "kitchen"], "tag": ["tea"], "stock": 3,
        "published": NOW - 2 * DAY, "attributes": {"colour": "red", "size": 3}},
    {"price": 12.0, "brand": "Potters", "category": ["mugs", "kitchen"], "tag": ["tea", "gift"],
        "published": NOW - 40 * DAY, "attributes": {"colour": "blue", "sizes": ["S", "M"]}},
    {"price": 25.0, "category": ["plates", "kitchen"], "stock": 7, "published": NOW - 40 * DAY,
        "attributes": {"colour": "red", "box": {"width": 30.5}, "organic": True}},
    {"brand": "Potters", "tag": ["gift"], "stock": 0, "available": False, "published": NOW - 400 * DAY,
        "attributes": {"made in": "PT"}},
]  # fmt: skip


def section(title: str) -> str:
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def table(title: str) -> list[tuple[str, str]]:
    """(filter, what the page says of it) of a section's table of filters."""
    after = section(title).rpartition("| filter |")[2]
    return re.findall(r"^\| `(.+)` \| (.*) \|$", after, flags=re.MULTILINE)


@pytest.mark.parametrize(("text", "left"), table("Examples"))
def test_an_example_leaves_the_items_the_page_says(text: str, left: str) -> None:
    rows = np.flatnonzero(parse(text).mask(items_of(ITEMS, names=NAMES), now=NOW))
    assert [NAMES[row] for row in rows] == ([] if left == "–" else left.split(", "))


@pytest.mark.parametrize(("text", "answer"), table("When it cannot be read"))
def test_a_refusal_is_worded_as_the_page_says(text: str, answer: str) -> None:
    with pytest.raises(FilterError) as refused:
        parse(text)
    assert str(refused.value) == answer


def test_the_page_has_the_examples_that_are_tested() -> None:
    assert len(table("Examples")) >= 20
    assert len(table("When it cannot be read")) == 5


@pytest.mark.parametrize("text", re.findall(r"`((?:not )?[a-z_]+\b[^`\n]*)`", section("Comparisons")))
def test_what_the_page_writes_as_a_comparison_can_be_read(text: str) -> None:
    field = re.match(r"(?:not )?(\w+)", text)
    if field is not None and field[1] in grammar.FIELDS:
        assert parse(text).fields[0].startswith(field[1])


def test_the_first_example_is_read() -> None:
    [text] = re.findall(r"^price < 20 and .*$", PAGE, flags=re.MULTILINE)
    assert parse(text).fields == ("attributes.colour", "brand", "category", "price")


def test_the_page_names_every_field_and_no_other() -> None:
    named = re.findall(r"^\| `(\w+)[.…]*`", section("Fields"), flags=re.MULTILINE)
    assert sorted(named) == sorted(grammar.FIELDS)


def test_the_page_states_the_limits_that_hold() -> None:
    for limit in (grammar.MAX_CHARACTERS, grammar.MAX_TERMS, grammar.MAX_VALUES, grammar.MAX_DEPTH):
        assert f" {limit:,} " in section("Limits")
