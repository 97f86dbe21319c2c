"""The catalog as serving sees it: patched by revision, equal to one read anew."""

import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.catalog import selectors
from apps.catalog.models import ItemChange
from apps.catalog.services import item_delete, item_patch, items_upsert, parse_item, relay_changes
from apps.recommend import snapshot
from apps.recommend.catalog import following
from apps.recommend.catalog.following import FeedRestarted
from apps.recommend.live_catalog import LiveCatalog
from tests.apps.recommend.catalogs import assert_same

pytestmark = pytest.mark.django_db


def add(*ids: str, **fields: object) -> None:
    results = items_upsert([parse_item({"item_id": one, "title": f"Item {one}", **fields}) for one in ids])
    assert all(not result.errors for result in results)


def read() -> LiveCatalog:
    return LiveCatalog.of(selectors.item_columns(), selectors.latest_revision())


def follow(live: LiveCatalog) -> LiveCatalog:
    relay_changes()
    return following.follow(live, to_the_end=True)


DATES = [
    (None, None),
    ("2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"),
    ("2999-01-01T00:00:00Z", None),
    (None, "2999-01-01T00:00:00Z"),
]

PATCHES: dict[str, Callable[[int], dict[str, object]]] = {
    "price": lambda detail: {"price": f"{detail}.25"},
    "hide": lambda detail: {"available": False},
    "show": lambda detail: {"available": True},
    "move": lambda detail: {"categories": [["Garden", f"Corner {detail}"]]},
    "leave": lambda detail: {"categories": []},
    "title": lambda detail: {"title": "ä📦" * detail + "x", "attributes": {"colour": f"c{detail}"}},
    "dates": lambda detail: dict(zip(("published_at", "expires_at"), DATES[detail], strict=True)),
    "brand": lambda detail: {"brand": ["", "Acme", " ACME ", "Other"][detail]},
}

changes = st.lists(
    st.tuples(st.sampled_from(["add", *PATCHES, "delete", "variant"]), st.integers(0, 7), st.integers(0, 3)),
    max_size=12,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=changes, after=changes)
def test_following_the_change_feed_ends_where_reading_anew_does(
    db: None, before: list[tuple[str, int, int]], after: list[tuple[str, int, int]]
) -> None:
    def play(steps: list[tuple[str, int, int]]) -> None:
        for action, number, detail in steps:
            item = f"i{number}"
            if action == "add" or selectors.item_facts(item) is None:
                add(item, categories=[["Home", f"Room {detail}"]])
            elif action in PATCHES:
                item_patch(item, PATCHES[action](detail))
            elif action == "delete":
                item_delete(item)
            elif action == "variant" and selectors.item_facts("i0") is not None and number:
                item_patch(item, {"parent_id": "i0"})

    play(before)
    live = read()
    live.prepare()
    play(after)
    followed = follow(live)
    assert_same(followed, read())
    assert followed.epoch == live.epoch
    assert followed.ids[: len(live)].tolist() == live.ids.tolist()


def test_items_are_found_by_the_shops_own_id() -> None:
    add("a", "ä", "85123A", "📦")
    live = read()
    for one in ("a", "ä", "85123A", "📦"):
        row = live.row_of(one)
        assert row is not None
        assert live.external_id(row) == one
    assert live.row_of("unknown") is None
    assert LiveCatalog.of(selectors.item_columns([]), 0).row_of("a") is None


def test_a_brand_is_the_same_however_it_is_written_and_none_is_minus_one() -> None:
    for item, brand in [("a", "Acme"), ("b", "ACME "), ("c", "Other"), ("d", "")]:
        add(item, brand=brand)
    acme, again, other, none = read().items.brands.tolist()
    assert acme == again
    assert len({acme, other, none}) == 3
    assert none == -1 < min(acme, other)
    assert snapshot.items().brands.tolist() == [acme, again, other, none]


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({}, True),
        ({"available": False}, False),
        ({"stock": 0}, False),
        ({"stock": 3}, True),
        ({"published_at": "2999-01-01T00:00:00Z"}, False),
        ({"published_at": "2020-01-01T00:00:00Z", "expires_at": "2021-01-01T00:00:00Z"}, False),
    ],
)
def test_only_what_can_be_bought_now_may_be_shown(fields: dict[str, object], shown: bool) -> None:
    add("x", **fields)
    assert read().eligible(int(time.time())).tolist() == [shown]


