"""Prices: exact, bounded, never negative."""

import math
import re
from decimal import Decimal

PLACES = Decimal("0.0001")
LIMIT = 10**10  # a price column holds 14 digits, four of them after the point

_NUMBER = re.compile(r"[+-]?(\d{1,40}\.?\d{0,40}|\.\d{1,40})", re.ASCII)


def read_price(value: object) -> Decimal:
    """A price as sent: text ("2.55"), a whole number, a float or a Decimal.

    Floats are rounded to four places, because they carry noise; text is taken at its word.
    Raises ValueError when it is no number, negative, or needs more than ten digits before or four after the point.
    """
    price = _number(value)
    if price < 0:
        raise ValueError("A price must not be negative.")
    if price >= LIMIT:
        raise ValueError("A price may have at most 14 digits: ten before the point, four after it.")
    rounded = price.quantize(PLACES)
    if rounded != price and not isinstance(value, float):
        raise ValueError("A price may have at most four digits after the point.")
    return abs(rounded)


def price_text(price: Decimal | float) -> str:
    """A price as it is shown: at least two digits after the point, no needless zeros. 2.5 is "2.50"."""
    whole, _, places = f"{price:.4f}".partition(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')}"


def _number(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (str, int, float, Decimal)):
        raise ValueError("A price must be a number, as text or as a JSON number.")  # noqa: TRY004 - for pydantic
    if isinstance(value, str):
        text = value.strip()
        if not _NUMBER.fullmatch(text):
            raise ValueError('A price must be a plain number such as "2.55".')
        return Decimal(text)
    if isinstance(value, float) and math.isfinite(value):
        return Decimal(repr(value))
    if isinstance(value, int) and abs(value) > LIMIT:
        return Decimal(LIMIT if value > 0 else -1)
    price = Decimal(value)
    if not price.is_finite():
        raise ValueError("A price must be a finite number.")
    return price
