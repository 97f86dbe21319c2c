"""Publishing: one active version, a way back, and nothing damaged."""

import numpy as np
import pytest
from django.db import connection

from apps.recommend import model_store, publish
from apps.recommend.model_store import DamagedModel
from apps.recommend.models import Activation, ModelVersion, TrainingRun
from apps.recommend.publish import CannotPublish

pytestmark = pytest.mark.django_db


def damage(version: str) -> None:
    (model_store.folder(version) / "popularity.npy").unlink()


def active() -> str | None:
    return publish.active_versions().get("popular")


def test_activating_moves_the_mark_and_is_recorded(registered):
    first, second = registered(1), registered(2)
    publish.activate(first.version, "ann")
    publish.activate(second.version, "ben")
    assert publish.active_versions() == {"popular": second.version}
    latest = Activation.objects.first()
    assert (latest.version, latest.previous, latest.by, latest.reason) == (second, first, "ben", "activated")


def test_activating_the_active_version_changes_nothing(registered):
    version = registered(1).version
    publish.activate(version, "ann")
    publish.activate(version, "ann")
    assert Activation.objects.count() == 1


def test_a_damaged_version_is_refused_and_the_active_one_stays(registered):
    good, bad = registered(1).version, registered(2).version
    publish.activate(good, "ann")
    damage(bad)
    with pytest.raises(DamagedModel, match="missing"):
        publish.activate(bad, "ann")
    assert active() == good
    assert "missing" in ModelVersion.objects.get(version=bad).damage


def test_a_version_nobody_knows_is_refused(registered, stored):
    registered(1)
    stray = stored("popular-20261121-9")
    with pytest.raises(CannotPublish, match=stray):
        publish.activate(stray, "ann")


def test_activation_on_condition_is_refused_when_somebody_was_faster(registered):
    first, second, third = (registered(n).version for n in (1, 2, 3))
    publish.activate(first, "ann")
    publish.activate(second, "ben")
    with pytest.raises(CannotPublish, match="meanwhile"):
        publish.activate(third, "", instead_of=first)
    assert active() == second
    publish.activate(third, "", instead_of=second)
    assert active() == third


def test_rolling_back_walks_the_trail_of_activations(registered):
    versions = [registered(n).version for n in (1, 2, 3)]
    for version in versions:
        publish.activate(version, "ann")
    assert publish.roll_back("popular", "ann") == versions[1]
    assert publish.roll_back("popular", "ann") == versions[0]
    with pytest.raises(CannotPublish, match="no earlier version"):
        publish.roll_back("popular", "ann")
    assert active() == versions[0]


def test_after_rolling_back_a_new_version_goes_back_to_where_it_came_from(registered):
    first, second, third = (registered(n).version for n in (1, 2, 3))
    publish.activate(first, "")
    publish.activate(second, "")
    publish.roll_back("popular", "")
    publish.activate(third, "")
    assert publish.roll_back("popular", "") == first


def test_rolling_back_passes_over_what_is_damaged_or_gone(registered):
    versions = [registered(n).version for n in (1, 2, 3, 4)]
    for version in versions:
        publish.activate(version, "ann")
    damage(versions[2])
    ModelVersion.objects.filter(version=versions[1]).update(deleted_at="2026-11-21T00:00Z")
    assert publish.roll_back("popular", "ann") == versions[0]


def test_when_the_active_version_is_damaged_the_last_good_one_takes_its_place(registered):
    first, second, third = (registered(n).version for n in (1, 2, 3))
    for version in (first, second, third):
        publish.activate(version, "")
    damage(second)
    damage(third)
    publish.mark_damaged(third, "found while loading")
    assert active() == first
    publish.mark_damaged(third, "found by another process as well")
    assert active() == first
    assert ModelVersion.objects.get(version=third).damage == "found while loading"


def test_what_somebody_activates_while_damage_is_dealt_with_stays_active(registered):
    first, second, third = (registered(n).version for n in (1, 2, 3))
    publish.activate(first, "")
    publish.activate(second, "")
    damage(second)

    moment = iter([True])

    def somebody_activates(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        if "recommend_activation" in sql and next(moment, False):  # the way back is being looked up
            publish.activate(third, "ben")
        return result

    with connection.execute_wrapper(somebody_activates):
        publish.mark_damaged(second, "found while loading")
    assert active() == third


def test_when_nothing_good_is_left_no_version_is_active(registered):
    version = registered(1).version
    publish.activate(version, "")
    publish.mark_damaged(version, "gone")
    assert publish.active_versions() == {}


def test_a_version_that_is_sound_again_can_be_activated(registered):
    version = registered(1).version
    publish.mark_damaged(version, "the disk was away")
    publish.activate(version, "ann")
    assert active() == version
    assert ModelVersion.objects.get(version=version).damage == ""


def test_retention_keeps_the_newest_the_active_and_the_way_back(registered, settings):
    settings.MODEL_RETENTION = 4
    versions = [registered(n).version for n in range(1, 8)]
    publish.activate(versions[0], "")
    publish.activate(versions[1], "")
    removed = publish.prune("popular")
    assert set(removed) == set(versions[2:5])
    kept = set(ModelVersion.objects.filter(deleted_at=None).values_list("version", flat=True))
    assert kept == {versions[0], versions[1], versions[5], versions[6]}
    assert {path.name for path in model_store.folder(versions[0]).parent.iterdir()} == kept
    assert publish.roll_back("popular", "") == versions[0]
    with pytest.raises((CannotPublish, DamagedModel)):
        publish.activate(versions[3], "")


def test_a_version_that_is_activated_while_old_ones_are_deleted_keeps_its_files(registered, settings):
    settings.MODEL_RETENTION = 2
    old, *_, newest = [registered(n).version for n in range(1, 5)]
    publish.activate(newest, "ann")

    moment = iter([True])

    def somebody_activates(execute, sql, params, many, context):
        if sql.startswith("UPDATE") and next(moment, False):
            publish.activate(old, "ben")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(somebody_activates):
        assert old not in publish.prune("popular")
    assert active() == old
    np.testing.assert_array_equal(model_store.read(old).model.item_ids, [3, 5, 8])


def test_pruning_clears_away_after_a_run_that_died_before_it_could_register(registered, stored, settings):
    registered(1)
    dead = TrainingRun.objects.create(model="popular", status=TrainingRun.Status.FAILED)
    stray = stored("popular-20261121-2", run_id=dead.pk)
    assert publish.prune("popular") == [stray]


def test_pruning_leaves_what_a_running_training_has_just_written(registered, stored):
    registered(1)
    alive = TrainingRun.objects.create(model="popular", status=TrainingRun.Status.RUNNING)
    stray = stored("popular-20261121-2", run_id=alive.pk)
    assert publish.prune("popular") == []
    np.testing.assert_array_equal(model_store.read(stray).model.item_ids, [3, 5, 8])
