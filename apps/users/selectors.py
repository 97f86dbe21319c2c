"""Reads of users."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from apps.users.api_keys import KeyFacts, browser_origins, key_facts
from apps.users.follows import FollowColumns, FollowRecord, follow_columns, follow_record, follows_listed
from apps.users.models import User
from apps.users.personal_data import holders

__all__ = [
    "FollowColumns",
    "FollowRecord",
    "KeyFacts",
    "UserFacts",
    "UserRecord",
    "browser_origins",
    "export_user",
    "external_ids_of",
    "follow_columns",
    "follow_record",
    "follows_listed",
    "key_facts",
    "user_by_external_id",
    "user_record",
    "users_listed",
    "users_seen_last",
]


@dataclass(frozen=True)
class UserFacts:
    """What serving needs to know of a user."""

    id: int
    external_id: str
    anonymous: bool
    personalised: bool
    taste_revision: int


@dataclass(frozen=True)
class UserRecord:
    """A user as the API shows them."""

    user_id: str
    anonymous: bool
    personalised: bool
    attributes: dict[str, Any]
    created_at: datetime
    last_seen_at: datetime | None


def user_by_external_id(external_id: str) -> UserFacts | None:
    """The user with this id, or the one they were merged into; None when unknown. One query."""
    user = _by_external_id(external_id)
    if user is None:
        return None
    return UserFacts(user.pk, user.external_id, user.anonymous, user.personalised, user.taste_revision)


def user_record(external_id: str) -> UserRecord | None:
    """The user with this id, or the one they were merged into, as the API shows them; None when unknown."""
    user = _by_external_id(external_id)
    return None if user is None else record_of(user)


def record_of(user: User) -> UserRecord:
    """A row as the API shows it."""
    return UserRecord(
        user_id=user.external_id,
        anonymous=user.anonymous,
        personalised=user.personalised,
        attributes=user.attributes,
        created_at=user.created_at,
        last_seen_at=user.last_seen_at,
    )


def users_listed() -> QuerySet[User]:
    """Users for a page of the API: neither erased nor merged into another."""
    return User.objects.filter(erased_at__isnull=True, merged_into__isnull=True)


def users_seen_last(limit: int) -> list[str]:
    """The external ids of the users who did something last, the latest first. O(users): for background work."""
    seen = users_listed().filter(last_seen_at__isnull=False, personalised=True).order_by("-last_seen_at", "-id")
    return list(seen.values_list("external_id", flat=True)[:limit])


def external_ids_of(ids: list[int]) -> dict[int, str]:
    """The shop's ids of database ids; unknown ones are left out. One query for each 10,000."""
    found: dict[int, str] = {}
    for start in range(0, len(ids), 10_000):
        found.update(
            User.objects.filter(id__in=ids[start : start + 10_000]).order_by().values_list("id", "external_id")
        )
    return found


def export_user(external_id: str) -> dict[str, Any] | None:
    """Everything held about a user, by every app that holds something, as JSON values; None when unknown."""
    user = _by_external_id(external_id)
    if user is None:
        return None
    visitors = User.objects.filter(merged_into=user).order_by("id")
    return {
        "user": {
            "user_id": user.external_id,
            "anonymous": user.anonymous,
            "personalised": user.personalised,
            "attributes": user.attributes,
            "created_at": user.created_at,
            "last_seen_at": user.last_seen_at,
            "visitor_ids": list(visitors.values_list("external_id", flat=True)),
        }
    } | {name: holder.export(user.pk) for name, holder in holders()}


def _by_external_id(external_id: str) -> User | None:
    users = User.objects.select_related("merged_into").filter(erased_at__isnull=True)
    user = users.filter(external_id=external_id).first()
    return user and (user.merged_into or user)
