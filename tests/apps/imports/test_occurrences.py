"""Occurrence numbers make ids out of equal rows."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from apps.interactions.importing.occurrences import Occurrences


@given(st.lists(st.lists(st.text("ab", max_size=3), min_size=1, max_size=30), max_size=12))
def test_every_key_is_numbered_from_one_over_all_chunks(chunks: list[list[str]]) -> None:
    seen: Counter[str] = Counter()
    occurrences = Occurrences()
    for chunk in chunks:
        expected = []
        for key in chunk:
            seen[key] += 1
            expected.append(seen[key])
        assert occurrences.numbers(chunk) == expected
