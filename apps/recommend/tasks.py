"""Celery tasks: each calls one function with ids. Messages are wake-up calls; losing or repeating one is harmless."""

import structlog
from celery import shared_task
from django.db import transaction
from kombu.exceptions import OperationalError

from apps.catalog.services import relay_changes
from apps.recommend import publish, recipes, training_runs
from apps.recommend.models import ModelVersion
from apps.recommend.precompute import precompute
from apps.recommend.train import carry_out

log = structlog.get_logger(__name__)

TRAIN, REFRESH = "train", "refresh"


@shared_task(queue=TRAIN)
def run_training(run_id: int) -> None:
    """Train what the run asks for, if nobody else does."""
    carry_out(run_id)


@shared_task(queue=REFRESH)
def train_scheduled() -> None:
    """Ask for a run of every model."""
    for name in recipes.all_recipes():
        ask_for_training(name, requested_by="schedule")


@shared_task(queue=REFRESH)
def reclaim_runs() -> None:
    """Wake somebody up for every run that has lost its worker or its message."""
    patience = 2 * training_runs.wake_up_seconds()
    for run_id in training_runs.reclaim():
        run_training.apply_async((run_id,), expires=patience)  # the next call sends it anew


@shared_task(queue=REFRESH)
def prune_models() -> None:
    """Delete old model versions and what killed runs left behind."""
    known = set(ModelVersion.objects.order_by().values_list("model", flat=True).distinct())
    for name in sorted(known | set(recipes.all_recipes())):
        publish.prune(name)


@shared_task(queue=REFRESH)
def relay_catalog_changes() -> None:
    """Give revisions to catalog changes whose own commit could not."""
    relay_changes()


@shared_task(queue=REFRESH)
def precompute_slates() -> None:
    """Compute ahead what users who come back will ask for."""
    precompute()


def ask_for_training(model: str, *, requested_by: str) -> training_runs.Requested:
    """Open a run of `model`, or find the open one, and wake a worker up for it after the commit."""
    requested = training_runs.request(model, requested_by=requested_by)
    if requested.new:
        transaction.on_commit(lambda: _wake_up(requested.run_id))
    return requested


def _wake_up(run_id: int) -> None:
    try:
        run_training.delay(run_id)
    except OperationalError as problem:  # the run is in the database: workers find it by their own clock
        log.warning("broker unreachable", run=run_id, problem=str(problem))
