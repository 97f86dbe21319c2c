"""How a process comes by the live catalog and keeps it up to date."""

from collections.abc import Mapping

import structlog

from apps.catalog import selectors, services
from apps.recommend import memory
from apps.recommend.catalog import generations
from apps.recommend.catalog.generations import DamagedGeneration, Generation
from apps.recommend.catalog.reading import in_memory
from apps.recommend.live_catalog import LiveCatalog

log = structlog.get_logger(__name__)

LARGE = 20_000  # items from which on a catalog is kept in memory-mapped files
BATCH = 1_000  # changes applied at once, in some 70 ms, most of it reading them; requests are served meanwhile
BATCHES = 10  # applied before what was reached is served


class FeedRestarted(Exception):
    """The change feed does not contain what was followed up to: the database is another, or was emptied."""


def load() -> LiveCatalog:
    """The catalog as the database has it now.

    A large one is opened where a generation of it is stored, and followed from there (a second or two); otherwise one
    process reads it, stores it, and the others wait for that. A small one is read. Reading costs 35 µs an item.
    """
    if selectors.item_count_reaches(LARGE):
        try:
            return follow(_opened_or_stored(), to_the_end=True)
        except OSError:
            log.exception("catalog not stored; this process keeps it in memory of its own")
            revision = selectors.latest_revision()
            return follow(in_memory(selectors.item_columns_by_part(), revision), to_the_end=True)
    revision = selectors.latest_revision()  # before reading: a change in between is read twice, never missed
    return LiveCatalog.of(selectors.item_columns(), revision)


def follow(catalog: LiveCatalog, *, to_the_end: bool = False) -> LiveCatalog:
    """The catalog with what has changed since; at most BATCHES x BATCH changes unless `to_the_end`.

    Two indexed queries where nothing has changed. Raises FeedRestarted.
    """
    if selectors.changes_pending():
        services.relay_changes()
    batches = 0
    while to_the_end or batches < BATCHES:
        # The last change that was seen is always there, unless a later one took its place.
        changes = selectors.changed_since(max(catalog.revision - 1, 0), limit=BATCH + 1)
        if not changes and catalog.revision:
            raise FeedRestarted(f"the change feed ends before revision {catalog.revision}")
        new = [(revision, item_id) for revision, item_id in changes if revision > catalog.revision]
        if not new:
            return catalog
        ids = sorted({item_id for _, item_id in new})
        catalog = catalog.patched(selectors.item_columns(ids), new[-1][0])
        batches += 1
    return catalog


def may_be_behind(before: LiveCatalog, now: LiveCatalog) -> bool:
    """Whether `follow` made `now` from `before` and possibly stopped before the end of the feed."""
    return now.revision - before.revision >= BATCH * BATCHES


def from_newest(catalog: LiveCatalog) -> LiveCatalog:
    """The catalog grown out of the newest generation that is stored, in the same rows; itself where it is already.

    What this process had changed or added in memory of its own is then in files that all processes share. Costs a
    listing of a folder where there is nothing newer, and nothing for a small catalog.
    """
    if len(catalog) < LARGE:
        return catalog
    identity = identity_of(catalog)
    newest = next(iter(generations.stored(identity)), None)
    if newest is None or not _newer(newest, catalog):
        return catalog
    try:
        if not selectors.feed_has(generations.read_marks(newest)):
            return catalog
        opened = follow(generations.open_generation(newest), to_the_end=True)
    except DamagedGeneration as damage:
        log.warning("stored catalog left aside", why=str(damage))
        return catalog
    return opened.continuing(catalog) if opened.revision >= catalog.revision else catalog


def identity_of(catalog: LiveCatalog) -> str:
    """Which database's catalog it is. SQL only before it was first stored."""
    return services.catalog_identity() if catalog.stored is None else catalog.stored.identity


def should_be_stored(catalog: LiveCatalog) -> bool:
    """Whether so much has changed that a new generation pays: opening the last would mean following all of that."""
    return len(catalog) >= LARGE and (catalog.stored is None or catalog.drift > max(LARGE, len(catalog) // 20))


def store(catalog: LiveCatalog, identity: str, marks: Mapping[int, str]) -> Generation | None:
    """Store the catalog unless another process is at it or was faster. No SQL."""
    with generations.sole_writer(wait=False) as alone:
        if not alone:
            return None
        newest = next(iter(generations.stored(identity)), None)
        if newest is not None and _newer(newest, catalog):
            return None
        return generations.write(catalog, identity, marks)


def _newer(generation: Generation, catalog: LiveCatalog) -> bool:
    return catalog.stored is None or generation.revision > catalog.stored.revision


def _opened_or_stored() -> LiveCatalog:
    identity = services.catalog_identity()
    opened = _opened(identity)
    if opened is not None:
        return opened
    with generations.sole_writer(wait=True):
        opened = _opened(identity)  # whoever had the lock before has stored it
        if opened is not None:
            return opened
        for unusable in generations.stored(identity):
            generations.remove(unusable)
        revision = selectors.latest_revision()
        marks = selectors.feed_marks(revision)
        read = generations.from_parts(selectors.item_columns_by_part(), revision)
        generation = generations.write(read, identity, marks)
        del read
        memory.give_back()
        return generations.open_generation(generation)


def _opened(identity: str) -> LiveCatalog | None:
    """The newest stored generation that is of this database and sound."""
    latest = selectors.latest_revision()
    for generation in generations.stored(identity):
        try:
            if generation.revision <= latest and selectors.feed_has(generations.read_marks(generation)):
                return generations.open_generation(generation)
            log.warning("stored catalog left aside", generation=generation.path.name, why="not of this change feed")
        except DamagedGeneration as damage:
            log.warning("stored catalog left aside", why=str(damage))
    return None
