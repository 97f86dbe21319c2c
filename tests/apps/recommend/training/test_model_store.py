"""The model store: whole directories or none, never overwritten, never trusted blindly."""

import json
from pathlib import Path

import numpy as np
import pytest

from apps.recommend import model_indexes, model_store
from apps.recommend.engine.algorithms.content import ContentModel
from apps.recommend.engine.types import Evidence, Query
from apps.recommend.model_store import DamagedModel

VERSION = "popular-20261121-1"


def test_a_model_reads_back_as_it_was_written(stored, popularity_model):
    stored(facts={"counts": {"events": 7}})
    read = model_store.read(VERSION)
    np.testing.assert_array_equal(read.model.item_ids, popularity_model.item_ids)
    np.testing.assert_array_equal(read.model.popularity, popularity_model.popularity)
    assert read.manifest["counts"] == {"events": 7}
    assert read.manifest["model"] == "popular"
    assert read.manifest["arrays"]["popularity"] == {"shape": [3], "dtype": "<f4"}
    assert set(read.manifest["files"]) == {"item_ids.npy", "popularity.npy"}
    assert read.manifest["libraries"]["numpy"] == np.__version__


def test_arrays_are_memory_mapped_and_read_only(stored):
    stored()
    array = model_store.read(VERSION).model.popularity
    assert isinstance(array.base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1.0


def test_a_version_is_never_overwritten(stored):
    stored()
    before = (model_store.folder(VERSION) / "manifest.json").read_bytes()
    with pytest.raises(FileExistsError):
        stored(facts={"another": True})
    assert (model_store.folder(VERSION) / "manifest.json").read_bytes() == before


def test_a_failed_write_leaves_nothing_behind(stored, popularity_model, models_folder: Path):
    class Unsavable:
        item_ids = popularity_model.item_ids

        def to_arrays(self):
            return {"fine": np.zeros(3), "objects": np.array([object()])}

    with pytest.raises(ValueError, match="allow_pickle"):
        stored(model=Unsavable())
    assert list((models_folder / "popular").iterdir()) == []


def damage_missing_file(folder: Path) -> None:
    (folder / "popularity.npy").unlink()


def damage_flipped_byte(folder: Path) -> None:
    content = bytearray((folder / "popularity.npy").read_bytes())
    content[-1] ^= 1
    (folder / "popularity.npy").write_bytes(content)


def damage_cut_short(folder: Path) -> None:
    path = folder / "popularity.npy"
    path.write_bytes(path.read_bytes()[:-4])


def damage_no_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def damage_half_a_manifest(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text()[:100])


def _edit_manifest(folder: Path, **changes) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def damage_another_versions_manifest(folder: Path) -> None:
    _edit_manifest(folder, version="popular-20261121-2")


def damage_an_unlisted_array(folder: Path) -> None:
    _edit_manifest(folder, files={})


def damage_wrong_shape(folder: Path) -> None:
    _edit_manifest(
        folder,
        arrays={"item_ids": {"shape": [3], "dtype": "<i8"}, "popularity": {"shape": [4], "dtype": "<f4"}},
    )


def damage_an_algorithm_nobody_has(folder: Path) -> None:
    _edit_manifest(folder, algorithm="phrenology")


def damage_a_manifest_that_names_no_algorithm(folder: Path) -> None:
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace('"algorithm"', '"algorythm"'))


def damage_a_manifest_that_does_not_say_how_long_a_file_is(folder: Path) -> None:
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace('"bytes"', '"byte"'))


def damage_a_manifest_that_does_not_say_what_an_array_is_like(folder: Path) -> None:
    _edit_manifest(folder, arrays={"item_ids": {"shape": [3], "dtype": "<i8"}, "popularity": [3]})


def damage_a_manifest_that_is_a_list(folder: Path) -> None:
    (folder / "manifest.json").write_text("[]")


