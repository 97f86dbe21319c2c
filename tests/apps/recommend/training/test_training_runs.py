"""Training runs: one at a time, held by a lease, never lost."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from apps.recommend import training_runs
from apps.recommend.models import TrainingRun
from apps.recommend.training_runs import LeaseLost, Status

pytestmark = pytest.mark.django_db


def fall_silent(run_id: int) -> None:
    """What is left when a worker is killed: a running row whose lease runs out."""
    TrainingRun.objects.filter(pk=run_id).update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def test_a_second_request_returns_the_open_run():
    first = training_runs.request("als", requested_by="ann")
    second = training_runs.request("als", requested_by="ben")
    assert first.new
    assert not second.new
    assert first.run_id == second.run_id
    assert training_runs.request("popular").new


def test_a_new_run_can_be_opened_when_the_last_one_has_ended():
    run = training_runs.request("als")
    claim = training_runs.claim(run.run_id)
    claim.finish(Status.REFUSED, "too little")
    assert training_runs.request("als").new


def test_only_one_claim_of_a_run_succeeds():
    run_id = training_runs.request("als").run_id
    assert training_runs.claim(run_id) is not None
    assert training_runs.claim(run_id) is None


@pytest.mark.django_db(transaction=True)
def test_of_workers_that_claim_at_once_exactly_one_gets_the_run():
    run_id = training_runs.request("als").run_id
    start, claims = threading.Barrier(4), []

    def worker() -> None:
        start.wait()
        claims.append(training_runs.claim(run_id))
        connection.close()

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(claim is not None for claim in claims) == 1
    assert TrainingRun.objects.get(pk=run_id).attempts == 1


@pytest.mark.django_db(transaction=True)
def test_of_requests_at_once_exactly_one_opens_a_run():
    start, answers = threading.Barrier(4), []

    def ask() -> None:
        start.wait()
        answers.append(training_runs.request("als"))
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.new for answer in answers].count(True) == 1
    assert len({answer.run_id for answer in answers}) == 1


def test_progress_can_be_read_while_it_runs():
    claim = training_runs.claim(training_runs.request("als").run_id)
    claim.step("learning", 0.4)
    run = TrainingRun.objects.get()
    assert (run.status, run.step, run.progress) == ("running", "learning", 0.4)


def test_a_run_whose_worker_fell_silent_is_queued_again_and_can_be_claimed():
    run_id = training_runs.request("als").run_id
    training_runs.claim(run_id)
    assert training_runs.reclaim() == []
    fall_silent(run_id)
    assert training_runs.reclaim() == [run_id]
    assert training_runs.claim(run_id) is not None
    assert TrainingRun.objects.get().attempts == 2


def test_the_worker_that_lost_its_run_can_neither_go_on_nor_publish():
    run_id = training_runs.request("als").run_id
    silent = training_runs.claim(run_id)
    fall_silent(run_id)
    training_runs.reclaim()
    successor = training_runs.claim(run_id)
    with pytest.raises(LeaseLost):
        silent.step("still here", 0.9)
    with pytest.raises(LeaseLost), transaction.atomic():
        silent.finish(Status.ACTIVATED, "done")
    successor.finish(Status.ACTIVATED, "done by the successor")
    assert TrainingRun.objects.get().message == "done by the successor"


def test_a_run_that_keeps_killing_its_worker_is_given_up_with_a_reason():
    run_id = training_runs.request("als").run_id
    for _ in range(training_runs.ATTEMPTS):
        claim = training_runs.claim(run_id)
        claim.step("learning", 0.3)
        fall_silent(run_id)
        training_runs.reclaim()
    run = TrainingRun.objects.get()
    assert run.status == Status.FAILED
    assert "died 3 times" in run.message
    assert "learning" in run.message
    assert training_runs.claim(run_id) is None


def test_a_queued_run_whose_message_was_lost_is_found_after_a_while():
    run_id = training_runs.request("als").run_id
    assert training_runs.reclaim() == []
    TrainingRun.objects.update(requested_at=timezone.now() - timedelta(minutes=1))
    assert training_runs.reclaim() == [run_id]


@pytest.mark.django_db(transaction=True)
def test_the_heartbeat_keeps_a_long_training_from_being_reclaimed(settings):
    settings.TRAINING_LEASE_SECONDS = 2
    run_id = training_runs.request("als").run_id
    with training_runs.claim(run_id) as claim:
        first = TrainingRun.objects.get().lease_expires_at
        time.sleep(3)
        assert training_runs.reclaim() == []
        assert TrainingRun.objects.get().lease_expires_at > first
        claim.finish(Status.ACTIVATED, "done")
    assert TrainingRun.objects.get().status == Status.ACTIVATED


@pytest.mark.django_db(transaction=True)
def test_the_heartbeat_notices_that_the_run_was_taken_over(settings):
    settings.TRAINING_LEASE_SECONDS = 2
    run_id = training_runs.request("als").run_id
    with training_runs.claim(run_id) as claim:
        TrainingRun.objects.update(worker="somebody else")
        time.sleep(1)
        TrainingRun.objects.update(worker=claim.worker)  # even if the row came back to us, our work is tainted
        with pytest.raises(LeaseLost):
            claim.step("learning", 0.5)
