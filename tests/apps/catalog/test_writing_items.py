from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.catalog.models import Category, Item, ItemChange
from apps.catalog.selectors import item_facts, item_ids_of
from apps.catalog.services import (
    ItemRejected,
    UnknownItem,
    category_delete,
    category_save,
    item_delete,
    item_patch,
    items_set_available,
    items_upsert,
    parse_item,
)

pytestmark = pytest.mark.django_db

WHOLE: dict[str, Any] = {
    "item_id": "mug",
    "title": "Mug",
    "titles": {"de": "Tasse", "pt-BR": "Caneca"},
    "description": "Holds tea.\nAnd coffee.",
    "categories": ["Kitchen > Mugs", "Gifts"],
    "brand": "Potters",
    "tags": ["blue", "large"],
    "price": "2.55",
    "currency": "GBP",
    "prices": {"EUR": "2.95"},
    "stock": 7,
    "available": True,
    "url": "https://shop.example/mug?a=1",
    "image_url": "/pictures/mug.png",
    "published_at": "2024-03-01T08:00:00+00:00",
    "expires_at": "2030-01-01T00:00:00+00:00",
    "parent_id": "",
    "attributes": {"volume": {"ml": 300}, "tested": [True, None, 1.5]},
}


def upsert(*rows: dict[str, Any]) -> list[str]:
    return [result.status for result in items_upsert([parse_item({"title": "x"} | row) for row in rows])]


def pending() -> int:
    return ItemChange.objects.filter(revision__isnull=True).count()


def test_an_item_is_stored_with_every_field_it_came_with() -> None:
    assert upsert(WHOLE) == ["created"]
    facts = item_facts("mug")
    assert facts is not None
    for name, value in WHOLE.items():
        if name not in {"price", "published_at", "expires_at"}:
            assert getattr(facts, name) == value, name
    assert str(facts.price) == "2.5500"
    assert facts.published_at is not None
    assert facts.published_at.isoformat() == WHOLE["published_at"]


def test_the_same_item_again_changes_nothing_and_announces_nothing() -> None:
    upsert(WHOLE)
    announced = pending()
    before = Item.objects.get().updated_at
    assert upsert(WHOLE) == ["unchanged"]
    assert pending() == announced
    assert Item.objects.get().updated_at == before


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Cup"}, {"titles": {}}, {"description": ""}, {"categories": ["Kitchen"]}, {"brand": "b"},
        {"tags": []}, {"price": None}, {"price": "2.56"}, {"currency": "EUR"}, {"prices": {}}, {"stock": None},
        {"available": False},
        {"url": ""}, {"image_url": ""}, {"published_at": None}, {"expires_at": None}, {"attributes": {}},
    ],
)  # fmt: skip
def test_a_change_of_any_one_field_is_stored_and_announced(change: dict[str, Any]) -> None:
    upsert(WHOLE)
    announced = pending()
    assert upsert(WHOLE | change) == ["updated"]
    assert pending() == announced + 1
    assert upsert(WHOLE | change) == ["unchanged"]


def test_what_is_left_out_is_reset() -> None:
    upsert(WHOLE)
    upsert({"item_id": "mug", "title": "Mug"})
    facts = item_facts("mug")
    assert facts is not None
    assert (facts.brand, facts.price, facts.categories, facts.attributes) == ("", None, [], {})


def test_rows_with_one_id_act_one_after_the_other() -> None:
    assert upsert(
        {"item_id": "a", "title": "1"}, {"item_id": "b"}, {"item_id": "a", "title": "2"}, {"item_id": "a", "title": "2"}
    ) == ["created", "created", "updated", "unchanged"]
    assert Item.objects.get(external_id="a").title == "2"


def test_a_variant_may_come_before_its_parent() -> None:
    assert upsert({"item_id": "v", "parent_id": "p"}, {"item_id": "p"}) == ["created", "created"]
    assert Item.objects.get(external_id="v").parent.external_id == "p"  # type: ignore[union-attr]


