"""Whatever the catalog, the rules, the controls and the question: what `recommend` promises of every list holds."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.catalog.selectors import NEVER
from apps.interactions import selectors as interactions
from apps.interactions.selectors import Profile
from apps.interactions.taste import TasteColumns
from apps.recommend import serving_state, snapshot
from apps.recommend.asking import Ask, Entry
from apps.recommend.engine.filters import parse
from apps.recommend.engine.rules import RuleSpec
from apps.recommend.engine.served_model import ServedModel
from apps.recommend.engine.types import Query, Rows, Scores
from apps.recommend.live_catalog import LiveCatalog
from apps.recommend.models import Placement
from apps.recommend.serve import recommend
from apps.recommend.serving_plan import plans
from apps.recommend.serving_state import ServingState
from tests.apps.recommend.catalogs import Made, columns_of

NOW = int(time.time())
DAY = 86_400
MODELS = ("als", "item_knn", "content", "popular", "popular_7d", "trending", "category_trending", "bought_together")
CATEGORIES = {"one": 1, "two": 2, "three": 3}

pytestmark = pytest.mark.django_db

versions = count(1)


@dataclass(frozen=True)
class Filter:
    """An expression, and what it means in other words."""

    text: str
    true: Callable[[Made], bool]


FILTERS = [
    Filter("price < 10", lambda item: item.price < 10),
    Filter("price >= 5 and price != 20", lambda item: item.price >= 5 and item.price != 20),
    Filter('brand = "Acme"', lambda item: item.brand == "Acme"),
    Filter('not attributes.colour = "red"', lambda item: item.colour != "red"),
    Filter('item_id in ("i1", "i2", "i7")', lambda item: item.external_id in {"i1", "i2", "i7"}),
    Filter("price > 1000", lambda item: item.price > 1000),
]


class Planted:
    """A model that knows some of the items and finds each as good as it happens to."""

    def __init__(self, item_ids: Sequence[int], seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.item_ids = np.array([one for one in item_ids if rng.random() < 0.8], np.int64)
        self._scores = rng.normal(size=len(self.item_ids)).astype(np.float32)

    def score(self, query: Query, rows: Rows) -> Scores:
        return self._scores[rows]

    def contributions(self, query: Query, rows: Rows) -> Any:
        return np.zeros((len(rows), len(query.evidence)), np.float32)


class Dice:
    """Makes shops and questions of all kinds up: most of them full of things that may be shown."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def one_of(self, *values: Any) -> Any:
        return values[self._rng.integers(len(values))]

    def some(self, most: int, highest: int) -> list[int]:
        """Up to `most` numbers from 1, each once, in any order."""
        chosen = self._rng.permutation(highest)[: self._rng.integers(most + 1)]
        return [int(one) + 1 for one in chosen]

    def expression(self, *others: Any) -> Any:
        return self.one_of(*others, *MEANS)

    def catalog(self) -> dict[int, Made]:
        return {number: self.item(number) for number in range(1, self.one_of(0, 1, 4, 15, 30, 30, 60) + 1)}

    def item(self, number: int) -> Made:
        return Made(
            external_id=f"i{number}",
            price=self.one_of(np.nan, 1.0, 5.0, 20.0),
            available=self._rng.random() < 0.9,
            deleted=self._rng.random() < 0.1,
            published=self.one_of(0, 0, 0, 0, NOW - DAY, NOW - 9 * DAY, NOW + DAY),
            expires=self.one_of(NEVER, NEVER, NEVER, NEVER, NOW + DAY, NOW - DAY),
            brand=self.one_of("", "Acme", "Émile"),
            categories=self.one_of((), (1,), (2,), (3,)),
            colour=self.one_of("", "red", "blue"),
        )

    def rule(self, number: int) -> RuleSpec:
        return RuleSpec(
            id=number,
            name=f"rule {number}",
            action=self.one_of("pin", "pin", "boost", "bury", "hide", "include_only", "promote_share"),
            priority=self.one_of(-1, 0, 1),
            items=tuple(self.some(5, 32)),
            filter=self.expression(*[None] * 6),
            strength=self.one_of(1.0, 5.0),
            position=self.one_of(1, 2, 3, 6),
            share=self.one_of(0.0, 0.3, 1.0),
            segments=self.one_of(*[frozenset()] * 4, frozenset({"new"}), frozenset({"known"})),
        )

    def placement(self) -> Placement:
        return Placement(
            key="spot",
            label="Spot",
            pipeline=self.one_of("home", "item-page", "category", "popular", "bought-together", "cart", "newest"),
            fallback=[self.one_of("trending", "popular", "home", "gone") for _ in self.some(2, 2)],
            count=self.one_of(None, 4),
            max_per_brand=self.one_of(None, None, 1, 2),
            max_per_category=self.one_of(None, None, None, 2),
            price_min=self.one_of(None, None, None, 2),
            price_max=self.one_of(None, None, None, 10),
            freshness_weight=self.one_of(0.0, 1.0),
            rotation_hours=self.one_of(0.0, 6.0),
        )

    def ask(self, known: int) -> Ask:
        return Ask(
            placement="spot",
            user=self.one_of(None, "ann"),
            items=tuple(f"i{one}" for one in self.some(2, known)),
            limit=self.one_of(None, 1, 3, 7, 200),
            exclude=frozenset(f"i{one}" for one in self.some(10, 40)),
            category=self.one_of(*[None] * 9, *CATEGORIES),
            filter=self.expression(*[None] * 9),
            explain=self.one_of(True, False),
            trace=self.one_of(True, False, False),
            properties=self.one_of(None, (), ("title", "brand", "attributes.colour")),
        )

    def case(self) -> "Case":
        made = self.catalog()
        rules = tuple(self.rule(number) for number in self.some(4, 4))
        return Case(made, rules, self.placement(), self.ask(len(made)))


