from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.catalog.models import Category, Item, ItemChange
from apps.catalog.selectors import item_facts
from apps.catalog.services import parse_item
from tests.factories import make_items

pytestmark = pytest.mark.django_db

ITEMS = "/admin/catalog/item/"
CATEGORIES = "/admin/catalog/category/"


def form(**said: Any) -> dict[str, Any]:
    """The item form as a browser sends it."""
    fields = {
        "external_id": "mug", "title": "Mug", "description": "", "brand": "", "tags": "", "price": "", "currency": "",
        "prices": "{}", "stock": "", "available": "on", "url": "", "image_url": "", "published_at_0": "",
        "published_at_1": "", "expires_at_0": "", "expires_at_1": "", "parent": "", "titles": "{}", "attributes": "{}",
    }  # fmt: skip
    return fields | said


def test_an_item_can_be_added_and_edited_and_each_save_is_announced(admin_client: Client) -> None:
    make_items({"item_id": "set", "categories": ["Kitchen"]})
    kitchen, parent = Category.objects.get(), Item.objects.get()
    before = ItemChange.objects.count()
    added = admin_client.post(
        f"{ITEMS}add/", form(price="2.5", tags="blue, large,", categories=[kitchen.pk], parent=parent.pk)
    )
    assert added.status_code == 302, added.content.decode()
    facts = item_facts("mug")
    assert facts is not None
    assert (facts.price, facts.tags, facts.categories, facts.parent_id) == (2.5, ["blue", "large"], ["Kitchen"], "set")
    pk = Item.objects.get(external_id="mug").pk
    assert admin_client.post(f"{ITEMS}{pk}/change/", form(title="Cup", brand="Potters")).status_code == 302
    facts = item_facts("mug")
    assert facts is not None
    assert (facts.title, facts.brand, facts.price, facts.categories) == ("Cup", "Potters", None, [])
    assert ItemChange.objects.count() == before + 2


def test_an_item_the_api_would_refuse_is_refused_beside_its_field(admin_client: Client) -> None:
    make_items({"item_id": "a"}, {"item_id": "b", "parent_id": "a"})
    variant = Item.objects.get(external_id="b")
    for said, field in [
        ({"url": "javascript:alert(1)"}, "url"),
        ({"currency": "pounds"}, "currency"),
        ({"price": "-1"}, "price"),
        ({"tags": "x" * 256}, "tags"),
        ({"prices": '{"EUR": "x"}'}, "prices"),
        ({"titles": "[]"}, "titles"),
        ({"parent": variant.pk}, "parent"),
    ]:
        response = admin_client.post(f"{ITEMS}add/", form(**said))
        assert response.status_code == 200, said
        assert field in response.context["adminform"].errors, (said, response.context["adminform"].errors)
    assert not Item.objects.filter(external_id="mug").exists()


