"""A visitor turns out to be a person, and sometimes it turns out that they are not."""

from django.db import transaction
from django.db.models import Q

from apps.users.errors import UnknownUser
from apps.users.models import Merge, User
from apps.users.personal_data import holders
from apps.users.taste_revision import taste_changed
from apps.users.user_changes import changing


class CannotMerge(ValueError):
    """The two users cannot become one, or become two again; the message says why."""


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
        late = {name: holder.merge(from_user.pk, into_id) for name, holder in holders()}
        merge, _ = Merge.objects.get_or_create(visitor=from_user, defaults={"into_id": into_id})
        merge.moved = {name: [*merge.moved.get(name, []), *more] for name, more in late.items()}
        merge.save(update_fields=["moved"])
        moved = []
        if from_user.merged_into_id is None:
            visitors = User.objects.filter(Q(pk=from_user.pk) | Q(merged_into=from_user.pk))
            ids = list(visitors.values_list("id", flat=True))
            User.objects.filter(id__in=ids).update(merged_into=into_id)
            moved = taste_changed([into_id]) + taste_changed(ids, seen=False)
        elif any(late.values()):
            moved = taste_changed([into_id])
        told = changing(moved)
    told()
    return into_id


def users_unmerge(visitor: str, person: str) -> None:
    """Undo a merge: what a visitor did before it, and under their own id since, is theirs again.

    Undoing again changes nothing. Raises UnknownUser for either, and CannotMerge when the visitor belongs to somebody
    else, or came with another visitor who was merged later: that merge has to be undone first.
    """
    with transaction.atomic():
        known = User.objects.select_for_update().filter(external_id__in=[visitor, person], erased_at__isnull=True)
        rows = {user.external_id: user for user in known.order_by("id")}
        for name in (person, visitor):
            if name not in rows:
                raise UnknownUser(name)
        one, into = rows[visitor], rows[person]
        from_id = into.merged_into_id or into.pk
        merge = Merge.objects.filter(visitor=one).select_related("into").first()
        if merge is not None:
            _check(one, merge, from_id)
        visitors = _visitors_of(one)
        # Also when undone already: an event may have been on its way to the person while it was.
        moved = {} if merge is None else merge.moved
        back = [
            holder.unmerge(from_id, one.pk, visitors, moved.get(name, []))
            for name, holder in holders()
            if one.pk != from_id
        ]
        if merge is None and not any(back):
            return
        User.objects.filter(id__in=visitors).update(merged_into=one.pk)
        User.objects.filter(pk=one.pk).update(merged_into=None)
        Merge.objects.filter(visitor=one).delete()
        told = changing(taste_changed([from_id, *visitors], seen=False))
    told()


def _check(visitor: User, merge: Merge, person_id: int) -> None:
    if visitor.merged_into_id != person_id:
        raise CannotMerge("This visitor belongs to another user.")
    if merge.into.pk != person_id:
        raise CannotMerge(f"This visitor came with the visitor {merge.into.external_id!r}: undo that merge first.")


def _visitors_of(visitor: User) -> list[int]:
    """The visitor and those who had been merged into them, by whatever way."""
    merges = Merge.objects.filter(visitor__merged_into=visitor.merged_into_id or visitor.pk)
    pairs = list(merges.values_list("visitor_id", "into_id"))
    found = [visitor.pk]
    for one in found:  # grows meanwhile
        found += [own for own, into in pairs if into == one]
    return found
