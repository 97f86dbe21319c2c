"""What a user's events say about an item, told as one thing: how much, and what may be said of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.recommend.engine.types import DAY, EventWorth, Evidence, event_weights
from apps.recommend.engine.worth_columns import UNDONE_BY, WorthColumns

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
COLUMNS = WorthColumns.of(WORTH)
NOTHING = -1


def evidence(*told: tuple[int, str]) -> Evidence:
    """Of events as they happened, the first one first."""
    latest_first = told[::-1]
    return Evidence.of_events(
        np.array([row for row, _ in latest_first], np.int32),
        np.array([WEIGHTS[name] for _, name in latest_first], np.float32),
        np.array([CODES[name] for _, name in latest_first], np.int16),
        COLUMNS,
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
        np.array([1], np.int32), np.array([1.0], np.float32), np.array([1], np.int16), WorthColumns.of({1: WORTH[1]})
    )
    assert views.types.tolist() == [1]


def test_events_of_no_item_and_of_types_that_nobody_knows_say_nothing() -> None:
    told = Evidence.of_events(
        np.array([-1, 3, 3], np.int32),
        np.array([9.0, 0.0, 1.0], np.float32),
        np.array([1, 99, 1], np.int16),
        COLUMNS,
        np.array([30, 20, 10]),
    )
    assert told.rows.tolist() == [3]
    assert told.times is not None
    assert told.times.tolist() == [20]
    assert told.types.tolist() == [1]
    kinds = np.array([99, -1], np.int16)
    assert event_weights(kinds, np.zeros(2, np.int64), np.ones(2, np.float32), COLUMNS, 5).tolist() == [0.0, 0.0]


def expected(rows: list[int], weights: list[float], types: list[int]) -> dict[int, tuple[float, int]]:
    """Sum and type by item, by the definition; in the order of each item's latest event."""
    names = [next(name for name, code in CODES.items() if code == kind) for kind in types]
    told = {}
    for row in dict.fromkeys(rows):
        mine = [place for place, one in enumerate(rows) if one == row]
        holding = [
            place
            for place in mine
            if weights[place] > 0
            and not any(names[later] in UNDONE_BY.get(names[place], ()) for later in mine if later < place)
        ]
        strongest = max(holding, key=lambda place: (weights[place], -place), default=None)
        told[row] = (sum(weights[place] for place in mine), NOTHING if strongest is None else types[strongest])
    return told


events = st.lists(
    st.tuples(st.integers(0, 5) | st.integers(0, 2**31 - 1), st.floats(-4, 4, width=16), st.sampled_from(list(WORTH))),
    max_size=60,
)


@given(events, st.booleans())
def test_evidence_is_what_its_definition_says(events: list[tuple[int, float, int]], mapped: bool) -> None:
    rows = [row for row, _, _ in events]
    weights = [weight for _, weight, _ in events]
    types = [kind for _, _, kind in events]
    columns = np.array(rows, np.int32), np.array(weights, np.float32), np.array(types, np.int16)
    for column in columns:
        column.flags.writeable = not mapped  # as arrays mapped from a file
    told = Evidence.of_events(*columns, COLUMNS)
    wanted = expected(rows, weights, types)
    assert told.rows.tolist() == list(wanted)
    assert told.types.tolist() == [kind for _, kind in wanted.values()]
    assert told.times is None
    np.testing.assert_allclose(told.weights, [total for total, _ in wanted.values()], rtol=1e-6, atol=1e-6)


def test_weights_halve_with_each_half_life_and_ratings_say_for_or_against() -> None:
    worth = WorthColumns.of(
        {
            1: EventWorth("view_item", True, 2.0, 10.0),
            3: EventWorth("rate", True, 4.0, 5.0),
            4: EventWorth("x", False, 9, 9),
        }
    )
    told = [
        (1, 0, np.nan, 2.0),
        (1, 10, np.nan, 1.0),
        (1, 5, 1.0, 2 * 0.5**0.5),  # no rating, whatever its value
        (1, -3, np.nan, 2.0),  # from the future: as if now
        (3, 0, 5.0, 4.0),
        (3, 5, 1.0, 2.0 * -0.6),
        (3, 0, 99.0, 4.0),
        (3, 0, np.nan, 4.0),
        (4, 0, np.nan, 0.0),
        (2, 0, np.nan, 0.0),
    ]
    now = 1_700_000_000
    types, days, values, wanted = (np.array(column) for column in zip(*told, strict=True))
    found = event_weights(types, now - (days * DAY).astype(np.int64), values, worth, now)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
