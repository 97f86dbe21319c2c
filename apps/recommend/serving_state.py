"""What one process serves from: the live catalog, the loaded models, the placements' plans.

A `ServingState` never changes. `current()` returns the newest one; a background thread makes the next whenever
something changed in the database, so requests neither wait for a load nor see half of one.
"""

import threading
import time
from dataclasses import dataclass
from types import MappingProxyType

import structlog
from django.conf import settings
from django.db import close_old_connections

from apps.catalog import selectors as catalog
from apps.catalog.services import relay_changes
from apps.recommend import model_store, publish, snapshot
from apps.recommend.engine.served_model import ServedModel
from apps.recommend.engine.types import EventWorth
from apps.recommend.live_catalog import LiveCatalog
from apps.recommend.metrics import SERVED_CATALOG_REVISION, SERVING_REFRESH_FAILURES
from apps.recommend.model_store import DamagedModel, StoredModel
from apps.recommend.models import Placement
from apps.recommend.serving_plan import Plan, plans

log = structlog.get_logger(__name__)


@dataclass(frozen=True, eq=False)
class ServingState:
    """Everything a request needs that does not depend on who asks."""

    catalog: LiveCatalog
    models: MappingProxyType[str, ServedModel]
    plans: MappingProxyType[str, Plan]
    worth: MappingProxyType[int, EventWorth]


class _Follower:
    """Keeps one state up to date. Thread-safe."""

    def __init__(self) -> None:
        self._state: ServingState | None = None
        self._stored: dict[str, StoredModel] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

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
        with self._lock:
            old = self._state
            live = self._follow_catalog(old)
            live.prepare()
            models = self._follow_models(old, live)
            placements = list(Placement.objects.filter(active=True))
            worth = snapshot.worth()
            versions = {name: model.version for name, model in models.items()}
            self._state = ServingState(
                catalog=live,
                models=MappingProxyType(models),
                plans=MappingProxyType(plans(placements, versions, worth)),
                worth=MappingProxyType(worth),
            )
            SERVED_CATALOG_REVISION.set(live.revision)
            return self._state

    def forget(self) -> None:
        """Drop the state; the next call loads it anew."""
        with self._lock:
            self._state = None
            self._stored.clear()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._follow, name="serving-state", daemon=True)
                self._thread.start()

    def _follow(self) -> None:
        failing: type[Exception] | None = None
        while True:
            time.sleep(settings.SERVING_REFRESH_SECONDS)
            try:
                self.refresh()
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
        if old is None:
            revision = catalog.latest_revision()  # before reading: a change in between is read twice, never missed
            return LiveCatalog.of(catalog.item_columns(), revision)
        live = old.catalog
        if catalog.changes_pending():
            relay_changes()
        while changes := catalog.changed_since(live.revision):
            ids = sorted({item_id for _, item_id in changes})
            live = live.patched(catalog.item_columns(ids), changes[-1][0])
        return live

    def _follow_models(self, old: ServingState | None, live: LiveCatalog) -> dict[str, ServedModel]:
        same_catalog = old is not None and old.catalog is live
        served: dict[str, ServedModel] = {}
        for name, version in publish.active_versions().items():
            before = None if old is None else old.models.get(name)
            if before is not None and before.version == version and same_catalog:
                served[name] = before
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
