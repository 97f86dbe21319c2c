"""The admin's menu leads somewhere."""

import pytest
from django.test import Client
from django.urls import resolve

from recsys.admin_menu import UNFOLD

LINKS = [(group["title"], link) for group in UNFOLD["SIDEBAR"]["navigation"] for link in group["items"]]


@pytest.mark.django_db
@pytest.mark.parametrize(("group", "link"), LINKS, ids=[link["title"] for _, link in LINKS])
def test_every_entry_of_the_menu_opens(admin_client: Client, group: str, link: dict) -> None:
    assert resolve(str(link["link"]))
    response = admin_client.get(str(link["link"]))
    assert response.status_code == 200
    assert link["title"] in response.content.decode()


@pytest.mark.django_db
def test_staff_without_rights_see_no_entry(client: Client, django_user_model) -> None:
    client.force_login(django_user_model.objects.create_user("clerk", is_staff=True))
    text = client.get("/admin/").content.decode()
    assert "/admin/users/apikey/" not in text
