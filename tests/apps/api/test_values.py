import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.api.values import external_id, storable_json, storable_text

printable = st.text(min_size=1, max_size=255).filter(lambda text: text.isprintable() and text.strip())


@given(printable)
def test_any_printable_text_up_to_255_characters_is_an_id_as_it_stands(text: str) -> None:
    assert external_id(text) == text


@given(st.integers(min_value=-(10**200), max_value=10**200))
def test_whole_numbers_are_ids(number: int) -> None:
    assert external_id(number) == str(number)


@given(
    st.one_of(
        st.none(),
        st.booleans(),
        st.floats(),
        st.binary(),
        st.lists(st.integers()),
        st.dictionaries(st.text(), st.text()),
    )
)
def test_nothing_but_text_and_whole_numbers_is_an_id(value: object) -> None:
    with pytest.raises(ValueError, match="must be text or a whole number"):
        external_id(value)


@pytest.mark.parametrize("text", ["", "   ", "x" * 256, "a\x00b", "a\nb", "a\tb", "\x7f", "\u202e", "\ud800"])
def test_text_that_is_no_id_is_refused_with_a_sentence(text: object) -> None:
    with pytest.raises(ValueError, match=r"An id .+\."):
        external_id(text)


def test_a_number_with_thousands_of_digits_is_no_id() -> None:
    with pytest.raises(ValueError, match="at most 255"):
        external_id(10**5000)


@given(st.text())
def test_text_is_storable_exactly_when_it_has_no_nul_and_can_be_encoded(text: str) -> None:
    assert storable_text(text.replace("\x00", "")) == text.replace("\x00", "")


@pytest.mark.parametrize("text", ["\x00", "a\x00", "\ud800"])
def test_text_that_no_database_holds_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Text must"):
        storable_text(text)


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), {"a": [{"b": float("-inf")}]}, {"a\x00": 1}, ["\ud800"], {1: 2}, object(), b"x"],
)
def test_json_that_no_database_holds_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"must|JSON"):
        storable_json(value)


def test_json_deeper_than_twenty_levels_is_refused() -> None:
    value: object = 1
    for _ in range(20):
        value = [value]
    assert storable_json(value) is value
    with pytest.raises(ValueError, match="at most 20 deep"):
        storable_json([value])
