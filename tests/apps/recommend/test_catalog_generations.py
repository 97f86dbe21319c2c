"""Large catalogs in files: what is stored is what is opened, only by its own database, and only whole."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from hypothesis import HealthCheck, given, settings

from apps.catalog import selectors
from apps.catalog.models import CatalogIdentity, ItemChange
from apps.catalog.services import catalog_identity, item_patch, relay_changes
from apps.recommend import model_store, publish, serving_state
from apps.recommend.catalog import following, generations
from apps.recommend.catalog.generations import DamagedGeneration, Generation
from apps.recommend.live_catalog import LiveCatalog
from apps.recommend.model_store import StoredModel
from tests.apps.recommend.catalogs import Made, OfItems, assert_same, catalogs, columns_of
from tests.factories import make_items
from tests.processes import database_url, until

SOME = "0" * 32


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, settings: object, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.VAR_DIR = tmp_path
    monkeypatch.setattr(following, "LARGE", 3)


def read() -> LiveCatalog:
    return LiveCatalog.of(selectors.item_columns(), selectors.latest_revision())


def stored() -> list[int]:
    return [one.revision for one in generations.stored(catalog_identity())]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=catalogs, change=catalogs, more=catalogs)
def test_what_is_stored_is_what_is_opened_and_both_are_followed_alike(
    items: dict[int, Made], change: dict[int, Made], more: dict[int, Made]
) -> None:
    patched = LiveCatalog.of(columns_of(items), 1).patched(columns_of(change), 2)
    opened = generations.open_generation(generations.write(patched, SOME, {}))
    anew = LiveCatalog.of(columns_of(items | change), 2)
    assert_same(opened, anew)
    assert_same(opened.patched(columns_of(more), 3), LiveCatalog.of(columns_of(items | change | more), 3))
    again = generations.open_generation(generations.write(opened.patched(columns_of(more), 3), SOME, {}))
    assert_same(again, LiveCatalog.of(columns_of(items | change | more), 3))
    assert_same(opened, anew)


def test_reading_in_parts_is_reading_at_once() -> None:
    items = {one: Made(f"i{one}", title="ä📦" * one, categories=(one % 3 + 1,), colour="red") for one in range(1, 8)}
    parts = [columns_of({one: items[one] for one in ids}) for ids in ((1, 2, 3), (4,), (5, 6, 7))]
    assert_same(generations.from_parts(parts, 4), LiveCatalog.of(columns_of(items), 4))


@pytest.mark.parametrize("damage", ["texts.bin", "fields.bin", "price.bin", "category_indices.npy", "manifest.json"])
@pytest.mark.parametrize("how", ["missing", "cut off"])
def test_half_a_generation_is_not_opened(damage: str, how: str) -> None:
    catalog = LiveCatalog.of(columns_of({one: Made(f"i{one}", categories=(1,)) for one in (1, 2)}), 1)
    generation = generations.write(catalog, SOME, {})
    path = generation.path / damage
    if how == "missing":
        path.unlink()
    else:
        os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(DamagedGeneration, match=generation.path.name):
        generations.open_generation(generation)


def test_two_generations_are_kept_and_what_is_open_goes_on() -> None:
    catalog = LiveCatalog.of(columns_of({1: Made("a"), 2: Made("ä")}), 1)
    opened = generations.open_generation(generations.write(catalog, SOME, {}))
    for revision in (2, 3, 4):
        generations.write(catalog.patched(columns_of({}), revision), SOME, {})
    assert [one.revision for one in generations.stored(SOME)] == [4, 3]
    assert opened.external_ids([0, 1]) == ["a", "ä"]


def test_what_a_killed_writer_left_behind_is_not_taken_for_a_generation() -> None:
    unfinished = generations.folder() / ".unfinished-12345678"
    unfinished.mkdir(parents=True)
    (unfinished / "manifest.json").write_text("{}")
    assert generations.stored(SOME) == []
    generations.write(LiveCatalog.of(columns_of({1: Made("a")}), 1), SOME, {})
    assert not unfinished.exists()


@pytest.mark.django_db(transaction=True)
class TestFollowing:
    def test_a_large_catalog_is_stored_by_the_first_and_opened_by_the_next(self) -> None:
        make_items(*[{"categories": [["Home", f"Room {n}"]], "brand": "Acme"} for n in range(5)])
        first = following.load()
        item_patch("item-2", {"price": "9.99", "title": "Ä"})
        make_items({"item_id": "new"})
        second = following.load()
        assert stored() == [5]
        assert_same(second, read())
        assert_same(following.follow(first), read())

    def test_a_small_catalog_is_not(self) -> None:
        make_items({}, {})
        assert_same(following.load(), read())
        assert stored() == []

    def test_another_process_continues_from_a_newer_generation_in_the_same_epoch(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_items(*[{} for _ in range(5)])
        one, other = following.load(), following.load()
        item_patch("item-2", {"title": "changed"})
        make_items({"item_id": "new"})
        one, other = following.follow(one), following.follow(other)
        monkeypatch.setattr(following, "LARGE", 1)
        assert following.should_be_stored(one)
        marks = selectors.feed_marks(one.revision)
        assert following.store(one, following.identity_of(one), marks) is not None
        assert following.store(other, following.identity_of(other), marks) is None  # another was faster
        item_patch("item-3", {"title": "changed since"})
        continued = following.from_newest(other)
        assert continued.epoch == other.epoch
        assert continued.stored == Generation(catalog_identity(), 7)
        assert not following.should_be_stored(continued)
        assert_same(continued, read())

    def test_many_changes_are_served_as_they_are_reached(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(following, "BATCH", 2)
        monkeypatch.setattr(following, "BATCHES", 2)
        make_items(*[{} for _ in range(5)])
        live, reached = following.load(), []
        for price in ("1.00", "2.00"):
            make_items(*[{"item_id": f"item-{n}", "price": price} for n in range(1, 12)])
            while following.may_be_behind(live, now := following.follow(live)):
                reached.append(now.revision)
                live = now
            live = now
            assert_same(live, read())
        assert reached == [10, 14, 21, 25]

    def test_only_one_writes_at_a_time(self) -> None:
        make_items(*[{} for _ in range(5)])
        live = read()
        with generations.sole_writer(wait=False) as alone:
            assert alone
            assert following.store(live, catalog_identity(), {}) is None
        assert following.store(live, catalog_identity(), {}) is not None

    def test_an_emptied_database_is_another_catalog(self) -> None:
        make_items(*[{} for _ in range(5)])
        before = following.load()
        call_command("flush", interactive=False, verbosity=0)
        make_items(*[{"item_id": f"other-{n}"} for n in range(9)])
        after = following.load()
        assert after.stored is not None
        assert before.stored is not None
        assert after.stored.identity != before.stored.identity
        assert_same(after, read())

    def test_a_generation_from_after_the_backup_that_was_restored_is_left_aside(self) -> None:
        make_items(*[{} for _ in range(5)])
        backup = list(ItemChange.objects.values_list("item_id", "revision", "created_at"))
        item_patch("item-1", {"title": "lost"})
        following.load()
        assert stored() == [6]
        ItemChange.objects.all().delete()
        ItemChange.objects.bulk_create(ItemChange(item_id=i, revision=at, created_at=made) for i, at, made in backup)
        item_patch("item-2", {"title": "after the restoration"})
        item_patch("item-3", {"title": "and more"})
        assert_same(following.load(), read())
        assert stored() == [7]

    def test_a_generation_of_later_than_the_database_is_left_aside(self) -> None:
        make_items(*[{} for _ in range(5)])
        following.load()
        ItemChange.objects.filter(revision__gt=3).delete()
        following.load()
        assert stored() == [3]

    def test_a_damaged_generation_is_made_again(self) -> None:
        make_items(*[{} for _ in range(5)])
        following.load()
        [generation] = generations.stored(catalog_identity())
        (generation.path / "price.bin").unlink()
        assert_same(following.load(), read())
        assert (generation.path / "price.bin").exists()

    def test_a_serving_process_whose_feed_began_anew_reads_the_catalog_again(self) -> None:
        make_items(*[{} for _ in range(5)])
        assert len(serving_state.refresh().catalog) == 5
        call_command("flush", interactive=False, verbosity=0)
        CatalogIdentity.objects.all().delete()
        make_items({"item_id": "only"})
        assert serving_state.refresh().catalog.external_ids([0]) == ["only"]

    def test_a_model_is_not_mapped_again_for_a_price(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ids = make_items(*[{} for _ in range(5)])
        stored_model = StoredModel(OfItems(*ids), {"version": "m-20260101-1"}, {})
        monkeypatch.setattr(publish, "active_versions", lambda: {"m": "m-20260101-1"})
        monkeypatch.setattr(model_store, "read", lambda version: stored_model)
        before = serving_state.refresh()
        item_patch("item-2", {"price": "9.99"})
        after = serving_state.refresh()
        assert after.catalog.price.tolist() != before.catalog.price.tolist()
        assert after.models["m"] is before.models["m"]
        make_items({"item_id": "new"})
        assert serving_state.refresh().models["m"].to_model.tolist() == [0, 1, 2, 3, 4, -1]

    def test_where_nothing_can_be_written_a_large_catalog_is_kept_in_memory(self, tmp_path: Path) -> None:
        make_items(*[{} for _ in range(5)])
        (tmp_path / "catalog").write_text("a file where the folder should be")
        assert_same(following.load(), read())

    def test_processes_that_start_together_make_one_generation(self, tmp_path: Path) -> None:
        make_items(*[{"title": f"Ä {n}"} for n in range(50)])
        relay_changes()
        processes = [start(tmp_path, LOAD) for _ in range(3)]
        said = [process.communicate(timeout=120)[0] for process in processes]
        assert [process.returncode for process in processes] == [0, 0, 0], said
        assert {text.split()[-1] for text in said} == {"50"}
        assert sum("WROTE" in text for text in said) == 1
        assert stored() == [50]

    def test_a_builder_that_was_killed_leaves_nothing_that_is_taken_for_whole(self, tmp_path: Path) -> None:
        make_items(*[{} for _ in range(50)])
        relay_changes()
        builder = start(tmp_path, STUCK)
        until(lambda: list(generations.folder().glob(".unfinished-*/texts.bin")), patience=120)
        with generations.sole_writer(wait=False) as alone:
            assert not alone
        builder.send_signal(signal.SIGKILL)
        builder.wait()
        assert stored() == []
        assert_same(following.load(), read())
        assert stored() == [50]
        assert not list(generations.folder().glob(".*"))


LOAD = """
import django; django.setup()
from apps.recommend.catalog import following, generations
following.LARGE = 3
write = generations.write
def noted(*args):
    print("WROTE")
    return write(*args)
generations.write = noted
print(len(following.load()))
"""

STUCK = """
import time
import django; django.setup()
from apps.recommend.catalog import following, generations
following.LARGE = 3
generations.write_fields = lambda *args: time.sleep(600)
following.load()
"""


def start(var_dir: Path, program: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=Path(__file__).resolve().parents[3],
        env=os.environ | {"VAR_DIR": str(var_dir), "DATABASE_URL": database_url()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
