"""A merge can be undone, exactly, whatever happened since."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.interactions.models import Event
from apps.interactions.selectors import profile
from apps.interactions.services import EventInput, events_record
from apps.users.models import Merge, User
from apps.users.selectors import export_user, follows_listed, user_by_external_id
from apps.users.services import (
    CannotMerge,
    UnknownUser,
    user_erase,
    user_follow,
    user_unfollow,
    users_merge,
    users_unmerge,
)
from tests.factories import client, make_events, make_items, make_user, secret_key

pytestmark = pytest.mark.django_db


def revision(name: str) -> int:
    facts = user_by_external_id(name)
    assert facts is not None
    return facts.taste_revision


def held(name: str) -> list[tuple[str, str | None]]:
    """The items of the user's events, and which visitor each came from."""
    found = export_user(name)
    assert found is not None
    return [(event["item_id"], event["visitor_id"]) for event in found["interactions"]["events"]]


def followed(name: str) -> list[str]:
    follows = follows_listed(name)
    assert follows is not None
    return sorted(follow.followed.external_id for follow in follows)


def test_what_the_visitor_did_before_and_since_goes_back_and_the_rest_stays() -> None:
    make_items({}, {}, {}, {})
    make_events("v", ["item-1"], anonymous=True)
    make_events("v", ["item-1"], "impression", anonymous=True)
    make_events("ann", ["item-2"])
    users_merge("v", "ann")
    make_events("v", ["item-3"], anonymous=True)
    make_events("ann", ["item-4"])
    assert sorted(held("ann")) == [
        ("item-1", "v"), ("item-1", "v"), ("item-2", None), ("item-3", "v"), ("item-4", None),
    ]  # fmt: skip
    assert held("v") == held("ann")
    before = revision("ann")
    users_unmerge("v", "ann")
    assert held("v") == [("item-1", None), ("item-1", None), ("item-3", None)]
    assert held("ann") == [("item-2", None), ("item-4", None)]
    assert revision("ann") > before
    make_events("v", ["item-4"], anonymous=True)
    assert len(held("v")) == 4
    assert len(held("ann")) == 2
    users_merge("v", "ann")
    assert len(held("ann")) == 6


def test_undoing_again_changes_nothing() -> None:
    make_items({})
    make_events("v", ["item-1"], anonymous=True)
    users_merge("v", "ann")
    users_unmerge("v", "ann")
    before = list(User.objects.order_by("id").values())
    users_unmerge("v", "ann")
    assert list(User.objects.order_by("id").values()) == before


def test_an_event_on_its_way_to_the_person_is_brought_back_by_undoing_again() -> None:
    make_items({})
    make_user("v", anonymous=True)
    ann = users_merge("v", "ann")
    make_events("v", ["item-1"], anonymous=True)
    users_unmerge("v", "ann")
    Event.objects.update(user=ann, visitor=User.objects.get(external_id="v"))
    before = revision("v")
    users_unmerge("v", "ann")
    assert held("v") == [("item-1", None)]
    assert held("ann") == []
    assert revision("v") > before


def test_a_visitor_who_came_with_another_can_leave_only_with_them() -> None:
    make_items({}, {})
    make_events("v", ["item-1"], anonymous=True)
    make_events("w", ["item-2"], anonymous=True)
    users_merge("v", "w")
    users_merge("w", "ann")
    with pytest.raises(CannotMerge, match="'w'"):
        users_unmerge("v", "ann")
    users_unmerge("w", "ann")
    assert held("ann") == []
    assert held("w") == [("item-1", "v"), ("item-2", None)]
    users_unmerge("v", "w")
    assert held("v") == [("item-1", None)]
    assert Merge.objects.count() == 0


def test_nobody_can_undo_somebody_elses_merge() -> None:
    make_user("bob")
    users_merge("v", "ann")
    with pytest.raises(CannotMerge, match="another"):
        users_unmerge("v", "bob")
    for visitor, person in [("nobody", "ann"), ("v", "nobody")]:
        with pytest.raises(UnknownUser, match="nobody"):
            users_unmerge(visitor, person)


