"""A user's taste revision: the number by which everybody sees that something about them has changed."""

from collections.abc import Collection

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.users.models import User
from apps.users.user_changes import Moved

_CHUNK = 5_000


def taste_changed(user_ids: Collection[int], *, seen: bool = True) -> list[Moved]:
    """Something that moves these users' recommendations happened: their taste revision grows; `seen`: they did it now.

    Returns them with their new revisions; their rows are held until the transaction ends.
    """
    wanted = sorted(set(user_ids))
    moved: list[Moved] = []
    with transaction.atomic():
        for start in range(0, len(wanted), _CHUNK):
            users = User.objects.filter(id__in=wanted[start : start + _CHUNK])
            # Locked in one order: two batches that share users wait for each other instead of deadlocking.
            rows = users.order_by("id").select_for_update(no_key=True)
            moved += [
                Moved(user_id, name, revision + 1)
                for user_id, name, revision in rows.values_list("id", "external_id", "taste_revision")
            ]
            now = {"last_seen_at": timezone.now()} if seen else {}
            users.order_by().update(taste_revision=F("taste_revision") + 1, **now)
    return moved
