"""Writes of users, and the ids, tokens and keys that speak for them."""

import secrets
from collections.abc import Collection, Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from apps.users.api_keys import api_key_change, api_key_create, api_key_revoke
from apps.users.errors import UnknownUser
from apps.users.follows import CannotFollow, user_follow, user_unfollow
from apps.users.models import User
from apps.users.personal_data import PersonalDataHolder, holders
from apps.users.personal_data import register as personal_data_register
from apps.users.tokens import (
    MAX_TOKEN_SECONDS,
    BadUserToken,
    user_token_sign,
    user_token_verify,
    visitor_id_is_ours,
    visitor_id_issue,
)

__all__ = [
    "MAX_TOKEN_SECONDS",
    "BadUserToken",
    "CannotFollow",
    "CannotMerge",
    "PersonalDataHolder",
    "UnknownUser",
    "api_key_change",
    "api_key_create",
    "api_key_revoke",
    "personal_data_register",
    "taste_changed",
    "user_erase",
    "user_follow",
    "user_prefer",
    "user_put",
    "user_token_sign",
    "user_token_verify",
    "user_unfollow",
    "users_ensure",
    "users_merge",
    "visitor_id_is_ours",
    "visitor_id_issue",
]

_CHUNK = 5_000


class CannotMerge(ValueError):
    """The two users cannot become one; the message says why."""


def users_ensure(external_ids: Collection[str], *, anonymous: bool) -> dict[str, int]:
    """The database id of each user, creating those that are missing; a merged visitor's is the person's.

    Callers doing so at once for the same id get the same row. One query for each 5,000 ids that are known.
    `anonymous` is said of new users only.
    """
    wanted = sorted(set(external_ids))
    ids: dict[str, int] = {}
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        ids.update(_ids_of(chunk))
        if missing := [external_id for external_id in chunk if external_id not in ids]:
            rows = [User(external_id=external_id, anonymous=anonymous) for external_id in missing]
            User.objects.bulk_create(rows, ignore_conflicts=True)
            ids.update(_ids_of(missing))
    return ids


def _ids_of(external_ids: Sequence[str]) -> dict[str, int]:
    rows = User.objects.filter(external_id__in=external_ids).order_by()
    return {name: into or own for name, own, into in rows.values_list("external_id", "id", "merged_into_id")}


def taste_changed(user_ids: Collection[int]) -> None:
    """These users did something that moves their recommendations: their taste revision grows, they were seen now."""
    wanted = sorted(set(user_ids))
    with transaction.atomic():
        for start in range(0, len(wanted), _CHUNK):
            users = User.objects.filter(id__in=wanted[start : start + _CHUNK])
            if connection.features.has_select_for_update:
                # Locked in one order: two batches that share users wait for each other instead of deadlocking.
                list(users.order_by("id").select_for_update(no_key=True).values_list("id"))
            users.update(taste_revision=F("taste_revision") + 1, last_seen_at=timezone.now())


def user_put(
    external_id: str, *, anonymous: bool | None = None, personalised: bool | None = None,
    attributes: dict[str, Any] | None = None,
) -> bool:  # fmt: skip
    """Create the user, or set what is given (None: leave it, or the default). True when created."""
    given = {"anonymous": anonymous, "personalised": personalised, "attributes": attributes}
    values = {name: value for name, value in given.items() if value is not None}
    with transaction.atomic():
        user, created = User.objects.get_or_create(external_id=external_id, defaults=values)
        if not created and values:
            users = User.objects.filter(pk=user.merged_into_id or user.pk)
            if personalised is not None:  # no cached list may survive a changed wish
                users.exclude(personalised=personalised).update(taste_revision=F("taste_revision") + 1)
            users.update(**values)
    return created


def user_prefer(external_id: str, *, personalised: bool) -> None:
    """Say whether a user wants recommendations of their own. An unknown user is created: the wish must not get lost."""
    user_put(external_id, personalised=personalised)


def users_merge(visitor: str, into: str) -> int:
    """From now on, and for all they did, an anonymous visitor is this person; returns the person's database id.

    Both are created where unknown, and merging again does nothing, so a shop can call it at every sign-in.
    Raises CannotMerge when `visitor` is not anonymous, belongs to somebody else, or is the same user.
    """
    if visitor == into:
        raise CannotMerge("A user cannot be merged with themselves.")
    with transaction.atomic():
        User.objects.bulk_create([User(external_id=into)], ignore_conflicts=True)
        User.objects.bulk_create([User(external_id=visitor, anonymous=True)], ignore_conflicts=True)
        locked = User.objects.select_for_update().filter(external_id__in=[visitor, into]).order_by("id")
        rows = {user.external_id: user for user in locked}
        from_user, into_user = rows[visitor], rows[into]
        into_id = into_user.merged_into_id or into_user.pk
        if into_id == from_user.pk:
            raise CannotMerge("A user cannot be merged with themselves.")
        if not from_user.anonymous:
            raise CannotMerge("Only an anonymous visitor can be merged into a user.")
        if from_user.merged_into_id not in {None, into_id}:
            raise CannotMerge("This visitor already belongs to another user.")
        # Also when merged already: an event may have been on its way to the visitor while they were.
        for _, holder in holders():
            holder.merge(from_user.pk, into_id)
        if from_user.merged_into_id is None:
            User.objects.filter(Q(pk=from_user.pk) | Q(merged_into=from_user.pk)).update(merged_into=into_id)
            taste_changed([into_id])
    return into_id


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
        for one in User.objects.select_for_update().filter(Q(pk=root) | Q(merged_into=root)).order_by("id"):
            for _, holder in holders():
                holder.erase(one.pk)
            one.external_id = f"erased-{secrets.token_hex(16)}"
            one.attributes = {}
            one.personalised = False
            one.last_seen_at = None
            one.erased_at = timezone.now()
            one.taste_revision += 1
            one.save()