def test_follows_go_back_too() -> None:
    for name in ("x", "y", "z", "w"):
        make_user(name)
    make_user("v", anonymous=True)
    for one, other in [("v", "x"), ("v", "y"), ("ann", "y"), ("z", "v"), ("v", "ann")]:
        user_follow(one, other)
    users_merge("v", "ann")
    assert followed("ann") == ["x", "y"]
    assert followed("z") == ["ann"]
    user_follow("ann", "w")
    user_unfollow("ann", "x")
    users_unmerge("v", "ann")
    assert followed("v") == ["ann", "x", "y"]
    assert followed("ann") == ["w", "y"]
    assert followed("z") == ["v"]


def test_a_follow_of_somebody_erased_meanwhile_does_not_come_back() -> None:
    make_user("v", anonymous=True)
    user_follow("v", "x")
    users_merge("v", "ann")
    user_erase("x")
    users_unmerge("v", "ann")
    assert followed("v") == []


def test_of_an_erased_person_no_merge_is_left() -> None:
    make_items({})
    make_events("v", ["item-1"], anonymous=True)
    user_follow("v", "x")
    users_merge("v", "ann")
    user_erase("v")
    assert Merge.objects.count() == 0
    assert Event.objects.get().visitor_id is None
    with pytest.raises(UnknownUser):
        users_unmerge("v", "ann")


numbers = itertools.count()
names = st.sampled_from(["ann", "u", "v", "w"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("event"), names, names),
        st.tuples(st.just("merge"), names, names),
        st.tuples(st.just("undo"), names, names),
    ),
    max_size=15,
)


@settings(max_examples=30)
@given(steps)
def test_after_any_merges_and_undos_every_event_counts_for_who_its_sender_is_now(
    steps: list[tuple[str, str, str]],
) -> None:
    items = {"ann": "item-1", "u": "item-2", "v": "item-3", "w": "item-4"}
    ids = dict(zip(items.values(), make_items(*[{} for _ in items]), strict=True))
    example = next(numbers)  # users of its own
    full = {name: f"{name}-{example}" for name in items}
    for name in items:
        make_user(full[name], anonymous=name != "ann")
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        return root(parent[name]) if name in parent else name

    sent: list[str] = []
    for step, one, other in steps:
        if step == "event":
            events_record([EventInput(event_type="view", user_id=full[one], item_id=items[one], anonymous=True)])
            sent.append(one)
        elif step == "merge":
            allowed = one not in (other, root(other), "ann") and (one not in parent or root(one) == root(other))
            assert allowed == _works(users_merge, full[one], full[other])
            if allowed and one not in parent:
                parent[one] = root(other)
        else:
            allowed = one not in parent or parent[one] == root(one) == root(other)
            assert allowed == _works(users_unmerge, full[one], full[other])
            if allowed:
                parent.pop(one, None)
        found = {name: profile(full[name]) for name in items}
        for name, one_found in found.items():
            assert one_found is not None
            assert one_found.external_id == full[root(name)]
            counts = sorted(ids[items[sender]] for sender in sent if root(sender) == root(name))
            stored = Event.objects.filter(user=one_found.id).values_list("item_id", flat=True)
            assert sorted(one_found.taste.item_ids.tolist()) == sorted(stored) == counts


def _works(call: object, *args: str) -> bool:
    try:
        call(*args)  # type: ignore[operator]
    except CannotMerge:
        return False
    return True


class TestOverHttp:
    def test_undoing_shows_the_person_and_can_be_repeated(self) -> None:
        shop = client()
        assert shop.post("/api/v1/users/ann/merge", {"from": "v/1"}).status_code == 200
        for _ in range(2):
            response = shop.delete("/api/v1/users/ann/merge/v/1")
            assert response.status_code == 200
            assert response.json()["user_id"] == "ann"
        assert shop.get("/api/v1/users/v/1").json()["user_id"] == "v/1"

    def test_what_cannot_be_undone_is_said_by_field(self) -> None:
        shop = client()
        make_user("bob")
        users_merge("v", "ann")
        for path, status, field in [
            ("bob/merge/v", 409, "visitor_id"),
            ("ann/merge/nobody", 404, "visitor_id"),
            ("nobody/merge/v", 404, "user_id"),
        ]:
            response = shop.delete(f"/api/v1/users/{path}")
            assert response.status_code == status
            assert response.json()["errors"][0]["field"] == field

    def test_it_needs_the_scope_that_merging_needs(self) -> None:
        users_merge("v", "ann")
        assert client(secret_key("users:read")).delete("/api/v1/users/ann/merge/v").status_code == 403
        assert client(secret_key("users:write")).delete("/api/v1/users/ann/merge/v").status_code == 200
