"""What answers at a placement: its pipeline, what helps out, how many, and a digest of all that decides the result."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.conf import settings

from apps.recommend.engine.pipeline import Pipeline
from apps.recommend.engine.rules import Controls, Rules, RuleSpec
from apps.recommend.engine.types import EventWorth
from apps.recommend.models import Placement
from apps.recommend.pipelines import pipelines
from apps.recommend.rules import controls_of, rules_for

LAST_RESORT = "newest"  # needs no model and no events: as long as something is available, it has an answer


@dataclass(frozen=True, eq=False)
class Plan:
    """A placement, resolved. `digest` changes whenever the same question may get another answer."""

    placement: str
    label: str
    count: int
    page_type: str
    chain: tuple[Pipeline, ...]  # the pipeline, then its fallbacks
    rules: Rules
    controls: Controls
    digest: str


def plans(
    placements: Sequence[Placement],
    versions: Mapping[str, str],
    worth: Mapping[int, EventWorth],
    specs: Sequence[RuleSpec],
) -> dict[str, Plan]:
    """A plan for each placement, by key. Fallbacks nobody knows any more are left out; `check` reports them."""
    known = pipelines()
    result = {}
    for placement in placements:
        names = [placement.pipeline, *placement.fallback]
        if placement.page_type != Placement.PageType.SEARCH:  # a search that finds nothing says so
            names.append(LAST_RESORT)
        chain = tuple(known[name] for name in dict.fromkeys(names) if name in known) or (known[LAST_RESORT],)
        rules, controls = rules_for(placement.key, specs), controls_of(placement)
        result[placement.key] = Plan(
            placement=placement.key,
            label=placement.label,
            count=placement.count or settings.DEFAULT_RECOMMENDATION_COUNT,
            page_type=placement.page_type,
            chain=chain,
            rules=rules,
            controls=controls,
            digest=_digest(placement.key, chain, versions, worth, rules, controls),
        )
    return result


def _digest(
    key: str,
    chain: Sequence[Pipeline],
    versions: Mapping[str, str],
    worth: Mapping[int, EventWorth],
    rules: Rules,
    controls: Controls,
) -> str:
    parts = [key]
    for pipeline in chain:
        parts.append(pipeline.spec.digest)
        parts.extend(versions.get(model, "-") for model in pipeline.spec.models)
    parts += [repr(sorted(worth.items())), rules.digest, repr(controls)]
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()
