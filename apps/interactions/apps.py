from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed
from django.apps.registry import Apps
from django.db.models.signals import post_migrate


def _event_types_ensure(*, using: str, apps: Apps = installed, **_: Any) -> None:
    """Add the event types that are missing; rows that exist keep what merchandisers made of them.

    After every migration and flush rather than in a migration: an emptied database has its types again.
    """
    from apps.interactions.event_types import TYPES

    try:
        model = apps.get_model("interactions", "EventType")
    except LookupError:  # migrated back to before the table
        return
    fields = ("name", "weight", "half_life_days", "description", "taste")
    rows = [model(id=kind.code, **{field: getattr(kind, field) for field in fields}) for kind in TYPES]
    model.objects.using(using).bulk_create(rows, ignore_conflicts=True)


class InteractionsConfig(AppConfig):
    name = "apps.interactions"
    verbose_name = "Events"

    def ready(self) -> None:
        from apps.interactions import profiles
        from apps.interactions.user_events import EventHolder
        from apps.users.services import personal_data_register, user_changes_listen

        personal_data_register("interactions", EventHolder())
        user_changes_listen("profiles", profiles.changing)
        post_migrate.connect(_event_types_ensure, sender=self, dispatch_uid="event_types_ensure")
