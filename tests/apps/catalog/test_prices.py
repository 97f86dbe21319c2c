from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.catalog.prices import price_text, read_price

prices = st.decimals(min_value=0, max_value=Decimal("9999999999.9999"), places=4)


@given(prices)
def test_a_price_survives_being_shown_and_read_again(price: Decimal) -> None:
    assert read_price(price_text(price)) == price
    assert read_price(price) == price
    assert read_price(f"{price:f}") == price


@given(st.floats(min_value=0, max_value=9_999_999_999))
def test_a_float_is_read_to_four_places(number: float) -> None:
    assert abs(read_price(number) - Decimal(repr(number))) <= Decimal("0.00005")


@given(st.integers(min_value=0, max_value=9_999_999_999))
def test_whole_numbers_are_prices(number: int) -> None:
    assert read_price(number) == number


@given(st.one_of(st.text(), st.floats(), st.integers(), st.decimals(), st.none(), st.booleans(), st.lists(st.floats())))
def test_whatever_is_sent_is_read_as_a_storable_price_or_refused_with_a_sentence(value: object) -> None:
    def refusal() -> str:
        try:
            price = read_price(value)
        except ValueError as refused:
            return str(refused)
        assert 0 <= price < 10**10
        assert price == round(price, 4)
        return "A price"

    assert refusal().startswith("A price")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("-0.01", "negative"),
        (-1, "negative"),
        (-(10**400), "negative"),
        ("NaN", "plain number"),
        (float("nan"), "finite"),
        (float("inf"), "finite"),
        (Decimal("NaN"), "finite"),
        ("Infinity", "plain number"),
        ("1e3", "plain number"),
        ("1,50", "plain number"),
        ("1_000", "plain number"),
        ("١٢", "plain number"),
        ("£2", "plain number"),
        ("", "plain number"),
        ("10000000000", "14 digits"),
        (10**400, "14 digits"),
        (1e300, "14 digits"),
        ("0.00001", "four digits"),
        (True, "must be a number"),
        (None, "must be a number"),
    ],
)
def test_what_is_no_price_is_refused_and_the_reason_said(value: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_price(value)


@pytest.mark.parametrize(
    ("price", "text"),
    [("2.5", "2.50"), ("3", "3.00"), ("0.1234", "0.1234"), ("0.123", "0.123"), ("9999999999.9999", "9999999999.9999")],
)
def test_a_price_is_shown_with_at_least_two_digits_and_no_needless_zeros(price: str, text: str) -> None:
    assert price_text(Decimal(price)) == text
