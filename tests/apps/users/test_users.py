from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from apps.users import personal_data
from apps.users.models import User
from apps.users.selectors import export_user, user_by_external_id
from apps.users.services import (
    CannotMerge,
    UnknownUser,
    taste_changed,
    user_erase,
    user_put,
    users_ensure,
    users_merge,
)
from tests.factories import make_events, make_items, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> dict[int, list[str]]:
    """A store of personal data, as an upper app might keep one."""
    kept: dict[int, list[str]] = {}

    class Notes:
        def export(self, user_id: int) -> dict[str, Any]:
            return {"notes": list(kept.get(user_id, []))}

        def erase(self, user_id: int) -> None:
            kept.pop(user_id, None)

        def merge(self, from_id: int, into_id: int) -> list[Any]:
            moved = kept.pop(from_id, [])
            kept.setdefault(into_id, []).extend(moved)
            return moved

        def unmerge(self, from_id: int, into_id: int, visitors: list[int], record: list[Any]) -> bool:
            kept[from_id] = [note for note in kept.get(from_id, []) if note not in record]
            kept.setdefault(into_id, []).extend(record)
            return bool(record)

    monkeypatch.setattr(personal_data, "_holders", dict(personal_data._holders))
    personal_data.register("notes", Notes())
    return kept


def test_users_are_created_once_and_keep_what_they_are() -> None:
    first = users_ensure(["a", "b", "a"], anonymous=True)
    assert first.keys() == {"a", "b"}
    again = users_ensure(["b", "c"], anonymous=False)
    assert again["b"] == first["b"]
    assert dict(User.objects.values_list("external_id", "anonymous")) == {"a": True, "b": True, "c": False}
    assert users_ensure([], anonymous=True) == {}


def test_tens_of_thousands_of_users_are_ensured_in_a_few_queries(django_assert_max_num_queries: Any) -> None:
    names = [f"u{n}" for n in range(12_000)]
    with django_assert_max_num_queries(120):  # SQLite takes 999 values in one statement
        ids = users_ensure(names, anonymous=False)
    assert len(set(ids.values())) == 12_000
    with django_assert_max_num_queries(3):
        assert users_ensure(names, anonymous=False) == ids


@pytest.mark.django_db(transaction=True)
def test_users_ensured_by_several_at_once_exist_once() -> None:
    names = [f"u{n}" for n in range(300)]

    def ensure(turn: int) -> dict[str, int]:
        try:
            ids = users_ensure(names[:: 1 if turn % 2 else -1], anonymous=False)
            taste_changed(list(ids.values()))
            return ids
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(ensure, range(4)))
    assert all(result == results[0] for result in results)
    assert User.objects.count() == 300
    assert set(User.objects.values_list("taste_revision", flat=True)) == {4}


def test_a_taste_revision_grows_with_every_change_in_one_update() -> None:
    ids = [make_user("a"), make_user("b"), make_user("c")]
    taste_changed(ids[:2])
    taste_changed([ids[0], ids[0]])
    taste_changed([])
    assert [user_by_external_id(name).taste_revision for name in "abc"] == [2, 1, 0]  # type: ignore[union-attr]
    assert User.objects.get(external_id="a").last_seen_at is not None
    assert User.objects.get(external_id="c").last_seen_at is None


def test_turning_personalisation_off_moves_the_revision_so_no_cached_list_survives() -> None:
    user_put("ann")
    before = user_by_external_id("ann")
    user_put("ann", personalised=False)
    after = user_by_external_id("ann")
    assert before is not None
    assert after is not None
    assert not after.personalised
    assert after.taste_revision > before.taste_revision
    user_put("ann", personalised=False)
    assert user_by_external_id("ann") == after
    assert User.objects.get(external_id="ann").last_seen_at is None


