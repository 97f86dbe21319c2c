"""ONE request, top to bottom. REST, widgets, previews and precomputation all call `recommend`."""

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import structlog
from django.conf import settings

from apps.catalog import selectors as catalog_selectors
from apps.interactions import selectors as interactions
from apps.interactions.entry_token import EntryToken, sign
from apps.recommend import result_cache, serving_state
from apps.recommend.asking import MAX_LIMIT, Ask, Card, Entry, NotFound, Recommendation, Refused
from apps.recommend.engine.context import Context
from apps.recommend.engine.pipeline import Pipeline
from apps.recommend.engine.types import Evidence, Mask, Query, Slate, event_weights
from apps.recommend.metrics import PIPELINE_FAILURES, RECOMMENDATION_SECONDS, RECOMMENDATIONS
from apps.recommend.pipelines import pipelines
from apps.recommend.reasons import Reason, reasons
from apps.recommend.result_cache import CacheKey
from apps.recommend.serving_plan import Plan
from apps.recommend.serving_state import ServingState
from apps.users import selectors as users
from apps.users.selectors import UserFacts

log = structlog.get_logger(__name__)

HISTORY = 100  # latest events a user is known by


def recommend(ask: Ask) -> Recommendation:
    """Answer `ask`; as many entries as asked for, as long as that many items may be shown.

    Raises NotFound for a placement, seed item or category nobody knows, Refused for a limit out of range. An unknown
    user gets what a new visitor gets. A pipeline that fails or falls short is helped out by the placement's fallbacks.
    Costs two SQL queries for a user (who is it, what did they do), one where candidates are cached and nothing is to be
    explained; none for nobody in particular. A category costs one or two more.
    """
    started = time.perf_counter()
    state = serving_state.current()
    plan = state.plans.get(ask.placement)
    if plan is None:
        raise NotFound("placement", f"No active placement is called {ask.placement!r}.")
    limit = _limit(ask, plan)
    question = _question(ask, plan, state)
    chain = _chain(ask, plan)
    picked = list(_fill(chain, question, limit))
    helped = [pick.pipeline.spec.name for pick in picked if pick.pipeline is not chain[0]]
    recomm_id = uuid.uuid4()
    entries = tuple(_entries(picked, question, recomm_id))
    took = time.perf_counter() - started
    RECOMMENDATIONS.labels(placement=plan.placement, fallback=helped[0] if helped else "none").inc()
    RECOMMENDATION_SECONDS.labels(placement=plan.placement).observe(took)
    return Recommendation(
        placement=plan.placement,
        label=_label(plan, chain, picked),
        pipeline=chain[0].spec.name,
        model_version=next((state.models[m].version for m in chain[0].spec.models if m in state.models), None),
        fallback=helped[0] if helped else None,
        recomm_id=str(recomm_id),
        took_ms=round(took * 1000, 2),
        entries=entries,
    )


def _limit(ask: Ask, plan: Plan) -> int:
    limit = plan.count if ask.limit is None else ask.limit
    if not 1 <= limit <= MAX_LIMIT:
        raise Refused("limit", f"Must be between 1 and {MAX_LIMIT}; it is {limit}.")
    return limit


def _chain(ask: Ask, plan: Plan) -> tuple[Pipeline, ...]:
    """The pipelines to ask in turn. With a least relevance, fallbacks have no say: they answer another question."""
    first = plan.chain[0] if ask.pipeline is None else pipelines()[ask.pipeline]
    if ask.min_relevance is not None:
        return (first,)
    return (first, *(pipeline for pipeline in plan.chain[1:] if pipeline is not first))


def _label(plan: Plan, chain: tuple[Pipeline, ...], picked: "list[_Pick]") -> str:
    """What shoppers read above the list: the placement's words, unless a fallback had to make the whole list.

    "Recommended for you" above what everybody sees would not be true.
    """
    if picked and picked[0].pipeline is not chain[0]:
        return picked[0].pipeline.spec.label
    return plan.label


@dataclass(frozen=True, eq=False)
class _Question:
    """An `Ask` whose names have become rows and facts."""

    ask: Ask
    plan: Plan
    state: ServingState
    now: int
    user: UserFacts | None
    seeds: Evidence
    category: int | None
    eligible: Mask  # what may be shown at all
    allowed: Mask  # of that, what this caller did not rule out

    def query(self, pipeline: Pipeline) -> Query:
        """What `pipeline` is asked: by whom and with their history, read when first needed, if it depends on that."""
        asked = Query(seeds=self.seeds, text=self.ask.text, now=self.now)
        if self.user is None or not self.user.personalised or not pipeline.spec.personal:
            return asked
        return replace(asked, history=self._history, user=self.user.id)

    @cached_property
    def _history(self) -> Evidence:
        if self.user is None or not self.user.personalised:
            return Evidence.none()
        taste = interactions.recent_taste(self.user.id, HISTORY)
        rows = self.state.catalog.items.rows_of(taste.item_ids)
        # Seen from the user's own last event, as training sees the shop from its last one: somebody who comes back
        # after years is known by what they did then, not by nothing.
        last = int(taste.times.max(initial=0))
        weights = event_weights(taste.types, taste.times, taste.values, self.state.worth, last)
        known = rows >= 0
        return Evidence.of_events(rows[known], weights[known], taste.types[known], self.state.worth, taste.times[known])