def test_the_list_takes_the_same_number_of_queries_however_many_items_it_shows(admin_client: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get(ITEMS).status_code == 200
        return len(captured)

    make_items({"categories": ["A > B"], "image_url": "/a.png", "price": 1})
    queries()
    few = queries()
    make_items(*[{"item_id": f"i{n}", "categories": [f"A > C{n}"], "image_url": "/a.png"} for n in range(40)])
    assert queries() == few


def test_the_list_shows_pictures_with_a_text_and_nothing_that_an_item_says_is_markup(admin_client: Client) -> None:
    make_items({"title": '<b>"x"</b>', "image_url": "/a.png"})
    page = admin_client.get(ITEMS).content.decode()
    assert 'src="/a.png" alt="&lt;b&gt;&quot;x&quot;&lt;/b&gt;"' in page
    assert '<b>"x"' not in page


def test_items_are_found_by_id_title_and_filters(admin_client: Client) -> None:
    make_items(
        {"item_id": "a1", "title": "Blue mug", "categories": ["Kitchen > Mugs"], "brand": "Potters", "price": 5},
        {"item_id": "b2", "title": "Spade", "categories": ["Garden"], "available": False},
    )
    kitchen = Category.objects.get(name="Kitchen")
    for query in (
        "q=a1",
        "q=blue",
        f"category={kitchen.pk}",
        "available__exact=1",
        "brand=Potters",
        "price_from=4&price_to=6",
    ):
        found = admin_client.get(f"{ITEMS}?{query}").context["cl"].result_list
        assert [item.external_id for item in found] == ["a1"], query


def test_prices_and_json_are_shown_as_people_write_them(admin_client: Client) -> None:
    make_items({"price": "10.5", "attributes": {"size": 4, "colour": "grün"}})  # in the order PostgreSQL keeps
    address = f"{ITEMS}{Item.objects.get().pk}/change/"
    page = admin_client.get(address).content.decode()
    assert 'value="10.50"' in page
    assert "{\n  &quot;size&quot;: 4,\n  &quot;colour&quot;: &quot;grün&quot;\n}" in page
    again = admin_client.post(address, form(attributes='{"colour": ', url="javascript:x"))
    assert "{&quot;colour&quot;: </textarea>" in again.content.decode()


def test_the_list_says_that_deleted_items_are_left_out(admin_client: Client) -> None:
    page = admin_client.get(ITEMS)
    [deleted] = [spec for spec in page.context["cl"].filter_specs if spec.title == "deleted"]
    shown = [choice["display"] for choice in deleted.choices(page.context["cl"])]
    assert shown == ["Not deleted", "Deleted items"]


def test_the_question_before_deleting_says_what_becomes_of_an_item(admin_client: Client) -> None:
    make_items({})
    pk = Item.objects.get().pk
    one = admin_client.get(f"{ITEMS}{pk}/delete/")
    some = admin_client.post(ITEMS, {"action": "delete_selected", "_selected_action": [pk]})
    for question in (one, some):
        assert "To bring one back" in question.content.decode()
    admin_client.post(f"{ITEMS}{pk}/delete/", {"post": "yes"})
    admin_client.post(f"{ITEMS}{pk}/change/", form())
    assert Item.objects.get().deleted_at is None


def test_deleting_hides_an_item_and_keeps_its_row(admin_client: Client) -> None:
    make_items({}, {}, {})
    pk = Item.objects.get(external_id="item-1").pk
    assert admin_client.post(f"{ITEMS}{pk}/delete/", {"post": "yes"}).status_code == 302
    others = list(Item.objects.exclude(pk=pk).values_list("pk", flat=True))
    chosen = {"action": "delete_selected", "_selected_action": others, "post": "yes"}
    assert admin_client.post(ITEMS, chosen).status_code == 302
    assert Item.objects.filter(deleted_at__isnull=False).count() == 3
    assert list(admin_client.get(ITEMS).context["cl"].result_list) == []
    assert len(admin_client.get(f"{ITEMS}?deleted=yes").context["cl"].result_list) == 3


def test_selected_items_can_be_hidden_and_shown_again(admin_client: Client) -> None:
    [pk] = make_items({})
    for action, available in (("hide", False), ("show", True)):
        admin_client.post(ITEMS, {"action": action, "_selected_action": [pk]})
        assert Item.objects.get().available is available


def test_categories_are_listed_as_a_tree_with_their_items_counted(admin_client: Client) -> None:
    make_items({"categories": ["B > aa"]}, {"categories": ["A", "B > aa"]})
    page = admin_client.get(CATEGORIES)
    assert [category.name for category in page.context["cl"].result_list] == ["A", "B", "aa"]
    assert "padding-left:1.5rem" in page.content.decode()
    assert [category.name for category in admin_client.get(f"{CATEGORIES}?q=b").context["cl"].result_list] == [
        "B",
        "aa",
    ]


def test_the_tree_goes_on_from_page_to_page(admin_client: Client) -> None:
    make_items({"categories": [f"C{n:02} > {'a' if m else 'z'}{m}" for n in range(23) for m in range(2)]})
    make_items({"item_id": "x", "categories": [[f"D{n:03}"] for n in range(50)]})
    make_items(*[{"item_id": f"y{n}", "categories": [[f"E{n}{m:02}"] for m in range(50)]} for n in range(3)])
    names = [
        category.name
        for page in (1, 2)
        for category in admin_client.get(f"{CATEGORIES}?p={page}").context["cl"].result_list
    ]
    assert len(names) == len(set(Category.objects.values_list("pk"))) == 269
    assert names[:6] == ["C00", "a1", "z0", "C01", "a1", "z0"]
    assert names[-1] == "E249"


def test_a_category_can_be_moved_but_not_below_itself(admin_client: Client) -> None:
    make_items({"categories": ["A > B"]}, {"categories": ["C"]})
    ids = dict(Category.objects.values_list("name", "pk"))

    def move(name: str, below: str) -> int:
        said = {"external_id": f"id-{name}", "name": name, "parent": ids.get(below, "")}
        return admin_client.post(f"{CATEGORIES}{ids[name]}/change/", said).status_code

    assert move("B", "C") == 302
    assert item_facts("item-1").categories == ["C > B"]  # type: ignore[union-attr]
    assert move("C", "B") == 200
    added = admin_client.post(f"{CATEGORIES}add/", {"external_id": "d", "name": "D", "parent": ids["C"]})
    assert added.status_code == 302
    assert Category.objects.get(name="D").parent_id == ids["C"]


def test_a_category_with_others_below_it_is_not_deleted(admin_client: Client) -> None:
    make_items({"categories": ["A > B"]})
    ids = dict(Category.objects.values_list("name", "pk"))
    admin_client.post(f"{CATEGORIES}{ids['A']}/delete/", {"post": "yes"})
    assert Category.objects.count() == 2
    admin_client.post(f"{CATEGORIES}{ids['B']}/delete/", {"post": "yes"})
    assert list(Category.objects.values_list("name", flat=True)) == ["A"]
    assert parse_item({"item_id": "item-1", "title": "x"})
    assert item_facts("item-1").categories == []  # type: ignore[union-attr]


@pytest.mark.parametrize("address", [ITEMS, f"{ITEMS}add/", CATEGORIES, f"{CATEGORIES}add/"])
def test_every_page_opens(admin_client: Client, address: str) -> None:
    make_items({"categories": ["A"]})
    assert admin_client.get(address).status_code == 200
    pk = (Item if address.startswith(ITEMS) else Category).objects.get().pk
    assert admin_client.get(f"{address.removesuffix('add/')}{pk}/change/").status_code == 200
