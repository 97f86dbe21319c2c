"""ONE request, top to bottom. REST, widgets, previews and precomputation all call `recommend`."""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Counter, Histogram

from apps.interactions import entry_token
from apps.recommend import paging, result_cache, serving_state, tracing
from apps.recommend.asking import Ask, Entry, Listing, Recommendation
from apps.recommend.candidates import Candidates
from apps.recommend.engine.context import Context
from apps.recommend.engine.pipeline import Pipeline
from apps.recommend.engine.rules import Arranged, arrange
from apps.recommend.engine.types import Slate
from apps.recommend.metrics import RECOMMENDATION_SECONDS, RECOMMENDATIONS
from apps.recommend.pipelines import pipelines
from apps.recommend.pool import Pool
from apps.recommend.properties import properties
from apps.recommend.question import Question, question
from apps.recommend.reasons import Reason, reasons
from apps.recommend.serving_plan import Plan

NOTHING = Listing(())


@dataclass(frozen=True, eq=False)
class Made:
    """A finished list and how it came about."""

    slate: Slate
    pinned: NDArray[np.bool_]
    made_by: NDArray[np.int8]  # by entry: number of the pipeline in the chain; -1: a rule brought it in
    helped: tuple[str, ...]  # names of the fallbacks that gave something
    arranged: Arranged
    candidates: Candidates
    label: str = ""  # what shoppers read above the list
    listing: Listing = NOTHING
    next: str | None = None

    @cached_property
    def places(self) -> list[entry_token.Entry]:
        """What each entry's token says that is the same in every response."""
        state, slate = self.candidates.question.state, self.slate
        sources = [slate.source_names[number] for number in slate.source.tolist()]
        versions = {name: state.models[name].version if name in state.models else "" for name in set(sources)}
        first = len(self.candidates.question.ask.after) + 1
        return [
            entry_token.Entry(item_id, position, versions[source], source)
            for position, (item_id, source) in enumerate(
                zip(state.catalog.ids[slate.rows].tolist(), sources, strict=True), first
            )
        ]


def recommend(ask: Ask) -> Recommendation:
    """Answer `ask`; as many entries as asked for, as long as that many items may be shown.

    Raises NotFound for a placement, seed item or category nobody knows, Refused for a limit out of range. An unknown
    user gets what a new visitor gets. A pipeline that fails, is late or falls short is helped out by the placement's
    fallbacks. Costs no SQL where the user's profile is in Redis or in this process.
    """
    started = time.perf_counter()
    asked = question(ask, serving_state.current())
    chain = _chain(ask, asked.plan)
    made = _remembered(asked, chain)
    recomm_id = uuid.uuid4()
    tokens = _tokens(made, asked, recomm_id)
    plan = asked.plan
    fallback = made.helped[0] if made.helped else None
    took = time.perf_counter() - started
    responses, seconds = _counters(plan.placement, fallback or "none")
    responses.inc()
    seconds.observe(took)
    state = asked.state
    return Recommendation(
        placement=plan.placement,
        label=made.label,
        pipeline=chain[0].spec.name,
        model_version=state.first_version(chain[0].spec.models),
        fallback=fallback,
        recomm_id=str(recomm_id),
        took_ms=round(took * 1000, 2),
        listed=made.listing,
        tokens=tokens,
        next=made.next,
        trace=tracing.told(asked, chain, made) if ask.trace else None,
    )


@cache
def _counters(placement: str, fallback: str) -> tuple[Counter, Histogram]:
    """Finding a labelled metric costs as much as a look into the cache. There are few of these."""
    return (
        RECOMMENDATIONS.labels(placement=placement, fallback=fallback),
        RECOMMENDATION_SECONDS.labels(placement=placement),
    )


def _chain(ask: Ask, plan: Plan) -> tuple[Pipeline, ...]:
    """The pipelines to ask in turn. With a least relevance, fallbacks have no say: they answer another question."""
    first = plan.chain[0] if ask.pipeline is None else pipelines()[ask.pipeline]
    if ask.min_relevance is not None:
        return (first,)
    return (first, *(pipeline for pipeline in plan.chain[1:] if pipeline is not first))


def _label(asked: Question, chain: tuple[Pipeline, ...], made: Made) -> str:
    """What shoppers read above the list: the placement's words, unless a fallback had to make the whole list.

    "Recommended for you" above what everybody sees would not be true. A pipeline that is about one item names it.
    """
    if made.helped and not (made.made_by == 0).any():
        return chain[int(made.made_by[made.made_by > 0][0])].spec.label
    about = chain[0].spec.label_with_item
    row = asked.events.last_viewed if about and asked.events is not None else None
    if row is None:
        return asked.plan.label
    return about.replace("{title}", asked.state.catalog.title(row))


