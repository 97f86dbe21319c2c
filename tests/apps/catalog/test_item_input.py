from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.catalog.item_input import ITEM_FIELDS, ItemInput, ItemRejected, parse_item

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def errors(**fields: Any) -> dict[str, str]:
    with pytest.raises(ItemRejected) as refused:
        parse_item({"item_id": "a", "title": "A"} | fields)
    return {error.field: error.detail for error in refused.value.errors}


@given(st.one_of(json_values, st.dictionaries(st.sampled_from([*ITEM_FIELDS, "colour"]), json_values)))
def test_whatever_is_sent_is_an_item_or_refused_with_the_fields_at_fault(raw: object) -> None:
    try:
        row = parse_item(raw)
    except ItemRejected as refused:
        said = [(error.field, error.detail) for error in refused.errors]
    else:
        assert parse_item({name: getattr(row, name) for name in ITEM_FIELDS}) == row
        return
    assert said
    assert all(field and detail for field, detail in said)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("item_id", 1.5), ("item_id", True), ("item_id", "a\nb"), ("item_id", "x" * 256),
        ("title", ""), ("title", "   "), ("title", 7), ("title", "x" * 501), ("title", "a\x00"), ("title", "\ud800"),
        ("titles", []), ("titles", {"German!": "x"}), ("description", "\x00"), ("description", "x" * 50_001),
        ("categories", "Kitchen"), ("categories", {"a": 1}), ("categories", ["a"] * 51),
        ("brand", "x" * 256), ("tags", "a,b"), ("tags", {"a": 1}),
        ("price", "-1"), ("price", "NaN"), ("price", True), ("price", "10000000000"),
        ("currency", "gbp"), ("currency", "POUND"), ("currency", 826), ("prices", {"eur": 1}), ("prices", [1]),
        ("stock", -1), ("stock", 1.5), ("stock", 2**31), ("stock", "many"), ("stock", True),
        ("available", "maybe"), ("available", 2),
        ("url", "javascript:alert(1)"), ("url", "JaVaScRiPt:alert(1)"), ("url", "data:text/html,x"),
        ("url", "//evil.example"), ("url", "/\\evil.example"), ("url", "https://"), ("url", "https://a b"),
        ("url", "https:/\\evil"), ("url", "java\tscript:x"), ("url", "http://[a"), ("image_url", "x.png"),
        ("image_url", 'https://x.example/"onerror="x'), ("image_url", "/" + "x" * 2000),
        ("published_at", "yesterday"), ("published_at", "0001-01-01"), ("published_at", 10**30), ("published_at", True),
        ("published_at", "2026"), ("published_at", "20261399"),
        ("expires_at", {"year": 2024}), ("parent_id", "a"), ("parent_id", [1]),
        ("attributes", [1]), ("attributes", {"x": float("nan")}), ("attributes", {"\x00": 1}), ("colour", "red"),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_and_its_field_named(field: str, value: object) -> None:
    assert list(errors(**{field: value})) == [field]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"tags": ["ok", 3]}, "tags[1]"),
        ({"prices": {"EUR": -1}}, "prices.EUR"),
        ({"titles": {"de": 1}}, "titles.de"),
        ({"categories": ["ok", "a > > b"]}, "categories[1]"),
    ],
)
def test_inside_lists_and_objects_the_very_entry_is_named(fields: dict[str, Any], named: str) -> None:
    assert list(errors(**fields)) == [named]


def test_every_field_at_fault_is_named_at_once() -> None:
    assert set(errors(price="x", stock="y", colour=1)) == {"price", "stock", "colour"}
    assert errors(title=None) == {"title": "This field is required."}


def test_an_item_must_expire_after_it_is_published() -> None:
    assert list(errors(published_at="2024-02-01", expires_at="2024-01-01")) == ["expires_at"]


def test_null_is_the_same_as_left_out() -> None:
    assert parse_item({"item_id": "a", "title": "A"} | dict.fromkeys(ITEM_FIELDS[2:])) == parse_item(
        {"item_id": "a", "title": "A"}
    )


def test_a_time_without_zone_is_the_shops(settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    row = parse_item({"item_id": "a", "title": "A", "published_at": "2024-03-01T09:00:00"})
    assert row.published_at is not None
    assert row.published_at.timestamp() == 1709251200


@pytest.mark.parametrize("said", ["20240301", "2024-03-01", "1709251200", 1709251200, "2024-03-01T00:00Z"])
def test_digits_alone_are_a_date_or_seconds(settings: Any, said: object) -> None:
    settings.TIME_ZONE = "UTC"
    row = parse_item({"item_id": "a", "title": "A", "published_at": said})
    assert row.published_at is not None
    assert row.published_at.timestamp() == 1709251200


def test_too_long_a_list_is_told_how_long_it_may_be() -> None:
    assert errors(tags=["a"] * 201) == {"tags": "May have at most 200 entries."}


def test_an_item_cannot_be_changed_after_it_was_checked() -> None:
    row = ItemInput(item_id="a", title="A")
    with pytest.raises(FrozenInstanceError):
        row.title = ""  # type: ignore[misc]