class TestMerge:
    def test_what_a_visitor_did_counts_for_the_person_and_so_does_what_follows(
        self, notes: dict[int, list[str]]
    ) -> None:
        visitor, ann = make_user("v", anonymous=True), make_user("ann")
        notes[visitor] = ["likes mugs"]
        before = user_by_external_id("ann")
        assert users_merge("v", "ann") == ann
        assert notes == {ann: ["likes mugs"]}
        assert users_ensure(["v"], anonymous=True) == {"v": ann}
        found = user_by_external_id("v")
        assert found is not None
        assert (found.id, found.external_id) == (ann, "ann")
        assert before is not None
        assert found.taste_revision > before.taste_revision

    def test_merging_again_changes_nothing_but_brings_along_what_was_late(self, notes: dict[int, list[str]]) -> None:
        visitor = make_user("v", anonymous=True)
        ann = users_merge("v", "ann")
        revision = user_by_external_id("ann").taste_revision  # type: ignore[union-attr]
        assert users_merge("v", "ann") == ann
        assert user_by_external_id("ann").taste_revision == revision  # type: ignore[union-attr]
        notes[visitor] = ["was on its way"]
        assert users_merge("v", "ann") == ann
        assert notes == {ann: ["was on its way"]}
        assert user_by_external_id("ann").taste_revision > revision  # type: ignore[union-attr]

    def test_neither_need_be_known_yet(self) -> None:
        ann = users_merge("v", "ann")
        assert users_ensure(["v", "ann"], anonymous=False) == {"v": ann, "ann": ann}
        assert not User.objects.get(pk=ann).anonymous

    def test_events_of_the_visitor_become_the_persons(self) -> None:
        make_items({}, {})
        make_events("v", ["item-1"], anonymous=True)
        users_merge("v", "ann")
        make_events("v", ["item-2"], anonymous=True)
        held = export_user("ann")
        assert held is not None
        assert [event["item_id"] for event in held["interactions"]["events"]] == ["item-1", "item-2"]

    def test_nobody_can_take_over_a_person_or_somebody_elses_visitor(self) -> None:
        make_user("bob")
        users_merge("v", "ann")
        same = "themselves"
        for visitor, into, reason in [
            ("bob", "ann", "anonymous"),
            ("v", "bob", "another"),
            ("ann", "ann", same),
            ("ann", "v", same),
        ]:
            with pytest.raises(CannotMerge, match=reason):
                users_merge(visitor, into)


class TestErasure:
    def test_nothing_of_an_erased_user_or_their_visitors_is_left(self, notes: dict[int, list[str]]) -> None:
        make_items({})
        make_events("v-ann", ["item-1"], anonymous=True)
        ann = users_merge("v-ann", "ann")
        user_put("ann", attributes={"mail": "ann@shop.example"})
        notes[ann] = ["likes mugs"]
        user_erase("ann")
        assert notes == {}
        assert user_by_external_id("ann") is None
        assert user_by_external_id("v-ann") is None
        assert export_user("ann") is None
        everything = str(list(User.objects.values()))
        assert "ann" not in everything
        assert User.objects.filter(erased_at__isnull=False, external_id__startswith="erased-").count() == 2

    def test_an_erased_id_used_again_is_a_new_user(self) -> None:
        old = make_user("ann")
        user_erase("ann")
        assert make_user("ann") != old

    def test_the_visitors_id_erases_the_person_too(self) -> None:
        users_merge("v", "ann")
        user_erase("v")
        assert user_by_external_id("ann") is None

    def test_the_id_an_erased_user_is_kept_under_leads_nowhere(self) -> None:
        row = make_user("ann")
        user_erase("ann")
        kept_under = User.objects.get(pk=row).external_id
        assert user_by_external_id(kept_under) is None
        assert export_user(kept_under) is None
        with pytest.raises(UnknownUser):
            user_erase(kept_under)

    def test_an_unknown_user_cannot_be_erased(self) -> None:
        with pytest.raises(UnknownUser):
            user_erase("nobody")

    def test_an_export_asks_every_holder(self, notes: dict[int, list[str]]) -> None:
        ann = make_user("ann")
        notes[ann] = ["likes mugs"]
        user_put("ann", attributes={"city": "Leeds"})
        held = export_user("ann")
        assert held is not None
        assert held["user"]["user_id"] == "ann"
        assert held["user"]["attributes"] == {"city": "Leeds"}
        assert held["notes"] == {"notes": ["likes mugs"]}
        assert held["interactions"] == {"events": []}
