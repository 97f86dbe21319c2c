"""Who follows whom: over HTTP, through merging and erasing, and as columns for training."""

from typing import Any

import numpy as np
import pytest
from django.db import IntegrityError, transaction
from rest_framework.test import APIClient

from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.snapshot import Snapshot
from apps.users.models import Follow
from apps.users.selectors import export_user, follow_columns, user_by_external_id
from apps.users.services import CannotFollow, UnknownUser, user_erase, user_follow, user_unfollow, users_merge
from tests.factories import client, make_events, make_items, make_user, public_key, secret_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(db: None) -> APIClient:
    return client()


def pairs() -> set[tuple[str, str]]:
    return set(Follow.objects.values_list("follower__external_id", "followed__external_id"))


def fields_at_fault(response: Any, status: int) -> list[str]:
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    return [error["field"] for error in response.json()["errors"]]


class TestOverHttp:
    def test_following_again_changes_nothing(self, api: APIClient) -> None:
        first = api.put("/api/v1/users/ann/follows/bob")
        again = api.put("/api/v1/users/ann/follows/bob")
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json()["user_id"] == "bob"
        assert again.json() == first.json()
        assert pairs() == {("ann", "bob")}

    def test_users_nobody_knows_are_created_as_persons(self, api: APIClient) -> None:
        api.put("/api/v1/users/ann/follows/bob")
        for name in ("ann", "bob"):
            user = user_by_external_id(name)
            assert user is not None
            assert not user.anonymous

    def test_nobody_follows_themselves(self, api: APIClient) -> None:
        assert fields_at_fault(api.put("/api/v1/users/ann/follows/ann"), 409) == ["other_id"]
        users_merge("visitor-1", "ann")
        assert fields_at_fault(api.put("/api/v1/users/visitor-1/follows/ann"), 409) == ["other_id"]
        assert pairs() == set()

    def test_unfollowing_again_changes_nothing(self, api: APIClient) -> None:
        user_follow("ann", "bob")
        for _ in range(2):
            assert api.delete("/api/v1/users/ann/follows/bob").status_code == 204
            assert pairs() == set()

    def test_the_user_nobody_knows_is_named(self, api: APIClient) -> None:
        make_user("ann")
        assert fields_at_fault(api.delete("/api/v1/users/ann/follows/nobody"), 404) == ["other_id"]
        assert fields_at_fault(api.delete("/api/v1/users/nobody/follows/ann"), 404) == ["user_id"]
        assert fields_at_fault(api.get("/api/v1/users/nobody/follows"), 404) == ["user_id"]

    def test_an_id_that_cannot_be_one_is_named(self, api: APIClient) -> None:
        assert fields_at_fault(api.put(f"/api/v1/users/ann/follows/{'x' * 256}"), 400) == ["other_id"]
        assert fields_at_fault(api.put(f"/api/v1/users/{'x' * 256}/follows/bob"), 400) == ["user_id"]

    def test_ids_may_hold_slashes_and_the_words_of_addresses(self, api: APIClient) -> None:
        for other in ("a/b", "follows", "merge"):
            assert api.put(f"/api/v1/users/x/y/follows/{other}").status_code == 201
        assert pairs() == {("x/y", "a/b"), ("x/y", "follows"), ("x/y", "merge")}

    def test_the_list_is_in_pages_the_latest_first(self, api: APIClient) -> None:
        for other in ("bob", "cat", "dan"):
            user_follow("ann", other)
        user_follow("bob", "ann")
        page = api.get("/api/v1/users/ann/follows?limit=2").json()
        assert [follow["user_id"] for follow in page["results"]] == ["dan", "cat"]
        last = api.get(page["next"]).json()
        assert ([follow["user_id"] for follow in last["results"]], last["next"]) == (["bob"], None)
        assert api.get("/api/v1/users/cat/follows").json()["results"] == []

    def test_a_long_list_takes_two_queries(self, api: APIClient, django_assert_max_num_queries: Any) -> None:
        for number in range(20):
            user_follow("ann", f"user-{number}")
        api.get("/api/v1/users/ann/follows")
        with django_assert_max_num_queries(3):  # and perhaps one for the key
            assert len(api.get("/api/v1/users/ann/follows").json()["results"]) == 20

    @pytest.mark.parametrize(
        ("method", "address", "scope"),
        [
            ("get", "/api/v1/users/ann/follows", "users:read"),
            ("put", "/api/v1/users/ann/follows/bob", "users:write"),
            ("delete", "/api/v1/users/ann/follows/bob", "users:write"),
        ],
    )
    def test_each_call_needs_its_scope(self, method: str, address: str, scope: str) -> None:
        assert fields_at_fault(getattr(APIClient(), method)(address), 401) == []
        wrong = {"users:read": "users:write", "users:write": "users:read"}[scope]
        for key in (secret_key(wrong), public_key()):
            response = getattr(client(key), method)(address)
            assert fields_at_fault(response, 403) == []
            assert scope in response.json()["detail"]


