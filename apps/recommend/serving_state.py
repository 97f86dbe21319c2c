"""What one process serves from: the live catalog, the loaded models, the placements' plans.

A `ServingState` never changes. `current()` returns the newest one; a background thread makes the next whenever
something changed in the database, so requests neither wait for a load nor see half of one.
"""

import gc
import threading
import time
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from types import MappingProxyType
from typing import Any

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections
from django.forms import model_to_dict

from apps.api.patience import FOLLOWING_SECONDS, patience
from apps.catalog import selectors as catalog
from apps.catalog.selectors import CategoryTree
from apps.recommend import model_store, publish, rules, snapshot
from apps.recommend.catalog import following
from apps.recommend.catalog.following import FeedRestarted
from apps.recommend.engine.served_model import ServedModel
from apps.recommend.engine.types import EventWorth
from apps.recommend.engine.worth_columns import WorthColumns
from apps.recommend.live_catalog import LiveCatalog
from apps.recommend.metrics import SERVED_CATALOG_REVISION, SERVING_REFRESH_FAILURES
from apps.recommend.model_store import DamagedModel, StoredModel
from apps.recommend.models import Placement
from apps.recommend.newcomers import Newcomers
from apps.recommend.serving_plan import Plan, plans
from apps.users.services import refresh_keys

log = structlog.get_logger(__name__)


@dataclass(frozen=True, eq=False)
class ServingState:
    """Everything a request needs that does not depend on who asks."""

    catalog: LiveCatalog
    models: MappingProxyType[str, ServedModel]
    plans: MappingProxyType[str, Plan]
    worth: MappingProxyType[int, EventWorth]
    made_from: tuple[Any, ...]  # what plans and worth were made from: the same again changes nothing
    told: int  # items made known to models after their training
    tree: CategoryTree  # as of the catalog
    _standing: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    _categories: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def versions(self) -> dict[str, str]:
        """The version of each model that is loaded."""
        return {name: model.version for name, model in self.models.items()}

    @cached_property
    def worth_digest(self) -> str:
        """Changes with what any event type is worth."""
        return blake2b(repr(sorted(self.worth.items())).encode(), digest_size=8).hexdigest()

    @cached_property
    def worth_columns(self) -> WorthColumns:
        """`worth`, as a user's events are read with it."""
        return WorthColumns.of(self.worth)

    def standing(self, digest: str, models: tuple[str, ...]) -> tuple[Any, ...]:
        """What decides the answers of a part of a pipeline and is the same for every request: a key's first half.

        The catalog counts as far as it has grown: new items can be proposed. `digest` is that of the part.
        """
        known = self._standing.get(digest)
        if known is None:
            versions = tuple(self.models[name].version for name in models if name in self.models)
            known = self._standing[digest] = (digest, versions, self.worth_digest, self.catalog.growth, self.told)
        return known

    def first_version(self, models: tuple[str, ...]) -> str | None:
        """The version of the first of these models that is loaded."""
        return next((self.models[name].version for name in models if name in self.models), None)

    def category(self, name: str) -> tuple[int, ...]:
        """The category with this id or name, then all above it; empty where there is none. SQL only to be sure of that.

        A category that came since is found in the database; while that is away it is one that nobody knows.
        """
        known = self._categories.get(name)
        if known is not None:
            return known
        tree = self.tree
        node = tree.called(name)
        if node is None:
            try:
                if catalog.category_id_of(name) is not None:
                    tree = catalog.category_tree()
                    node = tree.called(name)
            except (OperationalError, InterfaceError):
                pass
        if node is None:
            return ()
        known = self._categories[name] = tuple(one.id for one in reversed(tree.ancestry(node.id)))
        return known


