import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from apps.users.api_keys import key_facts
from apps.users.models import ApiKey, User
from apps.users.selectors import user_by_external_id
from apps.users.services import api_key_create, api_key_revoke, user_erase, users_merge
from tests.factories import make_events, make_items, make_user

pytestmark = pytest.mark.django_db

USERS = "/admin/users/user/"
KEYS = "/admin/users/apikey/"


def test_a_new_key_is_shown_exactly_once(admin_client: Client) -> None:
    said = {
        "name": "Server",
        "kind": "secret",
        "scopes": ["catalog:read", "users:read"],
        "allowed_origins": "",
        "expires_at_0": "",
        "expires_at_1": "",
    }
    page = admin_client.post(f"{KEYS}add/", said, follow=True).content.decode()
    [plain] = set(re.findall(r"sk_[\w-]{43}", page))
    facts = key_facts(plain)
    assert facts is not None
    assert facts.scopes == {"catalog:read", "users:read"}
    key = ApiKey.objects.get()
    for address in (KEYS, f"{KEYS}{key.pk}/change/", f"{KEYS}{key.pk}/history/"):
        later = admin_client.get(address).content.decode()
        assert plain not in later
        assert key.digest not in later
    assert key.prefix in admin_client.get(KEYS).content.decode()


def test_a_public_key_takes_its_origins_one_to_a_line(admin_client: Client) -> None:
    said = {"name": "Shop", "kind": "public", "expires_at_0": "", "expires_at_1": ""}
    bad = admin_client.post(f"{KEYS}add/", said | {"allowed_origins": "shop.example"})
    assert "allowed_origins" in bad.context["adminform"].errors
    admin_client.post(f"{KEYS}add/", said | {"allowed_origins": "https://a.example/\nhttps://b.example"})
    key = ApiKey.objects.get()
    assert key.allowed_origins == ["https://a.example", "https://b.example"]
    assert set(key.scopes) == {"recommendations:read", "events:write"}


def test_of_a_key_that_exists_only_name_and_origins_can_be_changed(admin_client: Client) -> None:
    key, plain = api_key_create(name="a", kind="public", allowed_origins=["https://a.example"])
    digest = key.digest
    said = {"name": "b", "allowed_origins": "*", "kind": "secret", "scopes": ["users:write"], "digest": "0" * 64}
    assert admin_client.post(f"{KEYS}{key.pk}/change/", said).status_code == 302
    key.refresh_from_db()
    assert (key.name, key.allowed_origins, key.kind, key.digest) == ("b", ["*"], "public", digest)
    assert key_facts(plain).origins == {"*"}  # type: ignore[union-attr]


def test_keys_are_revoked_after_a_question_and_never_deleted(admin_client: Client) -> None:
    key, plain = api_key_create(name="Till")
    address = reverse("admin:users_apikey_revoke", args=[key.pk])
    question = admin_client.get(address).content.decode()
    assert "Revoke this key?" in question
    assert "Till" in question
    assert key_facts(plain).valid  # type: ignore[union-attr]
    assert admin_client.post(address, {"_form_submitted": "on"}).status_code == 302
    assert not key_facts(plain).valid  # type: ignore[union-attr]
    assert admin_client.post(f"{KEYS}{key.pk}/delete/", {"post": "yes"}).status_code == 403
    assert "delete_selected" not in admin_client.get(KEYS).content.decode()


def test_a_users_wish_can_be_set_and_nothing_else(admin_client: Client) -> None:
    pk = make_user("ann")
    assert admin_client.post(f"{USERS}{pk}/change/", {"external_id": "bob", "attributes": "{}"}).status_code == 302
    facts = user_by_external_id("ann")
    assert facts is not None
    assert not facts.personalised
    assert facts.taste_revision == 1