MEANS = {parse(one.text): one.true for one in FILTERS}
PATIENT, LATE = 60_000, 1


@dataclass(frozen=True)
class Case:
    """A shop and a question."""

    made: dict[int, Made]
    rules: tuple[RuleSpec, ...]
    placement: Placement
    ask: Ask

    @property
    def limit(self) -> int:
        return self.ask.limit or self.placement.count or 10

    @property
    def active(self) -> list[RuleSpec]:
        """The rules that apply, the one that decides first."""
        mine = {"returning", "known"} if self.ask.user else {"new", "anonymous"}
        return sorted((one for one in self.rules if not one.segments or one.segments & mine), key=lambda one: one.rank)

    def eligible(self, number: int) -> bool:
        item = self.made[number]
        return item.available and not item.deleted and item.published <= NOW < item.expires

    def meant(self, rule: RuleSpec, number: int) -> bool:
        return number in rule.items or (rule.filter is not None and MEANS[rule.filter](self.made[number]))

    def allowed(self) -> list[int]:
        """What may be shown, by definition."""
        restricting = [rule for rule in self.active if rule.action in {"hide", "include_only"}]
        shown = [number for number in self.made if self.eligible(number)]
        while shown and restricting and not (left := self.left_by(restricting, shown)):
            restricting.pop()
        left = self.left_by(restricting, shown)
        return [number for number in left if self.asked_for(number)]

    def left_by(self, restricting: list[RuleSpec], shown: list[int]) -> list[int]:
        return [n for n in shown if all(self.meant(rule, n) == (rule.action == "include_only") for rule in restricting)]

    def asked_for(self, number: int) -> bool:
        item, ask, placement = self.made[number], self.ask, self.placement
        low, high = placement.price_min, placement.price_max
        return (
            item.external_id not in {*ask.exclude, *ask.items}
            and (ask.filter is None or MEANS[ask.filter](item))
            and (ask.category is None or CATEGORIES[ask.category] in item.categories)
            and (low is None or item.price >= low)
            and (high is None or item.price <= high)
        )

    def state(self) -> ServingState:
        live = LiveCatalog.of(columns_of(self.made), 1)
        version = f"{time.time_ns()}-{next(versions)}"  # slates may be shared by Redis: these are nobody else's
        models = {
            name: ServedModel.over(live.items, cast(Any, Planted([*self.made], seed)), name=name, version=version)
            for seed, name in enumerate(MODELS)
        }
        worth = snapshot.worth()
        made = plans([self.placement], dict.fromkeys(MODELS, version), worth, self.rules)
        return ServingState(
            catalog=live,
            models=MappingProxyType(models),
            plans=MappingProxyType(made),
            worth=MappingProxyType(worth),
            made_from=(),
            told=0,
            tree=cast(Any, None),
            _categories={name: (number,) for name, number in CATEGORIES.items()},
        )

    def profile(self) -> Profile:
        """Ann's, who looked at three things, one of which is not there any more."""
        ids = np.array([2, 5, 99], np.int64)
        taste = TasteColumns(ids, np.ones(3, np.int16), np.full(3, NOW - DAY), np.full(3, np.nan, np.float32))
        return Profile(1, "ann", False, True, next(versions), (), taste)