class _Follower:
    """Keeps one state up to date. Thread-safe."""

    def __init__(self) -> None:
        self._state: ServingState | None = None
        self._stored: dict[str, StoredModel] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._storing: threading.Thread | None = None
        self._newcomers = Newcomers()
        self._store_after = 0.0  # time.monotonic(): a failing disk is not tried again at once

    def current(self) -> ServingState:
        """The newest state. The first call in a process loads it, which takes as long as reading the models.

        From then on it is followed, whether or not anybody asks. (A thread does not live on in a forked process.)
        """
        if settings.SERVING_REFRESH_SECONDS == 0:
            return self.refresh()
        state = self._state or self.refresh()
        if self._thread is None or not self._thread.is_alive():
            self._start()
        return state

    def refresh(self) -> ServingState:
        """Follow catalog, models and placements now."""
        with self._lock, patience(FOLLOWING_SECONDS):
            old = self._state
            live = self._follow_catalog(old)
            live.prepare()
            models = self._newcomers.tell(self._follow_models(old, live), live)
            fresh = [model for name, model in models.items() if old is None or old.models.get(name) is not model]
            for model in fresh:
                model.prepare()
            placements = list(Placement.objects.filter(active=True))
            worth = snapshot.worth()
            versions = {name: model.version for name, model in models.items()}
            specs = rules.specs()
            made_from = ([model_to_dict(placement) for placement in placements], versions, worth, specs)
            if old is not None and old.catalog is live and not fresh and old.made_from == made_from:
                return old
            if old is not None and old.made_from == made_from:
                made = old.plans
            else:
                made = MappingProxyType(plans(placements, versions, worth, specs))
            self._state = ServingState(
                catalog=live,
                models=MappingProxyType(models),
                plans=made,
                worth=MappingProxyType(worth),
                made_from=made_from,
                told=sum(len(model.delta) for model in models.values()),
                tree=catalog.category_tree() if old is None or old.catalog is not live else old.tree,
            )
            SERVED_CATALOG_REVISION.set(live.revision)
            return self._state

    def forget(self) -> None:
        """Drop the state; the next call loads it anew."""
        with self._lock:
            self._state = None
            self._stored.clear()
            self._newcomers = Newcomers()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._follow, name="serving-state", daemon=True)
                self._thread.start()

    def _follow(self) -> None:
        failing: type[Exception] | None = None
        behind = switched = False
        while True:
            time.sleep(0 if behind else settings.SERVING_REFRESH_SECONDS)
            before = now = None
            if switched:
                gc.collect()  # requests leave cycles that would keep the former versions mapped for a long while
            behind = switched = False
            try:
                refresh_keys()
                before = self._state
                now = self.refresh()
                behind = before is not None and following.may_be_behind(before.catalog, now.catalog)
                switched = before is not None and before.versions != now.versions
                self._store_catalog(now.catalog)
            except Exception as problem:
                # Whatever it is (database gone, disk full), the last state serves on and the next round tries again.
                SERVING_REFRESH_FAILURES.inc()
                if failing is not type(problem):
                    log.exception("serving state not refreshed; the last one serves on")
                failing = type(problem)
            else:
                if failing is not None:
                    log.info("serving state refreshed again")
                failing = None
            finally:
                close_old_connections()

    def _follow_catalog(self, old: ServingState | None) -> LiveCatalog:
        if old is not None:
            try:
                return following.follow(following.from_newest(old.catalog))
            except FeedRestarted as problem:
                log.warning("catalog read anew", why=str(problem))
        return following.load()

    def _follow_models(self, old: ServingState | None, live: LiveCatalog) -> dict[str, ServedModel]:
        served: dict[str, ServedModel] = {}
        for name, version in publish.active_versions().items():
            before = None if old is None or old.catalog.epoch != live.epoch else old.models.get(name)
            if before is not None and before.version == version:
                served[name] = before.over_more(live.items)
                continue
            stored = self._stored.get(name)
            if stored is None or stored.manifest["version"] != version:
                stored = self._read(name, version, stored)
            if stored is not None:
                self._stored[name] = stored
                served[name] = ServedModel.over(
                    live.items, stored.model, name=name, version=stored.manifest["version"], indexes=stored.indexes
                )
        for name in set(self._stored) - set(served):
            del self._stored[name]
        return served

    def _store_catalog(self, live: LiveCatalog) -> None:
        """Start storing the catalog beside the following, which must go on meanwhile."""
        busy = self._storing is not None and self._storing.is_alive()
        if busy or time.monotonic() < self._store_after or not following.should_be_stored(live):
            return
        identity, marks = following.identity_of(live), catalog.feed_marks(live.revision)

        def store() -> None:
            try:
                following.store(live, identity, marks)
            except OSError:
                # Disk full or not ours to write to: what is in memory serves on.
                log.exception("catalog not stored")
                self._store_after = time.monotonic() + 60

        self._storing = threading.Thread(target=store, name="catalog-store", daemon=True)
        self._storing.start()

    def _read(self, name: str, version: str | None, loaded: StoredModel | None) -> StoredModel | None:
        """The version; where it is damaged, the one that is loaded, else what took its place; None without any."""
        while version is not None:
            try:
                return model_store.read(version)
            except DamagedModel as damage:
                publish.mark_damaged(version, str(damage))
            if loaded is not None:
                return loaded
            version = publish.active_versions().get(name)
        return None


_follower = _Follower()
current = _follower.current
refresh = _follower.refresh
forget = _follower.forget
