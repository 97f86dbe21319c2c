"""Filters that cannot be read: each is refused at the character where it goes wrong, and nothing else happens."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.recommend.engine.filters import Expression, FilterError, parse
from tests.engine.filter_worlds import FILTERS

LONG = "x" * 50


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("price < and brand = 'x'", 8, 'Expected a value after "<", at character 9: price < and …'),
        ("price <", 7, 'Expected a value after "<", at character 8: price <'),
        ("brand = Acme", 8, 'Expected a value after "="; text needs quotes, at character 9: brand = Acme'),
        ('price < "x"', 8, '"price" is compared with a number, at character 9: price < "x"'),
        ("brand < 3", 8, '"brand" is compared with text in quotes, at character 9: brand < 3'),
        ("brand = true", 8, '"brand" is compared with text in quotes, at character 9: brand = true'),
        ("category = 7", 11, '"category" is compared with an id in quotes, at character 12: category = 7'),
        ("available = 1", 12, '"available" is compared with true or false, at character 13: available = 1'),
        ("published > 'x'", 12, ('Expected a date such as "2026-11-21" or "2026-11-21T08:00:00Z", at character 13: '
            "published > 'x'")),
        ("price < null", 8, '"<" needs a number or text, not null, at character 9: price < null'),
        ("attributes.x > true", 15, '">" needs a number or text, not true, at character 16: attributes.x > true'),
        ("tag < 'a'", 4, ('"tag" has no order: it can be compared with =, !=, "in" and "not in", at character 5: '
            "tag < …")),
        ("price ! 3", 6, "'!' has no meaning here, at character 7: price ! …"),
        ("price 3", 6, 'Expected =, !=, <, <=, >, >=, "in" or "not in" after "price", at character 7: price 3'),
        ("price not 3", 10, ('Expected =, !=, <, <=, >, >=, "in" or "not in" after "price", at character 11: '
            "price not 3")),
        ("price in 3", 9, 'Expected "(" and a list of values after "in", at character 10: price in 3'),
        ("price in ()", 10, 'Expected a value after "(", at character 11: price in ()'),
        ("price in (1 2)", 12, 'Expected "," or ")" in the list, at character 13: price in (1 2 …'),
        ("price in (1,", 12, 'Expected a value after ",", at character 13: price in (1,'),
        ("price < 3 stock", 10, 'Expected "and", "or" or the end of the filter, at character 11: price < 3 stock'),
        ("(price < 3", 10, 'Expected ")" for the "(" at character 1, at character 11: (price < 3'),
        ("price < 3)", 9, 'Expected "and", "or" or the end of the filter, at character 10: price < 3)'),
        ("and price < 3", 0, "Expected the name of a field, at character 1: and …"),
        ("'price' < 3", 0, "Expected the name of a field, at character 1: 'price' …"),
        ("price < 3 and", 13, "Expected the name of a field, at character 14: price < 3 and"),
        ("attributes = 3", 11, ('Expected "." and an attribute\'s name after "attributes", at character 12: '
            "attributes = …")),
        ("attributes.5 = 3", 11, ('Expected an attribute\'s name after ".", in quotes if it is not a plain word, '
            "at character 12: attributes.5 …")),
        ("brand = 'x", 8, "The text that starts here has no closing ', at character 9: brand = 'x"),
        ("brand = 'a\\q'", 10, ('"\\q" has no meaning; a backslash is written twice, at character 11: '
            "brand = 'a\\q …")),
        ("brand = 'a\\ud800'", 10, ("This escape is half of a character; write the character itself, "
            "at character 11: brand = 'a\\ud800'")),
        ("price < 1e999", 8, "This number is too large, at character 9: price < 1e999"),
        (f"brand = '{LONG}' or 3", 64, ("Expected the name of a field, at character 65: "
            f"…{'x' * 35}' or 3")),
        ("", 0, "The filter is empty."),
        (" \n ", 0, "The filter is empty."),
        ("brand = '\ud800'", 0, "A filter must be valid Unicode text."),
    ],
)  # fmt: skip
def test_a_refusal_points_at_the_character(text: str, position: int, message: str) -> None:
    with pytest.raises(FilterError) as refused:
        parse(text)
    assert (str(refused.value), refused.value.position) == (message, position)
    assert refused.value.message == message


def test_an_unknown_field_is_refused_with_the_names_of_those_there_are() -> None:
    with pytest.raises(
        FilterError, match=r'There is no field "prise"; there are price, .*brand, .*attributes'
    ) as refused:
        parse("available and prise < 3")
    assert refused.value.position == 14


@pytest.mark.parametrize(
    ("fine", "too_much", "complaint"),
    [
        ("price < 1".ljust(2_000), "price < 1".ljust(2_001), "may have 2,000 characters; this one has 2,001"),
        ("(" * 20 + "price<1" + ")" * 20, "(" * 21 + "price<1" + ")" * 21, "may be 20 deep"),
        ("not " * 20 + "price<1", "not " * 21 + "price<1", "may be 20 deep"),
        ("not (" * 10 + "price<1" + ")" * 10, "not (" * 300, "may be 20 deep"),
        (" or ".join(["tag='a'"] * 120), "(((" * 600, "may be 20 deep"),
    ],
)
def test_length_and_depth_have_limits(fine: str, too_much: str, complaint: str) -> None:
    parse(fine)
    with pytest.raises(FilterError, match=complaint):
        parse(too_much)


def test_comparisons_and_values_have_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.recommend.engine.filters.grammar.MAX_CHARACTERS", 10_000)
    parse(" or ".join(["stock=1"] * 200))
    with pytest.raises(FilterError, match="may have 200 comparisons, not more") as refused:
        parse(" or ".join(["stock=1"] * 201))
    assert refused.value.position == 200 * len("stock=1 or ")
    values = ",".join(map(str, range(999)))
    parse(f"stock in ({values}) and stock = 1")
    with pytest.raises(FilterError, match="may have 1,000 values in all, not more"):
        parse(f"stock in ({values}) and stock = 1 and stock = 2")


def test_a_filter_that_is_too_long_when_written_out_is_refused() -> None:
    with pytest.raises(FilterError, match="Written out in full"):
        parse("brand = '" + '"' * 1_500 + "'")


def test_a_filter_of_ten_thousand_characters_is_refused_before_it_is_read() -> None:
    with pytest.raises(FilterError, match="this one has 10,000") as refused:
        parse("\\" * 10_000)
    assert refused.value.position == 2_000


PIECES = st.sampled_from(
    ["price", "brand", "attributes", ".", "x", "<", "<=", "=", "!=", "(", ")", ",", "and", "or", "not", "in", "null",
     "true", "1", "-2.5", "1e5", '"a"', "'b'", '"', "'", "\\", " ", "  ", "\n", "é", "~", "tag", "published"]
)  # fmt: skip


def read(text: str) -> Expression | FilterError:
    """The filter, or what is wrong with it; any other exception is a failure."""
    try:
        return parse(text)
    except FilterError as refused:
        return refused


@settings(deadline=None, max_examples=300)
@given(
    st.one_of(
        st.text(max_size=60), st.lists(PIECES, max_size=15).map(" ".join), st.lists(PIECES, max_size=15).map("".join)
    )
)
def test_garbage_is_refused_or_read_and_nothing_else(text: str) -> None:
    found = read(text)
    if isinstance(found, FilterError):
        assert 0 <= found.position <= len(text)
        assert found.message
    else:
        assert parse(found.text) == found


@settings(deadline=None, max_examples=100)
@given(text=FILTERS, data=st.data())
def test_a_filter_with_one_character_changed_is_refused_or_read(text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text)))
    changed = text[:place] + data.draw(st.sampled_from(["", "(", '"', "\\", "=", "x", " ", "\x00"])) + text[place + 1 :]
    found = read(changed)
    assert 0 <= found.position <= len(changed) if isinstance(found, FilterError) else parse(found.text) == found
