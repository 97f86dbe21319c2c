"""Pages behind pages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.recommend.asking import MAX_DEPTH
from apps.recommend.paging import cursor, shown

IDS = st.lists(st.integers(1, 2**63 - 1), min_size=1, max_size=50)


@given(IDS)
def test_a_cursor_says_what_was_shown_in_order(ids: list[int]) -> None:
    text = cursor(ids)
    assert text is not None
    assert shown(text) == tuple(ids)


@given(st.text(max_size=60))
def test_no_other_text_is_a_cursor(text: str) -> None:
    try:
        ids = shown(text)
    except ValueError:
        return
    assert cursor(ids) == text


def test_paging_ends() -> None:
    assert cursor(range(1, MAX_DEPTH + 1)) is None
    assert cursor(range(1, MAX_DEPTH)) is not None


@pytest.mark.parametrize("text", ["", "AAAA", "ä" * 11, "A" * 20_000, "____________"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the message is for programmers
        shown(text)
