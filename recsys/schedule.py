"""Everything that happens by the clock.

The rows that Celery beat goes by can be edited in the admin. This module only adds those that are missing when beat
starts; to stop one, switch it off rather than delete it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler


@dataclass(frozen=True)
class Entry:
    """One thing that happens by the clock: every so many seconds, or daily at an hour of the shop's day."""

    name: str
    task: str
    description: str
    every_seconds: int | None = None
    daily_at: int | None = None
    expire_seconds: int | None = None

    def timing(self) -> Mapping[str, Any]:
        """The schedule row, made where it is missing, under the name of PeriodicTask's field for it."""
        if self.every_seconds is not None:
            known = IntervalSchedule.objects.filter(every=self.every_seconds, period=IntervalSchedule.SECONDS).first()
            return {
                "interval": known
                or IntervalSchedule.objects.create(every=self.every_seconds, period=IntervalSchedule.SECONDS)
            }
        at = {"minute": "30", "hour": str(self.daily_at), "timezone": settings.TIME_ZONE}
        return {"crontab": CrontabSchedule.objects.filter(**at).first() or CrontabSchedule.objects.create(**at)}


def entries() -> list[Entry]:
    """What a new installation does by the clock."""
    return [
        Entry(
            name="Train every model",
            task="apps.recommend.tasks.train_scheduled",
            description="The interval of a new installation is MODEL_UPDATE_INTERVAL; change it here afterwards.",
            every_seconds=settings.MODEL_UPDATE_INTERVAL,
            expire_seconds=settings.MODEL_UPDATE_INTERVAL,
        ),
        Entry(
            name="Compute slates ahead",
            task="apps.recommend.tasks.precompute_slates",
            description="For the PRECOMPUTED_USERS users seen last; does nothing without Redis.",
            every_seconds=3600,
            expire_seconds=3600,
        ),
        Entry(
            name="Delete old model versions",
            task="apps.recommend.tasks.prune_models",
            description="Keeps MODEL_RETENTION versions of each model, the active one and the one before it.",
            daily_at=4,
        ),
        Entry(
            name="Relay catalog changes",
            task="apps.recommend.tasks.relay_catalog_changes",
            description="A safety net: a change is relayed when it is committed, unless its process died just then.",
            every_seconds=30,
            expire_seconds=30,
        ),
    ]


def seed() -> list[str]:
    """Add the entries that are missing and return their names. What is there already is left as it is."""
    missing = [entry for entry in entries() if not PeriodicTask.objects.filter(name=entry.name).exists()]
    for entry in missing:
        PeriodicTask.objects.create(
            name=entry.name,
            task=entry.task,
            description=entry.description,
            expire_seconds=entry.expire_seconds,
            **entry.timing(),
        )
    return [entry.name for entry in missing]


class ShopScheduler(DatabaseScheduler):
    """Beat's scheduler: the database's rows, after adding those that a new installation lacks."""

    def setup_schedule(self) -> None:
        seed()
        super().setup_schedule()