def test_a_variant_of_an_unknown_or_deleted_item_is_rejected_and_the_others_are_stored() -> None:
    upsert({"item_id": "gone"})
    item_delete("gone")
    results = items_upsert(
        [
            parse_item({"item_id": name, "title": "x"} | more)
            for name, more in (("a", {"parent_id": "nobody"}), ("b", {"parent_id": "gone"}), ("c", {}))
        ]
    )
    assert [result.status for result in results] == ["rejected", "rejected", "created"]
    assert [error.field for result in results for error in result.errors] == ["parent_id", "parent_id"]
    assert item_ids_of(["a", "b", "c"]).keys() == {"c"}


def test_no_chain_of_variants_can_come_about() -> None:
    upsert({"item_id": "p"}, {"item_id": "v", "parent_id": "p"})
    assert upsert({"item_id": "w", "parent_id": "v"}) == ["rejected"]
    assert upsert({"item_id": "p", "parent_id": "v"}) == ["rejected"]
    assert upsert({"item_id": "above"}, {"item_id": "p", "parent_id": "above"}) == ["created", "rejected"]
    assert upsert({"item_id": "x", "parent_id": "y"}, {"item_id": "y", "parent_id": "x"}) == ["rejected", "rejected"]


def test_a_deleted_item_keeps_its_row_and_can_be_created_anew() -> None:
    upsert(WHOLE)
    pk = item_ids_of(["mug"])["mug"]
    assert item_delete("mug")
    assert item_facts("mug") is None
    assert item_ids_of(["mug"]) == {}
    assert item_ids_of(["mug"], deleted=True) == {"mug": pk}
    assert upsert(WHOLE) == ["created"]
    assert item_ids_of(["mug"]) == {"mug": pk}


def test_deleting_twice_announces_once_and_what_never_was_cannot_be_deleted() -> None:
    upsert(WHOLE)
    item_delete("mug")
    announced = pending()
    assert item_delete("mug")
    assert pending() == announced
    assert not item_delete("nobody")


def test_a_patch_changes_only_what_it_names() -> None:
    upsert({"item_id": "set"}, WHOLE | {"parent_id": "set"})
    before = item_facts("mug")
    assert item_patch("mug", {"price": "9", "stock": None}).status == "updated"
    after = item_facts("mug")
    assert before is not None
    assert after is not None
    assert (after.price, after.stock) == (9, None)
    for name in WHOLE.keys() - {"price", "stock"}:
        assert getattr(after, name) == getattr(before, name)
    assert item_patch("mug", {}).status == "unchanged"


def test_a_patch_of_nothing_or_with_nonsense_is_refused_and_leaves_the_item_alone() -> None:
    upsert(WHOLE)
    with pytest.raises(UnknownItem):
        item_patch("nobody", {"title": "x"})
    for nonsense, field in [({"price": "-1"}, "price"), ({"colour": 1}, "colour"), ({"item_id": "cup"}, "item_id"),
                            ({"parent_id": "nobody"}, "parent_id"), ({"title": None}, "title")]:  # fmt: skip
        with pytest.raises(ItemRejected) as refused:
            item_patch("mug", nonsense)
        assert [error.field for error in refused.value.errors] == [field]
    assert upsert(WHOLE) == ["unchanged"]


@pytest.mark.parametrize("fresh", [True, False])
def test_a_batch_takes_the_same_number_of_queries_whatever_its_size(fresh: bool) -> None:
    def queries(count: int, run: str) -> int:
        rows = [parse_item(WHOLE | {"item_id": f"{run}{n}"}) for n in range(count)]
        if not fresh:
            items_upsert(rows)
            rows = [parse_item(WHOLE | {"item_id": f"{run}{n}", "title": "new"}) for n in range(count)]
        with CaptureQueriesContext(connection) as captured:
            items_upsert(rows)
        return len(captured)

    upsert(WHOLE)  # its categories exist from here on
    assert queries(1, "a") == queries(1000, "b") <= 12


