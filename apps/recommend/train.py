"""ONE training run, top to bottom.

Claim the run → snapshot up to now → enough data? → trial on the latest events → fit on everything → index → store →
activate, unless the trial was clearly lost. Until the very last step nothing that serves has changed.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.recommend import model_indexes, model_store, publish, recipes, training_runs
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.progress import listening
from apps.recommend.engine.types import Interactions, Items
from apps.recommend.models import ModelVersion, TrainingRun
from apps.recommend.publish import CannotPublish
from apps.recommend.recipes import Recipe, RecipeError
from apps.recommend.snapshot import Snapshot
from apps.recommend.training_runs import Claim, LeaseLost, Status, Steps, Watcher
from apps.recommend.trial import DECIDES, Trial, try_out

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class TrainingOutcome:
    """How a run ended. `status` is one of TrainingRun.Status; RUNNING: another worker has it."""

    model: str
    run_id: int
    status: str
    message: str
    version: str | None = None
    metrics: Mapping[str, Any] | None = None

    @property
    def good(self) -> bool:
        """Whether there is a new version, active or not."""
        return self.version is not None


def train_model(
    name: str,
    *,
    requested_by: str = "",
    force: bool = False,
    snapshot: Snapshot | None = None,
    watcher: Watcher | None = None,
) -> TrainingOutcome:
    """Train the model called `name` here and now, in its open run if it has one, and say how it ended.

    `force` activates the new version even where it is clearly worse. Raises RecipeError for a name nobody knows;
    everything else that goes wrong is the outcome's message.
    """
    recipes.recipe(name)
    requested = training_runs.request(name, requested_by=requested_by)
    outcome = carry_out(requested.run_id, force=force, snapshot=snapshot, watcher=watcher)
    if outcome is not None:
        return outcome
    run = TrainingRun.objects.get(pk=requested.run_id)
    return TrainingOutcome(name, run.pk, run.status, f"{name} is being trained already, by {run.worker}.")


def carry_out(
    run_id: int, *, force: bool = False, snapshot: Snapshot | None = None, watcher: Watcher | None = None
) -> TrainingOutcome | None:
    """Claim the run and do what it asks for; None when it is not queued (any more)."""
    claim = training_runs.claim(run_id)
    if claim is None:
        return None
    structlog.contextvars.bind_contextvars(training_run=run_id, model=claim.model)
    try:
        with claim:
            outcome = _attempt(claim, snapshot or Snapshot.now(), force=force, watcher=watcher)
    finally:
        structlog.contextvars.unbind_contextvars("training_run", "model")
    log.info("training ended", model=claim.model, run=run_id, status=outcome.status, message=outcome.message)
    _clear_away(claim.model)
    return outcome


def _attempt(claim: Claim, snapshot: Snapshot, *, force: bool, watcher: Watcher | None) -> TrainingOutcome:
    """Train; whatever goes wrong becomes the end of the run, unless the run is somebody else's by now."""
    try:
        try:
            return _train(claim, snapshot, force=force, steps=Steps(claim, watcher))
        except NotEnoughData as lack:
            return _end(claim, Status.REFUSED, f"{claim.model} {lack}. {_what_stays(claim.model)}")
        except RecipeError as problem:
            return _end(claim, Status.FAILED, str(problem))
        except (KeyboardInterrupt, SystemExit):
            _end(claim, Status.FAILED, "Stopped by hand.")
            raise
        except LeaseLost:
            raise
        except Exception as problem:
            log.exception("training failed")
            return _end(claim, Status.FAILED, f"{type(problem).__name__}: {problem}. {_what_stays(claim.model)}")
    except LeaseLost as loss:
        return TrainingOutcome(claim.model, claim.run_id, Status.RUNNING, str(loss))


def _train(claim: Claim, snapshot: Snapshot, *, force: bool, steps: Steps) -> TrainingOutcome:
    started = time.perf_counter()
    recipe = recipes.recipe(claim.model)
    seed = int(recipe.digest, 16)

    steps.begin("reading events and catalog", 0.02)
    interactions = snapshot.interactions_for(recipe.build())
    items = snapshot.items_with_texts if recipe.reads_texts else snapshot.items
    _require_enough(recipe, interactions)

    before = ModelVersion.objects.filter(model=claim.model, active=True).first()
    steps.begin("trying it on the latest events", 0.1)
    trial = try_out(
        recipe,
        _recipe_of(before),
        interactions,
        items,
        seed=seed,
        announce=lambda what: steps.begin(what, 0.3 if "active" in what else 0.1),
    )

    steps.begin("learning from everything", 0.5)
    with listening(steps.heard):
        model = recipe.build().fit(interactions, items, np.random.default_rng(seed))

    version = _name_version(claim.model)
    with model_store.workspace(claim.model, claim.run_id) as folder:
        steps.begin("building the index", 0.85)
        indexes = model_indexes.build(model, folder, seed=seed % 2**31, rng=np.random.default_rng(seed))
        steps.begin("storing", 0.95)
        manifest = model_store.write(
            version=version,
            algorithm=recipe.algorithm,
            model=model,
            indexes=indexes,
            run_id=claim.run_id,
            facts={
                "recipe": {"digest": recipe.digest, "parameters": recipe.parameters},
                "data": _window(snapshot, interactions, items),
                "metrics": trial.metrics,
                "seconds": round(time.perf_counter() - started, 1),
            },
        )
    model_store.read(version)  # what cannot be read back must not be published
    steps.begin("publishing", 0.98)
    return _publish(claim, version, recipe.algorithm, manifest, trial, before, force=force)


