"""What a user's events say about an item, told as one thing: how much, and what may be said of it."""

import numpy as np
import pytest

from apps.recommend.engine.types import EventWorth, Evidence

WEIGHTS = {
    "view_item": 1.0,
    "add_to_cart": 3.0,
    "remove_from_cart": -2.0,
    "purchase": 5.0,
    "refund": -5.0,
    "like": 3.5,
    "dislike": -4.0,
}
CODES = {name: code for code, name in enumerate(WEIGHTS, start=1)}
WORTH = {CODES[name]: EventWorth(name, True, weight, 30.0) for name, weight in WEIGHTS.items()}
NOTHING = -1


def evidence(*told: tuple[int, str]) -> Evidence:
    """Of events as they happened, the first one first."""
    latest_first = told[::-1]
    return Evidence.of_events(
        np.array([row for row, _ in latest_first], np.int32),
        np.array([WEIGHTS[name] for _, name in latest_first], np.float32),
        np.array([CODES[name] for _, name in latest_first], np.int16),
        WORTH,
    )


@pytest.mark.parametrize(
    ("happened", "still_holds"),
    [
        (["view_item", "add_to_cart"], "add_to_cart"),
        (["view_item", "add_to_cart", "remove_from_cart"], "view_item"),
        (["view_item", "add_to_cart", "purchase"], "purchase"),
        (["add_to_cart", "purchase", "refund"], None),
        (["view_item", "add_to_cart", "purchase", "refund"], "view_item"),
        (["add_to_cart", "remove_from_cart"], None),
        (["add_to_cart", "remove_from_cart", "add_to_cart"], "add_to_cart"),
        (["purchase", "refund", "add_to_cart"], "add_to_cart"),
        (["view_item", "like", "dislike"], "view_item"),
        (["dislike"], None),
    ],
)
def test_the_type_is_that_of_the_strongest_event_that_still_holds(happened: list[str], still_holds: str | None) -> None:
    [kind] = evidence(*((7, name) for name in happened)).types.tolist()
    assert kind == (CODES[still_holds] if still_holds else NOTHING)


def test_an_event_of_one_item_undoes_nothing_of_another() -> None:
    told = evidence((3, "add_to_cart"), (5, "purchase"), (9, "add_to_cart"), (5, "remove_from_cart"))
    assert told.rows.tolist() == [5, 9, 3]
    assert told.types.tolist() == [CODES["purchase"], CODES["add_to_cart"], CODES["add_to_cart"]]


def test_what_was_undone_still_counts_with_its_weight() -> None:
    told = evidence((3, "add_to_cart"), (3, "remove_from_cart"), (4, "view_item"))
    assert dict(zip(told.rows.tolist(), told.weights.tolist(), strict=True)) == {3: 1.0, 4: 1.0}


def test_a_shop_without_some_event_types_is_no_obstacle() -> None:
    views = Evidence.of_events(
        np.array([1], np.int32), np.array([1.0], np.float32), np.array([1], np.int16), {1: WORTH[1]}
    )
    assert views.types.tolist() == [1]