def test_what_may_be_shown_changes_at_the_moment_of_publication_and_of_expiry() -> None:
    add("soon", published_at="2030-01-01T00:00:00Z", expires_at="2030-01-02T00:00:00Z")
    add("always", published_at="2020-01-01T00:00:00Z")
    live, published, expired = read(), 1893456000, 1893542400
    shown = {now: live.eligible(now).tolist() for now in (published - 1, published, expired - 1, expired)}
    assert shown == {
        published - 1: [False, True],
        published: [True, True],
        expired - 1: [True, True],
        expired: [False, True],
    }
    assert live.eligible(published - 5) is live.eligible(published - 2)  # the same array until something happens
    with pytest.raises(ValueError, match="read-only"):
        live.eligible(published)[0] = False


def test_a_deleted_item_keeps_its_row_and_is_never_shown() -> None:
    add("a", "b")
    live = read()
    item_delete("a")
    followed = follow(live)
    assert followed.row_of("a") == 0
    assert followed.living.tolist() == [False, True]
    assert followed.eligible(int(time.time())).tolist() == [False, True]
    assert live.eligible(int(time.time())).tolist() == [True, True]  # whoever still reads the old one is not disturbed
    assert not followed.card(0).available


def test_what_did_not_change_is_shared_with_the_catalog_before() -> None:
    add("a", "b", categories=[["Home"]], price="1.50")
    live = read()
    live.prepare()
    item_patch("b", {"price": "2.55"})
    followed = follow(live)
    assert followed.card(1).price == "2.55"
    assert live.card(1).price == "1.50"
    assert followed.items.categories is live.items.categories
    assert followed.items.by_category is live.items.by_category
    assert followed.texts is live.texts
    assert followed.eligible(int(time.time())) is live.eligible(int(time.time()))
    assert followed.growth == live.growth


def test_a_card_that_was_read_before_follows_the_item() -> None:
    add("a", price="1.50", title="Mug")
    live = read()
    before = live.cards([0, 0])
    item_patch("a", {"price": "2.55", "title": "Jug"})
    followed = follow(live)
    [(external_id, card)] = followed.cards([0])
    assert (external_id, card.title, card.price, card.available) == ("a", "Jug", "2.55", True)
    assert live.cards([0, 0]) == before


def test_a_card_says_that_its_item_has_expired_once_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    add("a", published_at="2030-01-01T00:00:00Z", expires_at="2030-01-02T00:00:00Z")
    live, shown = read(), []
    for now in (1893455999, 1893456000, 1893542399, 1893542400):
        monkeypatch.setattr("apps.recommend.live_catalog.time.time", lambda now=now: now)
        shown.append(live.card(0).available)
    assert shown == [False, True, True, False]


def test_a_price_is_shown_as_it_was_written() -> None:
    prices = ["0", "0.1", "19.99", "1.2345", "9999999999.9999", "1234567890.1"]
    add(*"abcdef")
    for item, price in zip("abcdef", prices, strict=True):
        item_patch(item, {"price": price})
    add("g")
    live = read()
    shown = [live.card(row).price for row in range(7)]
    assert shown == ["0.00", "0.10", "19.99", "1.2345", "9999999999.9999", "1234567890.10", None]


def test_a_feed_that_began_anew_is_noticed() -> None:
    add("a", "b")
    live = follow(read())
    ItemChange.objects.all().delete()
    with pytest.raises(FeedRestarted):
        following.follow(live)