def test_hiding_items_announces_those_that_changed() -> None:
    upsert({"item_id": "a"}, {"item_id": "b", "available": False})
    announced = pending()
    assert items_set_available(list(item_ids_of(["a", "b"]).values()), available=False) == 1
    assert pending() == announced + 1


class TestCategories:
    def test_a_path_creates_what_is_missing_once(self) -> None:
        upsert({"item_id": "a", "categories": ["Home > Kitchen > Mugs"]})
        upsert({"item_id": "b", "categories": [["home", "KITCHEN", "Bowls"], "Home"]})
        assert sorted(Category.objects.values_list("external_id", "name", "parent__name")) == [
            ("Home", "Home", None),
            ("Home > Kitchen", "Kitchen", "Home"),
            ("Home > Kitchen > Mugs", "Mugs", "Kitchen"),
            ("home > KITCHEN > Bowls", "Bowls", "Kitchen"),
        ]

    def test_ids_name_categories_at_any_depth_and_win_over_names(self) -> None:
        root = category_save(external_id="c1", name="Kitchen", parent_id=None)
        leaf = category_save(external_id="c2", name="Mugs", parent_id=root)
        upsert({"item_id": "a", "categories": [["c2"], "c1 > c2", "Kitchen > c2", "c1 > Mugs"]})
        assert list(Item.objects.get().categories.values_list("pk", flat=True)) == [leaf]
        assert Category.objects.count() == 2

    def test_a_category_that_was_moved_or_renamed_is_still_found_by_its_first_path(self) -> None:
        upsert({"item_id": "a", "categories": ["Kitchen > Mugs"]})
        mugs = Category.objects.get(name="Mugs")
        category_save(external_id=mugs.external_id, name="Cups", parent_id=mugs.parent_id, category_id=mugs.pk)
        assert upsert({"item_id": "a", "categories": ["Kitchen > Mugs"]}) == ["unchanged"]

    def test_very_long_paths_get_an_id_that_fits_and_stays(self) -> None:
        path = [letter * 100 for letter in "abcd"]
        assert upsert({"item_id": "a", "categories": [path]}) == ["created"]
        assert upsert({"item_id": "a", "categories": [path]}) == ["unchanged"]
        assert Category.objects.count() == 4

    def test_a_category_cannot_lie_below_itself(self) -> None:
        root = category_save(external_id="c1", name="Kitchen", parent_id=None)
        leaf = category_save(external_id="c2", name="Mugs", parent_id=root)
        for parent in (root, leaf):
            with pytest.raises(ValueError, match="below itself"):
                category_save(external_id="c1", name="Kitchen", parent_id=parent, category_id=root)

    def test_the_tree_never_gets_deeper_than_ten_levels(self) -> None:
        upsert({"item_id": "a", "categories": [[f"level {n}" for n in range(10)]]})
        deepest = Category.objects.get(name="level 9")
        with pytest.raises(ValueError, match="at most 10 levels"):
            category_save(external_id="c", name="c", parent_id=deepest.pk)

    def test_moving_renaming_or_deleting_a_category_announces_the_items_in_it_and_below(self) -> None:
        upsert({"item_id": "a", "categories": ["Kitchen > Mugs"]}, {"item_id": "b", "categories": ["Garden"]})
        ItemChange.objects.all().delete()
        kitchen = Category.objects.get(name="Kitchen")
        mugs = Category.objects.get(name="Mugs")
        category_save(external_id="k", name="Cooking", parent_id=None, category_id=kitchen.pk)
        category_delete(mugs.pk)
        a = item_ids_of(["a"])["a"]
        assert list(ItemChange.objects.values_list("item_id", flat=True)) == [a, a]
        assert item_facts("a").categories == []  # type: ignore[union-attr]