def _question(ask: Ask, plan: Plan, state: ServingState) -> _Question:
    catalog = state.catalog
    now = int(time.time())
    rows = [(item, catalog.row_of(item)) for item in dict.fromkeys(ask.items)]
    for item, row in rows:
        if row is None:
            raise NotFound("item_id", f"No item has the id {item!r}.")
    seeds = Evidence.of_rows([row for _, row in rows if row is not None])
    category = None
    eligible = catalog.eligible(now)
    if ask.category is not None:
        category = catalog_selectors.category_id_of(ask.category)
        if category is None:
            raise NotFound("category", f"No category is called {ask.category!r}.")
        eligible &= catalog.items.in_category(category)
    allowed = eligible.copy()
    allowed[seeds.rows] = False
    excluded = [row for row in map(catalog.row_of, ask.exclude) if row is not None]
    allowed[excluded] = False
    return _Question(
        ask=ask,
        plan=plan,
        state=state,
        now=now,
        user=None if ask.user is None else users.user_by_external_id(ask.user),
        seeds=seeds,
        category=category,
        eligible=eligible,
        allowed=allowed,
    )


@dataclass(frozen=True, eq=False)
class _Pick:
    """What one pipeline gave to the answer."""

    pipeline: Pipeline
    slate: Slate


def _fill(chain: tuple[Pipeline, ...], question: _Question, limit: int) -> Iterator[_Pick]:
    """Ask the pipelines in turn until there are `limit` entries, none twice."""
    missing = limit
    allowed = question.allowed.copy()
    for pipeline in chain:
        slate = _candidates(pipeline, question)
        keep = allowed[slate.rows]
        if question.ask.min_relevance is not None:
            keep &= slate.scores >= question.ask.min_relevance
        slate = slate.take(keep).take(slice(0, missing))
        if len(slate):
            yield _Pick(pipeline, slate)
        missing -= len(slate)
        if not missing:
            return
        allowed[slate.rows] = False


def _candidates(pipeline: Pipeline, question: _Question) -> Slate:
    """The pipeline's candidates, cached or computed; none, logged and counted, where it fails."""
    user, state = question.user, question.state
    personal = pipeline.spec.personal and user is not None and user.personalised
    # The plan's digest names the models of its own pipelines only, and a caller may ask for another one.
    versions = [state.models[name].version for name in pipeline.spec.models if name in state.models]
    key = CacheKey(
        plan=question.plan.digest,
        pipeline=f"{pipeline.spec.name}@{pipeline.spec.digest()} {' '.join(versions)}",
        user=(user.id, user.taste_revision) if personal and user is not None else None,
        seeds=tuple(state.catalog.ids[question.seeds.rows].tolist()),
        category=question.category,
        text=question.ask.text,
    )
    # A pipeline without models costs no more than a look into the cache, and must know an item as soon as it is there.
    keep = bool(pipeline.spec.models)
    cached = result_cache.get(key, state.catalog) if keep else None
    if cached is not None:
        return cached
    query = question.query(pipeline)
    context = Context(items=state.catalog.items, eligible=question.eligible, models=state.models)
    try:
        slate = pipeline.run(query, context).slate
    except Exception:
        # A broken plug-in or model must not empty a shelf: the next pipeline of the chain answers, and says so.
        PIPELINE_FAILURES.labels(pipeline=pipeline.spec.name).inc()
        log.exception("pipeline failed", pipeline=pipeline.spec.name, placement=question.plan.placement)
        return Slate.empty()
    if keep:
        result_cache.put(key, slate, state.catalog)
    return slate


def _entries(picked: list[_Pick], question: _Question, recomm_id: uuid.UUID) -> Iterator[Entry]:
    state = question.state
    catalog = state.catalog
    position = 0
    for pick in picked:
        slate = pick.slate
        why: list[Reason] | list[None] = [None] * len(slate)
        if question.ask.explain:
            query = question.query(pick.pipeline)
            why = reasons(slate, pick.pipeline.spec, query, state.models, catalog, state.worth)
        for number, row in enumerate(slate.rows.tolist()):
            position += 1
            source = slate.source_names[slate.source[number]]
            model = state.models.get(source)
            token = EntryToken(
                recomm_id=recomm_id,
                placement=question.plan.placement,
                plan_digest=question.plan.digest,
                variant="",
                model_version="" if model is None else model.version,
                item_id=int(catalog.ids[row]),
                position=position,
                source=source,
                propensity=None,
                policy_state=None,
                issued=question.now,
            )
            yield Entry(
                item_id=catalog.external_id(row),
                position=position,
                score=round(float(slate.scores[number]), 6),
                source=source,
                pinned=False,
                token=sign(token),
                reason=why[number],
                card=_card(question, row),
            )


def _card(question: _Question, row: int) -> Card:
    cards = question.state.catalog.cards
    return Card(
        title=str(cards["titles"][row]),
        url=str(cards["urls"][row]),
        image_url=str(cards["image_urls"][row]),
        price=str(cards["price_text"][row]) or None,
        currency=str(cards["currency"][row]) or settings.SHOP_CURRENCY,
        available=bool(question.allowed[row]),
    )