def _require_enough(recipe: Recipe, interactions: Interactions) -> None:
    if not recipe.collaborative:
        return
    speaks = interactions.weights() > 0
    pairs = interactions.users[speaks].astype(np.int64) * max(interactions.n_items, 1) + interactions.items[speaks]
    distinct = len(np.unique(pairs))
    if distinct < settings.MIN_INTERACTIONS_FOR_CF:
        raise NotEnoughData("distinct user-item pairs", distinct, settings.MIN_INTERACTIONS_FOR_CF)


def _recipe_of(version: ModelVersion | None) -> Recipe | None:
    """The recipe a version was made by; None where there is none, or its algorithm is not installed any more."""
    if version is None or "recipe" not in version.manifest:
        return None
    try:
        return Recipe.of(version.model, version.algorithm, version.manifest["recipe"]["parameters"])
    except RecipeError as problem:
        log.warning("active recipe cannot be tried", version=version.version, problem=str(problem))
        return None


def _name_version(model: str) -> str:
    taken = list(ModelVersion.objects.filter(model=model).values_list("version", flat=True))
    return model_store.next_version(model, taken, timezone.localtime().strftime("%Y%m%d"))


def _window(snapshot: Snapshot, interactions: Interactions, items: Items) -> dict[str, Any]:
    times = interactions.times
    return {
        "from": _iso(int(times.min())) if len(times) else None,
        "until": _iso(int(times.max())) if len(times) else None,
        "taken_at": _iso(snapshot.taken_at),
        "events": len(interactions),
        "users": interactions.n_users,
        "items": interactions.n_items,
        "catalog": len(items),
    }


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat()


def _publish(
    claim: Claim,
    version: str,
    algorithm: str,
    manifest: Mapping[str, Any],
    trial: Trial,
    before: ModelVersion | None,
    *,
    force: bool,
) -> TrainingOutcome:
    """Register the version and end the run in one transaction, with or without making it the active one."""
    status, message = _verdict(version, trial, before, force=force)
    with transaction.atomic():
        row = ModelVersion.objects.create(
            model=claim.model,
            version=version,
            algorithm=algorithm,
            manifest=dict(manifest),
            metrics=dict(trial.metrics),
        )
        if status == Status.ACTIVATED:
            requested_by = TrainingRun.objects.values_list("requested_by", flat=True).get(pk=claim.run_id)
            try:
                with transaction.atomic():
                    publish.switch(
                        version, by=requested_by, reason="trained", instead_of=before.version if before else None
                    )
            except CannotPublish as somebody_else_was_faster:
                status, message = Status.KEPT, f"{version} is stored, not active. {somebody_else_was_faster}"
        claim.finish(status, message, version_id=row.pk)
    return TrainingOutcome(claim.model, claim.run_id, status, message, version, trial.metrics)


def _verdict(version: str, trial: Trial, before: ModelVersion | None, *, force: bool) -> tuple[str, str]:
    measured = trial.note
    if trial.metrics:
        ours, popular = (trial.metrics[part][DECIDES]["mean"] for part in ("figures", "popularity"))
        measured = f"NDCG@10 {ours:.4f}, popularity {popular:.4f}. {trial.note}".strip()
    if trial.clearly_worse and not force:
        difference = f"NDCG@10 differs by {trial.against_active}"
        return Status.KEPT, f"{version} is stored, not active: {before} is clearly better ({difference}). {measured}"
    return Status.ACTIVATED, f"{version} is active. {measured}".strip()


def _end(claim: Claim, status: str, message: str) -> TrainingOutcome:
    claim.finish(status, message)
    return TrainingOutcome(claim.model, claim.run_id, status, message)


def _what_stays(model: str) -> str:
    active = ModelVersion.objects.filter(model=model, active=True).exists()
    return "The active version stays." if active else "There is no active version yet."


def _clear_away(model: str) -> None:
    try:
        publish.prune(model)
    except OSError as problem:  # the nightly task tries again
        log.warning("old versions not deleted", model=model, problem=str(problem))
