"""The whole way of one answer, told: what each source proposed, what each step removed or moved and why, and why an
item is not there. For engineers and merchandisers; a response carries it only for keys with the scope."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings

from apps.recommend import result_cache
from apps.recommend.engine.pipeline import Answer, Pipeline
from apps.recommend.engine.types import Rows, Slate
from apps.recommend.question import Question, segments

if TYPE_CHECKING:
    from apps.recommend.serve import Made

SHOWN = 50  # entries of a list that are told


def told(asked: Question, chain: tuple[Pipeline, ...], made: "Made") -> dict[str, Any]:
    """The trace as JSON values. Item ids are the shop's own."""
    state, profile = asked.state, asked.profile
    candidates = made.candidates
    trace: dict[str, Any] = {
        "plan": {
            "digest": asked.plan.digest,
            "chain": [pipeline.spec.name for pipeline in chain],
            "models": {
                name: state.models[name].version
                for pipeline in chain
                for name in pipeline.spec.models
                if name in state.models
            },
            "catalog_revision": state.catalog.revision,
            "budget_ms": settings.REQUEST_BUDGET_MS,
        },
        "user": None
        if profile is None
        else {
            "user_id": profile.external_id,
            "revision": profile.revision,
            "personalised": profile.personalised,
            "events_used": len(profile.taste),
            "segments": sorted(segments(profile)),
        },
        "cache": "remembered" if _remembered(asked, chain[0], made) else "computed",
        "rules": [
            {"id": spec.id, "name": spec.name, "action": spec.action}
            for spec in asked.plan.rules.specs
            if spec.id in asked.active.ids
        ],
        "rules_set_aside": list(made.arranged.set_aside),
        "pipelines": {name: _pipeline(answer, asked) for name, answer in candidates.answers.items()},
        "late": candidates.late,
        "failed": candidates.failed,
        "removed": [
            {"why": one.why, "rule": one.rule, "items": len(one.rows), "item_ids": _ids(one.rows, asked)}
            for one in made.arranged.removed
        ],
        "moved": [
            {
                "item_id": state.catalog.external_id(one.row),
                "from": one.before,
                "to": one.after,
                "rules": list(one.rules),
            }
            for one in made.arranged.moved
        ],
    }
    if asked.ask.why_not is not None:
        trace["why_not"] = {"item_id": asked.ask.why_not, "because": why_not(asked.ask.why_not, asked, chain, made)}
    return trace


def _remembered(asked: Question, first: Pipeline, made: "Made") -> bool:
    key, catalog = made.candidates.key(first), asked.state.catalog
    return result_cache.personal.holds(key, catalog) or result_cache.candidates.holds(key, catalog)


def _ids(rows: Rows, asked: Question) -> list[str]:
    return [asked.state.catalog.external_id(row) for row in rows[:SHOWN].tolist()]


def _list(slate: Slate, asked: Question) -> list[dict[str, Any]]:
    catalog = asked.state.catalog
    return [
        {"item_id": catalog.external_id(row), "score": round(score, 6)}
        for row, score in zip(slate.rows[:SHOWN].tolist(), slate.scores[:SHOWN].tolist(), strict=True)
    ]


def _pipeline(answer: Answer, asked: Question) -> dict[str, Any]:
    sources, stages = [], []
    before: Slate | None = None
    for step in answer.trace:
        entry: dict[str, Any] = {"step": step.name, "took_ms": step.took_ms, "candidates": step.candidates}
        if before is None and step.name != "merge":
            sources.append(entry | {"items": _list(step.slate, asked)})
            continue
        if before is not None:
            gone = before.rows[~np.isin(before.rows, step.slate.rows)]
            entry |= {"removed": len(gone), "removed_item_ids": _ids(gone, asked), "moved": _moves(before, step.slate)}
        stages.append(entry)
        before = step.slate
    return {"sources": sources, "stages": stages, "late": list(answer.late)}


def _moves(before: Slate, after: Slate) -> int:
    """How many of the first SHOWN entries stand elsewhere among those that are left."""
    left = before.rows[np.isin(before.rows, after.rows)][:SHOWN]
    return int((left != after.rows[: len(left)]).sum())


def why_not(item_id: str, asked: Question, chain: Sequence[Pipeline], made: "Made") -> list[str]:
    """Sentences that say, from the first obstacle to the last, why the item is not in the list, or where it is."""
    catalog = asked.state.catalog
    row = catalog.row_of(item_id)
    if row is None:
        return [f"No item has the id {item_id!r}."]
    shown = np.flatnonzero(made.slate.rows == row)
    if len(shown):
        return [f"It is in the list, at position {int(shown[0]) + 1 + len(asked.ask.after)}."]
    said = [_obstacle(one.why, one.rule, asked) for one in made.arranged.removed if (one.rows == row).any()]
    if not asked.eligible[row] and not any("available" in sentence for sentence in said):
        said.insert(0, "It may not be shown now: deleted, unavailable, out of stock, not yet published or expired.")
    if row in asked.seeds.rows:
        said.insert(0, "It is the item the question is about.")
    for name, answer in made.candidates.answers.items():
        said += _in_pipeline(name, answer, row, asked)
    if not made.candidates.answers:
        said.append("No pipeline was asked.")
    asked_names = set(made.candidates.answers)
    if skipped := [pipeline.spec.name for pipeline in chain if pipeline.spec.name not in asked_names]:
        said.append(f"The fallbacks {', '.join(skipped)} were not needed.")
    return said


def _obstacle(why: str, rule: int | None, asked: Question) -> str:
    if rule is None:
        return f"It was left out: {why}."
    name = next((spec.name for spec in asked.plan.rules.specs if spec.id == rule), str(rule))
    return f"The rule “{name}” left it out ({why})."


def _in_pipeline(name: str, answer: Answer, row: int, asked: Question) -> list[str]:
    said = []
    merged = False
    for step in answer.trace:
        places = np.flatnonzero(step.slate.rows == row)
        if step.name == "merge":
            merged = bool(len(places))
            if merged:
                said.append(f"{name}: after merging it stands at place {int(places[0]) + 1} of {len(step.slate)}.")
        elif not said or not any(sentence.startswith(f"{name}: after merging") for sentence in said):
            if len(places):
                score = float(step.slate.scores[places[0]])
                said.append(f"{name}: {step.name} proposed it at place {int(places[0]) + 1}, score {score:.4g}.")
            else:
                said.append(_unproposed(name, step.name, step.slate, row, asked))
        elif merged and not len(places):
            said.append(f"{name}: the stage {step.name} removed it.")
            merged = False
    if merged:
        place = int(np.flatnonzero(answer.slate.rows == row)[0]) + 1 if (answer.slate.rows == row).any() else 0
        said.append(
            f"{name}: it ends at place {place}; the list shows {asked.limit}." if place else f"{name}: cut off."
        )
    return said


def _unproposed(name: str, step: str, slate: Slate, row: int, asked: Question) -> str:
    model = asked.state.models.get(step.rpartition(":")[2])
    if model is not None and model.to_model[row] < 0:
        return f"{name}: {step} did not propose it: the model was trained before the item was there."
    if not len(slate):
        return f"{name}: {step} had nothing to propose."
    return f"{name}: {step} did not propose it; the last of its {len(slate)} scores {float(slate.scores[-1]):.4g}."