def test_users_are_erased_singly_and_by_selection(admin_client: Client) -> None:
    make_items({})
    make_events("ann", ["item-1"])
    users_merge("v", "bob")
    assert admin_client.post(f"{USERS}{make_user('ann')}/delete/", {"post": "yes"}).status_code == 302
    ids = list(User.objects.filter(external_id__in=["v", "bob"]).values_list("pk", flat=True))
    chosen = {"action": "delete_selected", "_selected_action": ids}
    assert "It cannot be undone." in admin_client.post(USERS, chosen).content.decode()
    assert User.objects.filter(erased_at__isnull=False).count() == 1
    admin_client.post(USERS, chosen | {"post": "yes"})
    assert User.objects.filter(erased_at__isnull=False).count() == 3
    assert [user_by_external_id(name) for name in ("ann", "bob", "v")] == [None, None, None]


def test_the_log_of_what_staff_did_names_no_user_for_an_erasure_to_miss(admin_client: Client) -> None:
    pk = make_user("ann")
    admin_client.post(f"{USERS}{pk}/change/", {"personalised": "", "attributes": "{}"})
    admin_client.post(f"{USERS}{pk}/delete/", {"post": "yes"})
    logged = list(LogEntry.objects.values_list("object_id", "object_repr"))
    assert [object_id for object_id, _ in logged] == [str(pk)] * 2
    assert not [text for _, text in logged if "ann" in text]


def test_users_are_filtered_by_who_they_are(admin_client: Client) -> None:
    users_merge("merged", "person")
    make_user("visitor", anonymous=True)
    make_user("gone")
    user_erase("gone")
    for who in ("person", "visitor", "merged"):
        found = admin_client.get(f"{USERS}?who={who}").context["cl"].result_list
        assert [user.external_id for user in found] == [who]
    [erased] = admin_client.get(f"{USERS}?who=erased").context["cl"].result_list
    assert erased.erased_at
    assert admin_client.get(USERS).context["cl"].result_count == 4


def test_keys_are_filtered_by_whether_they_were_revoked(admin_client: Client) -> None:
    api_key_create(name="kept")
    api_key_revoke(key_id=api_key_create(name="ended")[0].pk)
    for revoked, name in (("no", "kept"), ("yes", "ended")):
        found = admin_client.get(f"{KEYS}?revoked={revoked}").context["cl"].result_list
        assert [key.name for key in found] == [name]


def test_what_a_key_may_is_said_in_words(admin_client: Client) -> None:
    api_key_create(name="all")
    api_key_create(name="some", scopes=["catalog:read"])
    page = admin_client.get(KEYS).content.decode()
    assert "everything" in page
    assert "read items and categories" in page
    assert "catalog:read" not in page


@pytest.mark.parametrize("kind", ["user", "group"])
def test_staff_and_roles_have_the_looks_of_the_other_pages(admin_client: Client, kind: str) -> None:
    page = admin_client.get(f"/admin/auth/{kind}/add/").content.decode()
    name = "username" if kind == "user" else "name"
    [field] = re.findall(rf'<input[^>]*name="{name}"[^>]*>', page)
    assert "rounded-default" in field


def test_staff_can_be_added_and_given_a_role(admin_client: Client, django_user_model: type) -> None:
    role = Group.objects.create(name="Merchandiser")
    said = {"username": "eve", "usable_password": "true", "password1": "shelf-life-9", "password2": "shelf-life-9"}
    added = admin_client.post("/admin/auth/user/add/", said)
    eve = django_user_model.objects.get(username="eve")  # type: ignore[attr-defined]
    assert added.headers["Location"] == f"/admin/auth/user/{eve.pk}/change/"
    rights = {"username": "eve", "is_active": "on", "is_staff": "on", "groups": [role.pk]} | {
        f"{field}_{part}": value
        for field in ("date_joined", "last_login")
        for part, value in enumerate(["2026-01-02", "03:04:05"] if field == "date_joined" else ["", ""])
    }
    assert admin_client.post(added.headers["Location"], rights).status_code == 302
    assert list(eve.groups.all()) == [role]


def test_every_page_opens_and_users_cannot_be_made_by_hand(admin_client: Client) -> None:
    users_merge("v", "ann")
    api_key_create(name="a")
    for address in (USERS, f"{USERS}?q=ann", f"{USERS}{make_user('ann')}/change/", KEYS, f"{KEYS}add/"):
        assert admin_client.get(address).status_code == 200, address
    assert admin_client.get(f"{USERS}add/").status_code == 403
