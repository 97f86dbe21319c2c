"""Who follows whom: written one by one, read in pages or all at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import F, Q, QuerySet
from numpy.typing import NDArray

from apps.users.errors import UnknownUser
from apps.users.models import Follow, User

CHUNK = 100_000
_SIDES = (("follower", "followed"), ("followed", "follower"))
_ROW = np.dtype([("follower", np.int64), ("followed", np.int64), ("time", np.int64)])


class CannotFollow(ValueError):
    """The one user cannot follow the other; the message says why."""


@dataclass(frozen=True, eq=False, slots=True)
class FollowColumns:
    """Follows as columns, one entry a follow: database ids and whole seconds since 1970."""

    followers: NDArray[np.int64]
    followed: NDArray[np.int64]
    times: NDArray[np.int64]


@dataclass(frozen=True)
class FollowRecord:
    """A follow as the API shows it: who is followed, since when."""

    user_id: str
    followed_at: datetime


def user_follow(follower: str, followed: str) -> tuple[FollowRecord, bool]:
    """From now on `follower` follows `followed`; the record, and True when they did not yet.

    Users nobody knows are created; of a merged visitor, the person they turned out to be counts. Recommendations
    change with the next training. Raises CannotFollow for oneself.
    """
    with transaction.atomic():
        names = list(dict.fromkeys([follower, followed]))
        User.objects.bulk_create([User(external_id=name) for name in names], ignore_conflicts=True)
        ids = _locked(names)
        if ids[follower] == ids[followed]:
            raise CannotFollow("A user cannot follow themselves.")
        follow, new = Follow.objects.get_or_create(follower_id=ids[follower], followed_id=ids[followed])
        return follow_record(follow), new


def user_unfollow(follower: str, followed: str) -> bool:
    """From now on `follower` does not follow `followed`; True when they did. Raises UnknownUser."""
    with transaction.atomic():
        ids = _locked([follower, followed])
        return bool(Follow.objects.filter(follower=ids[follower], followed=ids[followed]).delete()[0])


def _locked(names: list[str]) -> dict[str, int]:
    """Database ids of users who can neither be merged nor erased until the transaction ends."""
    known = User.objects.filter(external_id__in=names, erased_at__isnull=True).order_by("id")
    rows = known.select_for_update(no_key=True).values_list("external_id", "id", "merged_into_id")
    ids = {name: into or own for name, own, into in rows}
    for name in names:
        if name not in ids:
            raise UnknownUser(name)
    return ids


def follows_listed(follower: str) -> QuerySet[Follow] | None:
    """Whom a user follows, for a page of the API; None for a user nobody knows."""
    known = User.objects.filter(external_id=follower, erased_at__isnull=True)
    user = known.values_list("id", "merged_into_id").first()
    return user and Follow.objects.filter(follower=user[1] or user[0]).select_related("followed")


def follow_record(follow: Follow) -> FollowRecord:
    """A row as the API shows it."""
    return FollowRecord(follow.followed.external_id, follow.created_at)


def follow_columns(*, until: int | None = None) -> FollowColumns:
    """All follows, or those from before `until` (seconds since 1970). One query; 24 bytes a follow are kept."""
    follows = Follow.objects.order_by()
    if until is not None:
        follows = follows.filter(created_at__lt=datetime.fromtimestamp(until, tz=UTC))
    rows = follows.values_list("follower_id", "followed_id", "created_at").iterator(chunk_size=CHUNK)
    table = np.fromiter(_in_seconds(rows), dtype=_ROW)
    return FollowColumns(*(np.ascontiguousarray(table[name]) for name in ("follower", "followed", "time")))


def _in_seconds(rows: Iterator[tuple[int, int, datetime]]) -> Iterator[tuple[int, int, int]]:
    for follower, followed, moment in rows:
        yield follower, followed, int(moment.timestamp())


class FollowHolder:
    """What becomes of follows when personal data are asked for, erased or merged (see personal_data)."""

    def export(self, user_id: int) -> dict[str, Any]:
        """Whom the user follows and who follows them, oldest first."""
        return {
            "follows": _exported(Follow.objects.filter(follower=user_id), "followed__external_id"),
            "followed_by": _exported(Follow.objects.filter(followed=user_id), "follower__external_id"),
        }

    def erase(self, user_id: int) -> None:
        """Remove every follow of and by the user: with whom somebody is befriended says who they are."""
        Follow.objects.filter(Q(follower=user_id) | Q(followed=user_id)).delete()

    def merge(self, from_id: int, into_id: int) -> list[Any]:
        """Make one user's follows the other's; what the other has already, and the two of each other, go."""
        record = []
        for mine, other in _SIDES:
            theirs = Follow.objects.filter(**{mine: from_id})
            has = set(Follow.objects.filter(**{mine: into_id}).values_list(other, flat=True)) | {into_id}
            for whom, moment in theirs.order_by("id").values_list(other, "created_at"):
                record.append({"side": mine, "other": whom, "at": moment.isoformat(), "moved": whom not in has})
            theirs.exclude(**{f"{other}__in": has}).update(**{mine: into_id})
            Follow.objects.filter(**{mine: from_id}).delete()
        return record

    def unmerge(self, from_id: int, into_id: int, visitors: list[int], record: list[Any]) -> bool:
        """Give a visitor the follows they had; those that the person did not have themselves are theirs no longer."""
        others = User.objects.filter(id__in={entry["other"] for entry in record}, erased_at__isnull=True)
        # Whom they followed may have turned out to be somebody else meanwhile.
        now = {own: into or own for own, into in others.values_list("id", "merged_into_id")}
        for mine, other in _SIDES:
            had = [entry for entry in record if entry["side"] == mine and now.get(entry["other"], into_id) != into_id]
            moved = {now[entry["other"]] for entry in had if entry["moved"]}
            Follow.objects.filter(**{mine: from_id, f"{other}__in": moved}).delete()
            rows = [
                Follow(**{f"{mine}_id": into_id, f"{other}_id": now[entry["other"]]}, created_at=entry["at"])
                for entry in had
            ]
            Follow.objects.bulk_create(rows, ignore_conflicts=True)
        return bool(record)


def _exported(follows: QuerySet[Follow], whose: str) -> list[dict[str, str]]:
    rows = follows.order_by("id").annotate(user_id=F(whose)).values_list("user_id", "created_at")
    return [{"user_id": name, "followed_at": moment.isoformat()} for name, moment in rows]