def test_the_database_itself_keeps_follows_single_and_of_others() -> None:
    ann, bob = make_user("ann"), make_user("bob")
    Follow.objects.create(follower_id=ann, followed_id=bob)
    for one, other in ((ann, bob), (ann, ann)):
        with pytest.raises(IntegrityError), transaction.atomic():
            Follow.objects.create(follower_id=one, followed_id=other)


def test_services_say_what_they_did() -> None:
    assert user_follow("ann", "bob")[1]
    assert not user_follow("ann", "bob")[1]
    assert user_unfollow("ann", "bob")
    assert not user_unfollow("ann", "bob")
    with pytest.raises(CannotFollow):
        user_follow("ann", "ann")
    with pytest.raises(UnknownUser):
        user_unfollow("ann", "nobody")


class TestPersonalData:
    def test_an_export_holds_whom_the_user_follows_and_who_follows_them(self) -> None:
        since = user_follow("ann", "bob")[0].followed_at.isoformat()
        user_follow("ann", "cat")
        user_follow("cat", "ann")
        user_follow("bob", "cat")
        held = export_user("ann")
        assert held is not None
        assert [one["user_id"] for one in held["follows"]["follows"]] == ["bob", "cat"]
        assert held["follows"]["follows"][0]["followed_at"] == since
        assert [one["user_id"] for one in held["follows"]["followed_by"]] == ["cat"]

    def test_of_an_erased_user_no_follow_is_left_in_either_direction(self) -> None:
        users_merge("visitor-1", "ann")
        user_follow("visitor-1", "bob")
        user_follow("cat", "ann")
        user_follow("bob", "cat")
        user_erase("ann")
        assert pairs() == {("bob", "cat")}
        with pytest.raises(UnknownUser):
            user_unfollow("ann", "bob")

    def test_a_visitors_follows_become_the_persons(self) -> None:
        make_user("visitor-1", anonymous=True)
        for follower, followed in [
            ("visitor-1", "bob"),
            ("visitor-1", "cat"),
            ("visitor-1", "ann"),
            ("ann", "visitor-1"),
            ("ann", "cat"),
            ("dan", "visitor-1"),
            ("eve", "visitor-1"),
            ("eve", "ann"),
        ]:
            user_follow(follower, followed)
        for _ in range(2):
            users_merge("visitor-1", "ann")
            assert pairs() == {("ann", "bob"), ("ann", "cat"), ("dan", "ann"), ("eve", "ann")}
        user_follow("visitor-1", "fay")
        assert ("ann", "fay") in pairs()


class TestColumns:
    def test_all_follows_are_read_as_columns_of_ids_and_seconds(self) -> None:
        ann, bob, cat = make_user("ann"), make_user("bob"), make_user("cat")
        moments = [user_follow(*pair)[0].followed_at for pair in (("ann", "bob"), ("cat", "ann"))]
        columns = follow_columns()
        assert [one.dtype for one in (columns.followers, columns.followed, columns.times)] == [np.int64] * 3
        read = set(zip(columns.followers.tolist(), columns.followed.tolist(), columns.times.tolist(), strict=True))
        assert read == {(ann, bob, int(moments[0].timestamp())), (cat, ann, int(moments[1].timestamp()))}

    def test_those_from_a_time_on_are_left_out(self) -> None:
        moment = int(user_follow("ann", "bob")[0].followed_at.timestamp())
        assert len(follow_columns(until=moment).times) == 0
        assert len(follow_columns(until=moment + 1).times) == 1

    def test_without_follows_columns_are_empty(self) -> None:
        assert len(follow_columns().followers) == 0

    def test_training_reads_them_only_for_an_algorithm_that_wants_them(self, django_assert_num_queries: Any) -> None:
        make_items({})
        make_events("bob", ["item-1"])
        user_follow("ann", "bob")
        snapshot = Snapshot.now()
        assert snapshot.interactions_for(ALGORITHMS["popularity"]).follows is None
        with django_assert_num_queries(1):
            read = snapshot.interactions_for(ALGORITHMS["popularity"], ALGORITHMS["social"]).follows
            again = snapshot.interactions_for(ALGORITHMS.create("social")).follows
        assert read is again
        assert read is not None
        assert (read.followers.tolist(), read.followed.tolist()) == ([make_user("ann")], [make_user("bob")])
