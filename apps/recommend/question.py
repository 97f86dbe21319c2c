"""An `Ask` whose names have become rows and facts."""

import time
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from django.conf import settings

from apps.interactions import selectors as interactions
from apps.interactions.selectors import Profile, ProfileOutOfReach, TasteColumns
from apps.recommend.asking import MAX_LIMIT, Ask, NotFound, Refused
from apps.recommend.engine.deadline import Deadline
from apps.recommend.engine.past_events import PastEvents
from apps.recommend.engine.pipeline import Pipeline
from apps.recommend.engine.rules import NO_RULES, ActiveRules
from apps.recommend.engine.rules.bounds import Bounds
from apps.recommend.engine.rules.meant import Meant
from apps.recommend.engine.types import Evidence, Mask, Query, Rows, Slate, event_weights
from apps.recommend.metrics import UNKNOWN_FOR_OUTAGE
from apps.recommend.serving_plan import Plan
from apps.recommend.serving_state import ServingState


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked, resolved against one serving state."""

    ask: Ask
    plan: Plan
    state: ServingState
    now: int
    deadline: Deadline
    limit: int
    seeds: Evidence
    categories: tuple[int, ...]  # the category asked for and all above it
    excluded: Rows  # seeds, what the caller leaves out, what earlier pages showed

    @cached_property
    def profile(self) -> Profile | None:
        """Who asks, looked up when it first matters; None: nobody, nobody known, or nobody who can be known now."""
        return _profile(self.ask.user)

    @cached_property
    def active(self) -> ActiveRules:
        """The placement's rules whose conditions are met."""
        rules = self.plan.rules
        if not len(rules):
            return NO_RULES
        return rules.active(
            now=self.now,
            items=self.state.catalog.items,
            seeds=self.seeds.rows,
            categories=self.categories,
            segments=segments(self.profile) if rules.by_segment else (),
            context=self.ask.context,
        )

    @property
    def category(self) -> int | None:
        """The category asked for."""
        return self.categories[0] if self.categories else None

    @property
    def personalised(self) -> bool:
        """Whether anything is known of who asks that may be used."""
        return self.profile is not None and self.profile.personalised

    @property
    def eligible(self) -> Mask:
        """What may be shown at all, now."""
        return self.state.catalog.eligible(self.now)

    @cached_property
    def in_category(self) -> Mask | None:
        """What lies in the category asked for; None where none was."""
        return None if self.category is None else self.state.catalog.items.in_category(self.category)

    def restricts(self, slate: Slate) -> bool:
        """Whether some of `slate` may not be shown, so that asking again among what may be shown can give more."""
        controls = self.plan.controls
        priced = controls.price_min is not None or controls.price_max is not None
        if self.ask.filter is not None or self.active.restricts or priced:
            return True
        return bool(len(slate)) and not (self.eligible[slate.rows] & ~np.isin(slate.rows, self.excluded)).all()

    @cached_property
    def allowed(self) -> Mask:
        """Every item that may be shown in answer. O(items)."""
        items = self.state.catalog.items
        everything = np.arange(len(items), dtype=np.int32)
        meant = Meant(NO_RULES, items, everything, None, self.now, self.ask.filter)
        mask = Bounds(items, self.eligible, self.plan.controls, self.excluded, self.in_category).mask(meant)
        by_rules = self.active.allowed(items, self.now, self.eligible)
        return mask if by_rules is None else mask & by_rules

    def query(self, pipeline: Pipeline) -> Query:
        """What `pipeline` is asked: by whom and with their history, if it depends on that."""
        asked = Query(seeds=self.seeds, text=self.ask.text, now=self.now)
        if not pipeline.spec.personal or self.profile is None or not self.profile.personalised:
            return asked
        return replace(asked, history=self.history, user=self.profile.id, events=self.events)

    @cached_property
    def history(self) -> Evidence:
        """What speaks for the user's taste, latest first."""
        if self._past is None or not len(self._past[0]):
            return Evidence.none()
        taste, rows = self._past
        # Seen from the user's own last event, as training sees the shop from its last one: somebody who comes back
        # after years is known by what they did then, not by nothing.
        last = max(int(taste.times[0]), 0)
        worth = self.state.worth_columns
        weights = event_weights(taste.types, taste.times, taste.values, worth, last)
        return Evidence.of_events(rows, weights, taste.types, worth, taste.times)

    @cached_property
    def events(self) -> PastEvents | None:
        """What the user did, event by event, latest first."""
        if self._past is None:
            return None
        taste, rows = self._past
        known = rows >= 0
        if known.all():
            return PastEvents(rows, taste.types, taste.times, self.state.worth)
        return PastEvents(rows[known], taste.types[known], taste.times[known], self.state.worth)

    @cached_property
    def _past(self) -> tuple[TasteColumns, Rows] | None:
        """The user's taste events and the catalog row of each one's item, -1: gone. None: nothing that may be used."""
        if self.profile is None or not self.profile.personalised:
            return None
        taste = self.profile.taste
        return taste, self.state.catalog.items.rows_of(taste.item_ids)


def question(ask: Ask, state: ServingState) -> Question:
    """`ask` against `state`. Raises NotFound and Refused, naming the field."""
    plan = state.plans.get(ask.placement)
    if plan is None:
        raise NotFound("placement", f"No active placement is called {ask.placement!r}.")
    limit = plan.count if ask.limit is None else ask.limit
    if not 1 <= limit <= MAX_LIMIT:
        raise Refused("limit", f"Must be between 1 and {MAX_LIMIT}; it is {limit}.")
    catalog = state.catalog
    now = int(time.time())
    seeds = []
    for item in dict.fromkeys(ask.items):
        row = catalog.row_of(item)
        if row is None:
            raise NotFound("item_id", f"No item has the id {item!r}.")
        seeds.append(row)
    categories: tuple[int, ...] = ()
    if ask.category is not None:
        categories = state.category(ask.category)
        if not categories:
            raise NotFound("category", f"No category is called {ask.category!r}.")
    excluded = [*seeds, *(row for row in map(catalog.row_of, ask.exclude) if row is not None)]
    if ask.after:
        excluded += catalog.items.rows_of(np.array(ask.after, dtype=np.int64)).tolist()
    return Question(
        ask=ask,
        plan=plan,
        state=state,
        now=now,
        deadline=Deadline.after(settings.REQUEST_BUDGET_MS),
        limit=limit,
        seeds=Evidence.of_rows(seeds),
        categories=categories,
        excluded=np.array([row for row in excluded if row >= 0], dtype=np.int32),
    )


def _profile(user: str | None) -> Profile | None:
    if user is None:
        return None
    try:
        return interactions.profile(user)
    except ProfileOutOfReach:
        # Whoever it is, they get what a new visitor gets until the stores are back; the outage itself is logged there.
        UNKNOWN_FOR_OUTAGE.inc()
        return None


def segments(profile: Profile | None) -> frozenset[str]:
    """The user's own segments and those everybody is in: `new` or `returning`, `anonymous` or `known`."""
    if profile is None:
        return frozenset(("new", "anonymous"))
    seen = "returning" if len(profile.taste) else "new"
    return frozenset((*profile.segments, seen, "anonymous" if profile.anonymous else "known"))