def damage_everything_gone(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


DAMAGES = [value for name, value in sorted(globals().items()) if name.startswith("damage_")]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_directory_is_refused_with_a_sentence_that_names_it(stored, damage):
    stored()
    damage(model_store.folder(VERSION))
    with pytest.raises(DamagedModel, match=VERSION) as refusal:
        model_store.read(VERSION)
    assert str(refusal.value).endswith(".")


def test_damage_after_the_first_read_is_found_when_checked_again(stored):
    stored()
    model_store.read(VERSION)
    damage_flipped_byte(model_store.folder(VERSION))
    with pytest.raises(DamagedModel, match="checksum"):
        model_store.verify(VERSION, again=True)


@pytest.mark.parametrize("name", ["", "popular", "../../etc/passwd", "popular-20261121-1/..", "popular-1-1"])
def test_what_cannot_be_a_version_is_never_looked_for_on_disk(name):
    with pytest.raises(DamagedModel):
        model_store.read(name)


def test_version_numbers_are_never_used_twice(stored):
    stored("popular-20261121-3")
    assert model_store.next_version("popular", ["popular-20261121-9", "popular-20261120-50"], "20261121") == (
        "popular-20261121-10"
    )
    assert model_store.next_version("popular", [], "20261121") == "popular-20261121-4"
    assert model_store.next_version("als", [], "20261121") == "als-20261121-1"


def test_leftovers_of_killed_runs_are_swept_and_running_ones_left_alone(stored, models_folder: Path):
    stored("popular-20261121-1")
    stored("popular-20261121-2", run_id=7)
    stored("popular-20261121-3", run_id=8)
    folder = models_folder / "popular"
    (folder / ".run-7-00aa").mkdir()
    (folder / ".run-8-00bb").mkdir()
    (folder / ".gone-00cc").mkdir()
    removed = model_store.sweep("popular", known=["popular-20261121-1"], running=[8])
    assert set(removed) == {"popular-20261121-2", ".run-7-00aa", ".gone-00cc"}
    assert {path.name for path in folder.iterdir()} == {"popular-20261121-1", "popular-20261121-3", ".run-8-00bb"}


def test_removing_a_version_leaves_those_that_have_it_open_unharmed(stored, popularity_model):
    stored()
    model = model_store.read(VERSION).model
    model_store.remove(VERSION)
    np.testing.assert_array_equal(model.popularity, popularity_model.popularity)
    assert not model_store.folder(VERSION).exists()


def test_an_index_is_stored_with_its_recall_and_finds_what_exact_search_finds(models_folder: Path):
    rng = np.random.default_rng(5)
    units = rng.normal(size=(3000, 16)).astype(np.float32)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    model = ContentModel(np.arange(3000, dtype=np.int64), units, "tfidf")
    with model_store.workspace("content", 1) as folder:
        indexes = model_indexes.build(model, folder, seed=1, rng=rng, index_from=1000)
        model_store.write(
            version="content-20261121-1", algorithm="content", model=model, indexes=indexes, facts={}, run_id=1
        )
    read = model_store.read("content-20261121-1")
    assert read.manifest["indexes"]["seeds"]["recall"] >= model_indexes.LEAST_RECALL
    assert set(read.indexes) == {"history", "seeds"}
    vector = read.model.query_vector(Query(seeds=Evidence.of_rows([17])))
    rows, scores = read.indexes["seeds"].search(vector, 10)
    assert rows[0] == 17
    np.testing.assert_allclose(scores, units[rows] @ vector, atol=1e-3)
    assert {path.name for path in (models_folder / "content").iterdir()} == {"content-20261121-1"}


def test_a_small_catalog_needs_no_index(tmp_path: Path, popularity_model):
    rng = np.random.default_rng(5)
    model = ContentModel(np.arange(10, dtype=np.int64), np.eye(10, dtype=np.float32), "tfidf")
    assert model_indexes.build(model, tmp_path, seed=1, rng=rng) == {}
    assert model_indexes.build(popularity_model, tmp_path, seed=1, rng=rng, index_from=1) == {}
    assert list(tmp_path.iterdir()) == []
