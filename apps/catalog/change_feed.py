"""The change feed: every write of an item gets a revision, in the order in which the writes were committed.

A writer leaves rows without a revision in the outbox, in its own transaction. After commit the relay numbers
whatever it can see; relays run one at a time. So a revision is only ever given to what is committed, and whoever
has followed the feed up to a revision has missed nothing below it. (A database sequence would number rows when
they are inserted: a slow transaction would surface below revisions that were already read.)
"""

import uuid
from collections.abc import Iterable, Mapping

from django.db import connection, transaction
from django.utils import timezone

from apps.catalog.bulk_sql import insert_rows
from apps.catalog.models import CatalogIdentity, ItemChange

_LOCK = 0x6361746C6F67  # any number that no other advisory lock of this application uses

_NUMBER_PENDING = """
UPDATE {table} SET revision = numbered.revision
FROM (
    SELECT id AS pending_id, (SELECT COALESCE(MAX(revision), 0) FROM {table}) + ROW_NUMBER() OVER (ORDER BY id)
        AS revision
    FROM {table} WHERE revision IS NULL
) AS numbered
WHERE id = numbered.pending_id
"""

_DROP_SUPERSEDED = """
DELETE FROM {table} WHERE revision <= %s AND item_id IN (SELECT item_id FROM {table} WHERE revision > %s)
"""


def announce(item_ids: Iterable[int]) -> None:
    """Put the items into the outbox, in the caller's transaction, and have them numbered after it commits."""
    now = timezone.now()
    insert_rows(ItemChange, ["item_id", "created_at"], [(item_id, now) for item_id in item_ids])
    # Robust: the write is committed by then. What a failing relay leaves behind, the next one numbers.
    transaction.on_commit(relay_changes, robust=True)


def relay_changes() -> int:
    """Give every committed change without a revision its revision; returns how many. Safe from anywhere, at any time.

    Of each item only the latest change is kept, so the feed never holds more rows than the catalog (and those
    of one relay). Costs two indexed statements when there is nothing to do.
    """
    table = connection.ops.quote_name(ItemChange._meta.db_table)
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # The statements below must see what was committed before the lock was obtained, so they come after it.
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        before = _latest_revision()
        cursor.execute(_NUMBER_PENDING.format(table=table))
        numbered = cursor.rowcount
        if numbered:
            cursor.execute(_DROP_SUPERSEDED.format(table=table), [before, before])
    return numbered


def catalog_identity() -> str:
    """Which catalog this is: the same as long as the database is, another after it was emptied. One indexed query."""
    made, _ = CatalogIdentity.objects.get_or_create(id=1, defaults={"identity": uuid.uuid4().hex})
    return made.identity


def feed_marks(revision: int, count: int = 100) -> dict[int, str]:
    """What the last changes up to `revision` were, by revision: fewer where later ones have superseded them."""
    changes = ItemChange.objects.filter(revision__lte=revision).order_by("-revision")
    found = changes.values_list("revision", "item_id", "created_at")[:count]
    return {int(at): f"{item_id} {moment.timestamp():.6f}" for at, item_id, moment in found if at is not None}


def feed_has(marks: Mapping[int, str]) -> bool:
    """Whether these marks are of this feed, and not of one that a restored backup has replaced."""
    changes = ItemChange.objects.filter(revision__in=list(marks)).values_list("revision", "item_id", "created_at")
    return all(marks[at] == f"{item_id} {moment.timestamp():.6f}" for at, item_id, moment in changes if at is not None)


def _latest_revision() -> int:
    latest = ItemChange.objects.filter(revision__isnull=False).order_by("-revision").values_list("revision", flat=True)
    return latest.first() or 0
