"""Writes of users, and the ids, tokens and keys that speak for them."""

import secrets
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.users.api_keys import api_key_change, api_key_create, api_key_revoke, refresh_keys
from apps.users.errors import UnknownUser
from apps.users.follows import CannotFollow, user_follow, user_unfollow
from apps.users.merging import CannotMerge, users_merge, users_unmerge
from apps.users.models import Merge, User
from apps.users.personal_data import PersonalDataHolder, holders
from apps.users.personal_data import register as personal_data_register
from apps.users.taste_revision import taste_changed
from apps.users.tokens import (
    MAX_TOKEN_SECONDS,
    BadUserToken,
    user_token_sign,
    user_token_verify,
    visitor_id_is_ours,
    visitor_id_issue,
)
from apps.users.user_changes import Moved, changing
from apps.users.user_changes import listen as user_changes_listen

__all__ = [
    "MAX_TOKEN_SECONDS",
    "BadUserToken",
    "CannotFollow",
    "CannotMerge",
    "Moved",
    "PersonalDataHolder",
    "UnknownUser",
    "api_key_change",
    "api_key_create",
    "api_key_revoke",
    "personal_data_register",
    "refresh_keys",
    "taste_changed",
    "user_changes_listen",
    "user_erase",
    "user_follow",
    "user_prefer",
    "user_put",
    "user_token_sign",
    "user_token_verify",
    "user_unfollow",
    "users_behind",
    "users_ensure",
    "users_merge",
    "users_unmerge",
    "visitor_id_is_ours",
    "visitor_id_issue",
]

_CHUNK = 5_000


class Behind(NamedTuple):
    """Whom an external id stands for: the user, and the visitor themselves where they were merged into that user."""

    user_id: int
    visitor_id: int | None


def users_ensure(external_ids: Collection[str], *, anonymous: bool) -> dict[str, int]:
    """The database id of each user, creating those that are missing; a merged visitor's is the person's.

    Callers doing so at once for the same id get the same row. One query for each 5,000 ids that are known.
    `anonymous` is said of new users only.
    """
    return {name: behind.user_id for name, behind in users_behind(external_ids, anonymous=anonymous).items()}


def users_behind(external_ids: Collection[str], *, anonymous: bool) -> dict[str, Behind]:
    """As `users_ensure`; says also which visitor it was."""
    wanted = sorted(set(external_ids))
    found: dict[str, Behind] = {}
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        found.update(_behind(chunk))
        if missing := [external_id for external_id in chunk if external_id not in found]:
            rows = [User(external_id=external_id, anonymous=anonymous) for external_id in missing]
            User.objects.bulk_create(rows, ignore_conflicts=True)
            found.update(_behind(missing))
    return found


def _behind(external_ids: Sequence[str]) -> dict[str, Behind]:
    rows = User.objects.filter(external_id__in=external_ids).order_by()
    return {
        name: Behind(own, None) if into is None else Behind(into, own)
        for name, own, into in rows.values_list("external_id", "id", "merged_into_id")
    }


def user_put(
    external_id: str, *, anonymous: bool | None = None, personalised: bool | None = None,
    attributes: dict[str, Any] | None = None,
) -> bool:  # fmt: skip
    """Create the user, or set what is given (None: leave it, or the default). True when created."""
    given = {"anonymous": anonymous, "personalised": personalised, "attributes": attributes}
    values = {name: value for name, value in given.items() if value is not None}
    moved = []
    with transaction.atomic():
        user, created = User.objects.get_or_create(external_id=external_id, defaults=values)
        if created:
            moved.append(Moved(user.pk, external_id, 0))
        elif values:
            person = User.objects.select_for_update(no_key=True).get(pk=user.merged_into_id or user.pk)
            before = _wishes(person)
            for name, value in values.items():
                setattr(person, name, value)
            if _wishes(person) != before:  # no cached list may survive a changed wish
                person.taste_revision += 1
                moved.append(Moved(person.pk, person.external_id, person.taste_revision))
            person.save(update_fields=[*values, "taste_revision"])
        told = changing(moved)
    told()
    return created


def _wishes(user: User) -> tuple[Any, ...]:
    """What recommendations depend on, beside the taste."""
    return user.anonymous, user.personalised, user.attributes.get("segments")


def user_prefer(external_id: str, *, personalised: bool) -> None:
    """Say whether a user wants recommendations of their own. An unknown user is created: the wish must not get lost."""
    user_put(external_id, personalised=personalised)


def user_erase(external_id: str) -> None:
    """Erase a user and the visitors merged into them: ids and attributes go, and every app erases what it holds.

    The rows stay, under random ids, because events do, and what is counted refers to them. Nothing leads from them to
    the person. Raises UnknownUser.
    """
    with transaction.atomic():
        known = User.objects.select_for_update(of=("self",)).filter(erased_at__isnull=True)
        user = known.filter(external_id=external_id).first()
        if user is None:
            raise UnknownUser(external_id)
        root = user.merged_into_id or user.pk
        moved = []
        for one in User.objects.select_for_update().filter(Q(pk=root) | Q(merged_into=root)).order_by("id"):
            for _, holder in holders():
                holder.erase(one.pk)
            one.taste_revision += 1
            moved.append(Moved(one.pk, one.external_id, one.taste_revision))
            one.external_id = f"erased-{secrets.token_hex(16)}"
            one.attributes = {}
            one.personalised = False
            one.last_seen_at = None
            one.erased_at = timezone.now()
            one.save()
        Merge.objects.filter(visitor__in=[one.id for one in moved]).delete()
        told = changing(moved)
    told()