def _remembered(asked: Question, chain: tuple[Pipeline, ...]) -> Made:
    """`_make`, or what it gave a moment ago for the same question in the same catalog."""
    ask = asked.ask
    if ask.trace:
        return _make(asked, chain)
    candidates = Candidates.of(asked)
    key = (
        candidates.key(chain[0]),
        candidates.asker(chain),
        asked.plan.digest,
        asked.active.ids,
        ask.pipeline,
        ask.min_relevance,
        None if ask.filter is None else ask.filter.text,
        asked.limit,
        ask.exclude,
        ask.after,
        ask.explain,
        ask.properties,
    )
    validity = (asked.state, asked.eligible)
    made = result_cache.arranged.get(key, validity)
    if made is None:
        made = _make(asked, chain)
        if not (made.candidates.failed or made.candidates.late):
            result_cache.arranged.put(key, validity, made)
    return made


def _make(asked: Question, chain: tuple[Pipeline, ...]) -> Made:
    """Ask the pipelines in turn until the list is full."""
    candidates = Candidates.of(asked)
    pool = Pool.empty()
    for number, pipeline in enumerate(chain):
        slate = candidates.slate(pipeline, in_time=number == 0)
        attempt = pool.with_(slate, number)
        result = _arranged(asked, candidates, attempt, chain)
        last = number == len(chain) - 1  # beyond it there is only an empty shelf, so time is no argument
        if len(result.slate) < asked.limit and asked.restricts(slate) and (last or not asked.deadline.passed):
            # Too few of these may be shown: ask again among those that may.
            more = candidates.among(pipeline, asked.allowed, in_time=not last)
            attempt = attempt.with_(more, number)
            result = _arranged(asked, candidates, attempt, chain)
        pool = attempt
        alone = number == 0 and pipeline.spec.stands_alone and (len(result.slate) or asked.ask.after)
        if alone or len(result.slate) == asked.limit:
            break
    shown = (*asked.ask.after, *asked.state.catalog.ids[result.slate.rows].tolist())
    return replace(
        result,
        label=_label(asked, chain, result),
        listing=_listing(result, asked, chain),
        next=paging.cursor(shown) if len(result.slate) == asked.limit else None,
    )


def _arranged(asked: Question, candidates: Candidates, pool: Pool, chain: tuple[Pipeline, ...]) -> Made:
    """The first `limit` of `pool` by the rules and controls of the placement, behind what earlier pages showed."""
    ask, state = asked.ask, asked.state
    arranged = arrange(
        pool.slate,
        query=asked.query(chain[0]),
        context=Context(items=state.catalog.items, eligible=asked.eligible, models=state.models),
        limit=asked.limit,
        active=asked.active,
        controls=asked.plan.controls,
        filter=ask.filter,
        excluded=asked.excluded,
        within=asked.in_category,
        min_score=ask.min_relevance,
        offset=len(ask.after),
        trace=ask.trace,
    )
    by = pool.made_by(arranged.slate.rows)
    helped = tuple(chain[number].spec.name for number in dict.fromkeys(by[by > 0].tolist()))
    return Made(arranged.slate, arranged.pinned, by, helped, arranged, candidates)


def _tokens(made: Made, asked: Question, recomm_id: uuid.UUID) -> list[str]:
    common = entry_token.EntryToken(
        recomm_id=recomm_id,
        item_id=0,
        position=0,
        placement=asked.plan.placement,
        plan_digest=asked.plan.digest,
        issued=asked.now,
    )
    return entry_token.sign_all(common, made.places)


def _listing(made: Made, asked: Question, chain: tuple[Pipeline, ...]) -> Listing:
    slate, ask, catalog = made.slate, asked.ask, asked.state.catalog
    rows = slate.rows.tolist()
    why: Sequence[Reason | None] = _reasons(made, asked, chain) if ask.explain else [None] * len(rows)
    told = [None if ask.properties is None else properties(catalog, row, ask.properties) for row in rows]
    columns = zip(
        catalog.cards(rows),
        made.places,
        slate.scores.astype(np.float64).round(6).tolist(),
        made.pinned.tolist(),
        why,
        told,
        strict=True,
    )
    return Listing(
        tuple(
            [
                Entry(external_id, place.position, score, place.source, pinned, reason, card, chosen)
                for (external_id, card), place, score, pinned, reason, chosen in columns
            ]
        )
    )


def _reasons(made: Made, asked: Question, chain: tuple[Pipeline, ...]) -> list[Reason]:
    """One for each entry, as the pipeline that proposed it gives it."""
    state = asked.state
    result: list[Reason] = [Reason.chosen()] * len(made.slate)
    for number in np.unique(made.made_by[made.made_by >= 0]).tolist():
        places = np.flatnonzero(made.made_by == number)
        spec = chain[number].spec
        told = reasons(
            made.slate.take(places), spec, asked.query(chain[number]), state.models, state.catalog, state.worth
        )
        for place, reason in zip(places.tolist(), told, strict=True):
            result[place] = reason
    return result