# Of independent numbers, hypothesis prefers the small and the same: dice make shops more different from each other.
cases = st.integers(0, 2**63).map(lambda seed: Dice(seed).case())


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Callable[..., list[tuple[Entry, ...]]]:
    """Puts a case's question as often as said."""

    def answered(case: Case, times: int = 1, *, budget: int = PATIENT) -> list[tuple[Entry, ...]]:
        settings.REQUEST_BUDGET_MS = budget
        state, profile = case.state(), case.profile()
        monkeypatch.setattr(serving_state, "current", lambda: state)
        monkeypatch.setattr(interactions, "profile", lambda name: profile)
        return [recommend(case.ask).entries for _ in range(times)]

    return answered


def numbers(entries: Sequence[Entry]) -> list[int]:
    return [int(entry.item_id[1:]) for entry in entries]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=cases, budget=st.sampled_from([PATIENT, PATIENT, PATIENT, LATE]))
def test_every_list_is_what_was_promised(answer: Any, case: Case, budget: int) -> None:
    [entries] = answer(case, budget=budget)
    shown, allowed = numbers(entries), case.allowed()
    assert len(set(shown)) == len(shown), "an item twice"
    assert set(shown) <= set(allowed), "something that may not be shown"
    assert [entry.position for entry in entries] == [*range(1, len(shown) + 1)]
    full = min(case.limit, len(allowed))
    per_brand, per_category = case.placement.max_per_brand, case.placement.max_per_category
    if per_brand is None and per_category is None:
        assert len(shown) == full, "too short"
    pinned = [number for number, entry in zip(shown, entries, strict=True) if entry.pinned]
    for most, group in ((per_brand, lambda item: item.brand), (per_category, lambda item: item.categories)):
        if most is None:
            continue
        per = Counter(group(case.made[one]) for one in shown)
        pins = Counter(group(case.made[one]) for one in pinned)
        assert all(per[one] <= max(most, pins[one]) for one in per if one), "a cap is not kept"
        if not pinned and (per_brand is None or per_category is None):
            room = Counter(group(case.made[one]) for one in allowed)
            assert len(shown) == min(case.limit, sum(min(room[one], most) if one else room[one] for one in room))
    check_pins(case, shown, pinned, set(allowed))


def check_pins(case: Case, shown: list[int], pinned: list[int], allowed: set[int]) -> None:
    """The pins of the rule that decides stand where it says, as far as the list goes; nothing else is called pinned."""
    pinning = [rule for rule in case.active if rule.action == "pin"]
    assert set(pinned) <= {item for rule in pinning for item in rule.items}
    for rule in pinning[:1]:
        wanted = [item for item in rule.items if item in allowed]
        for place, item in enumerate(wanted, rule.position - 1):
            if place < len(shown) and place < case.limit and len(shown) == case.limit:
                assert shown[place] == item, "a pin is not in its place"
            if place < case.limit:
                assert item in pinned


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=cases)
def test_who_asks_twice_gets_the_same_list_with_new_tokens(answer: Any, case: Case) -> None:
    first, second = answer(case, 2)
    assert [replace(entry, token="") for entry in first] == [replace(entry, token="") for entry in second]
    assert not {entry.token for entry in first} & {entry.token for entry in second}


def shop(count: int, **said: Any) -> dict[int, Made]:
    return {one: Made(external_id=f"i{one}", price=float(one), published=one, **said) for one in range(1, count + 1)}


def spot(**said: Any) -> Placement:
    return Placement(**{"key": "spot", "label": "Spot", "pipeline": "home", "fallback": ["popular"]} | said)


def test_when_time_is_over_a_filter_that_few_match_still_gives_a_full_list(answer: Any) -> None:
    ask = Ask("spot", limit=5, filter=parse("price <= 5"))  # the oldest: what comes in last is no help
    [entries] = answer(Case(shop(1_000), (), spot(), ask), budget=0)
    assert sorted(numbers(entries)) == [1, 2, 3, 4, 5]


def test_whoever_leaves_out_all_that_is_proposed_gets_something_else(answer: Any) -> None:
    ask = Ask("spot", limit=5, exclude=frozenset(f"i{one}" for one in range(6, 1_001)))
    [entries] = answer(Case(shop(1_000), (), spot(pipeline="newest", fallback=[]), ask))
    assert sorted(numbers(entries)) == [1, 2, 3, 4, 5]


def test_rules_that_leave_only_what_has_expired_do_not_empty_the_shelf(answer: Any) -> None:
    made = shop(10)
    made[3] = replace(made[3], expires=NOW - DAY)
    rule = RuleSpec(id=1, name="only what is gone", action="include_only", items=(3,))
    [entries] = answer(Case(made, (rule,), spot(), Ask("spot", limit=5)))
    assert len(entries) == 5
