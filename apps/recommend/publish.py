"""Publishing: which version of a model answers. Activate, roll back, refuse what is damaged, delete what is old."""

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.recommend import model_store
from apps.recommend.model_store import DamagedModel
from apps.recommend.models import Activation, ModelVersion, TrainingRun

log = structlog.get_logger(__name__)

ANY_VERSION = object()


class CannotPublish(Exception):
    """The switch was not made, and nothing changed. The message says why and what to do."""


def active_versions() -> dict[str, str]:
    """The active version of each model that has one. One query."""
    return dict(ModelVersion.objects.filter(active=True).values_list("model", "version"))


def activate(
    version: str, by: str, *, reason: str = "activated", instead_of: str | object | None = ANY_VERSION
) -> None:
    """Make `version` the one that answers, in one transaction, after reading every byte of it.

    With `instead_of`, only if that version (None: no version) is still the active one. Activating what is active
    already changes nothing. A version once marked as damaged is accepted when its files are sound again. Raises
    CannotPublish, or DamagedModel when the files are not what they should be.
    """
    try:
        model_store.verify(version, again=True)
        model_store.read(version)
    except DamagedModel as damage:
        mark_damaged(version, str(damage))
        raise
    with transaction.atomic():
        switch(version, by=by, reason=reason, instead_of=instead_of)


def version_before(model: str) -> str | None:
    """The version that `roll_back` would try first; None when there is none."""
    return next(iter(_earlier(model)), None)


def roll_back(model: str, by: str) -> str:
    """Make the version that was active before the active one active again and return its name.

    Versions that are gone or damaged are passed over. Raises CannotPublish when none is left.
    """
    for candidate in _earlier(model):
        try:
            model_store.verify(candidate, again=True)
        except DamagedModel as damage:
            mark_damaged(candidate, str(damage))
            continue
        with transaction.atomic():
            switch(candidate, by=by, reason="rolled back")
        return candidate
    raise CannotPublish(f"{model} has no earlier version to go back to.")


def mark_damaged(version: str, why: str) -> None:
    """Note that `version` cannot be used. Where it was the active one, the last good one takes its place.

    Harmless to call twice. Called by whoever stumbles over the damage.
    """
    if ModelVersion.objects.filter(version=version, damage="").update(damage=why[:500]):
        log.error("model version damaged", version=version, why=why)
    row = ModelVersion.objects.filter(version=version, active=True).first()
    if row is None:
        return
    for candidate in _earlier(row.model):
        try:
            model_store.verify(candidate)  # reads every byte: not while a transaction keeps writers waiting
        except DamagedModel as damage:
            ModelVersion.objects.filter(version=candidate).update(damage=str(damage)[:500])
            continue
        try:
            with transaction.atomic():
                switch(candidate, by="", reason="rolled back", instead_of=version)
        except CannotPublish as refusal:
            log.info("not rolled back", model=row.model, version=candidate, why=str(refusal))  # somebody was faster
        return
    ModelVersion.objects.filter(pk=row.pk).update(active=False)


def prune(model: str) -> list[str]:
    """Delete versions beyond `settings.MODEL_RETENTION` and the leftovers of killed runs; return what went.

    Never the active version nor the one that roll back would return to. The rows stay, with `deleted_at`.
    """
    stored = list(ModelVersion.objects.filter(model=model, deleted_at=None).order_by("-id"))
    protected = {row.version for row in stored if row.active} | set(_earlier(model)[:1])
    room = max(settings.MODEL_RETENTION - len(protected), 0)
    removed = []
    for row in stored:
        if row.version in protected:
            continue
        if room and not row.damage:
            room -= 1
            continue
        if not ModelVersion.objects.filter(pk=row.pk, active=False).update(deleted_at=timezone.now()):
            continue  # somebody has activated it meanwhile
        model_store.remove(row.version)
        removed.append(row.version)
    running = set(
        TrainingRun.objects.filter(model=model, status=TrainingRun.Status.RUNNING).values_list("id", flat=True)
    )
    known = set(ModelVersion.objects.filter(model=model, deleted_at=None).values_list("version", flat=True))
    return removed + model_store.sweep(model, known=known, running=running)


def switch(version: str, *, by: str, reason: str, instead_of: str | object | None = ANY_VERSION) -> None:
    """Move the active mark to `version`, in the caller's transaction, without looking at its files.

    For those who have just read it; everybody else calls `activate`. Raises CannotPublish.
    """
    row = ModelVersion.objects.filter(version=version).first()
    if row is None:
        raise CannotPublish(f"No model version is called {version!r}.")
    versions: QuerySet[ModelVersion] = ModelVersion.objects.filter(model=row.model).order_by("id")
    locked = list(versions.select_for_update())  # two switches of one model happen one after the other
    row = next(candidate for candidate in locked if candidate.version == version)
    current = next((candidate for candidate in locked if candidate.active), None)
    if row.deleted_at is not None:
        raise CannotPublish(f"The files of {version} were deleted; only its record is left.")
    if instead_of is not ANY_VERSION and (current.version if current else None) != instead_of:
        raise CannotPublish(f"Another version of {row.model} was made active meanwhile: {current or 'none'}.")
    if current is not None and current.pk == row.pk:
        return
    if current is not None:
        ModelVersion.objects.filter(pk=current.pk).update(active=False)
    ModelVersion.objects.filter(pk=row.pk).update(active=True, damage="")
    Activation.objects.create(model=row.model, version=row, previous=current, reason=reason, by=by)
    log.info("model activated", model=row.model, version=version, reason=reason, by=by)


def _earlier(model: str) -> list[str]:
    """Usable versions that were active before the active one, the latest first.

    Each activation remembers what it replaced, so the trail leads back past versions that a roll back has left.
    """
    usable = set(ModelVersion.objects.filter(model=model, deleted_at=None, damage="").values_list("version", flat=True))
    active = ModelVersion.objects.filter(model=model, active=True).values_list("version", flat=True).first()
    steps = Activation.objects.filter(model=model).order_by("-id").values_list("version__version", "previous__version")
    came_from: dict[str, str | None] = {}
    for version, previous in steps.exclude(reason="rolled back"):
        came_from.setdefault(version, previous)  # the latest forward switch to it counts
    trail: list[str] = []
    seen = {active}
    step = came_from.get(active) if active else None
    while step is not None and step not in seen:
        seen.add(step)
        if step in usable:
            trail.append(step)
        step = came_from.get(step)
    return trail
