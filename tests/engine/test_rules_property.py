"""Random rules, filters, controls and catalogs thrown at `arrange`: against plain loops, and what is promised."""

from collections import Counter
from dataclasses import replace
from itertools import chain, pairwise
from math import ceil

from hypothesis import assume, given, settings

from apps.recommend.engine.rules import Controls, RuleSpec
from tests.engine.slow_rules import (
    Shop,
    controls,
    rank,
    rules,
    shops,
    slow_allowed,
    slow_holding,
    slow_may_show,
    slow_pins,
    slow_values,
)


@settings(max_examples=200)
@given(shops(), rules(), controls())
def test_a_list_keeps_every_promise(shop: Shop, specs: list[RuleSpec], controls: Controls) -> None:
    holding = slow_holding(shop, specs)
    shown = {
        row
        for row in range(len(shop.prices))
        if slow_may_show(shop, controls, row) and slow_allowed(shop, holding, row)
    }
    found = shop.arranged(specs, controls)
    rows, pinned = found.slate.rows.tolist(), found.pinned.tolist()

    # Nothing hidden, unavailable, excluded or out of the filter; nothing twice; never more than asked for.
    assert set(rows) <= shown
    assert len(set(rows)) == len(rows) == len(pinned) <= shop.limit

    # Pins stand where they were promised, or at the end where the list is too short.
    pins = slow_pins(shop, specs, shown)
    assert {row for row, is_pinned in zip(rows, pinned, strict=True) if is_pinned} == set(pins.values())
    late = [place for place in sorted(pins) if place >= len(rows) or rows[place] != pins[place]]
    assert [pins[place] for place in late] == rows[len(rows) - len(late) :]
    assert all(place >= len(rows) - len(late) for place in late)

    # Caps are kept; pins count but are not bound. Of a family one is shown, unless several are pinned.
    groups = [(shop.brands.__getitem__, controls.max_per_brand), (shop.smallest_category, controls.max_per_category)]
    if controls.collapse_variants:
        groups.append((shop.family, 1))
    of_pins = [[group(row) for row in pins.values()] for group, _ in groups]
    of_others = [[group(row) for row in rows if row not in pins.values()] for group, _ in groups]
    for (_, most), bound, free in zip(groups, of_pins, of_others, strict=True):
        for one, count in Counter(free).items():
            assert most is None or one < 0 or count <= max(most - bound.count(one), 0)

    # The list is as long as it can be: whoever is missing from a short one meets a full cap.
    base = min([*shop.scores, 0.0])
    best = max(shop.scores, default=0.0)
    relevance = controls.min_relevance or 0.0
    entitled = [
        row
        for row, score in zip(shop.candidates, shop.scores, strict=True)
        if row in shown and (not relevance or score - base >= relevance * (best - base))
    ]
    if len(rows) < shop.limit:
        for row in entitled:
            stands = shop.family(row) if controls.collapse_variants and shop.family(row) in shown else row
            assert stands in rows or any(
                most is not None and group(stands) >= 0 and (bound + free).count(group(stands)) >= most
                for (group, most), bound, free in zip(groups, of_pins, of_others, strict=True)
            )


@settings(max_examples=200)
@given(shops(), rules(), controls())
def test_a_list_is_what_plain_loops_make_of_it(shop: Shop, specs: list[RuleSpec], controls: Controls) -> None:
    assume(len(set(shop.scores)) == len(shop.scores) or not any(s.action in {"boost", "bury"} for s in specs))
    holding = slow_holding(shop, specs)
    everything = range(len(shop.prices))
    shown = {row for row in everything if slow_may_show(shop, controls, row) and slow_allowed(shop, holding, row)}
    values = slow_values(shop, specs, controls)
    base, best = min([*shop.scores, 0.0]), max(shop.scores, default=0.0)
    needed = (controls.min_relevance or 0.0) * (best - base)
    relevant = [
        row
        for row, score in zip(shop.candidates, shop.scores, strict=True)
        if row in shown and (not controls.min_relevance or score - base >= needed)
    ]
    queue = sorted(relevant, key=lambda row: -values[row])
    pins = slow_pins(shop, specs, shown)
    lanes = []
    for spec in sorted((spec for spec in specs if spec.action == "promote_share"), key=rank):
        mine = [row for row in everything if shop.meant(spec, row) and row in shown]
        if controls.min_relevance and shop.candidates:
            mine = [row for row in mine if row in relevant]
        elif any(row not in shop.candidates for row in mine):
            assume(len(mine) == 1)  # which of those nobody scored comes first is nobody's promise
        mine.sort(key=lambda row: (-values[row], queue.index(row) if row in queue else 99))
        lanes.append((mine, min(ceil(spec.share * shop.limit - 1e-9), len(mine))))

    limits = [(shop.brands.__getitem__, controls.max_per_brand), (shop.smallest_category, controls.max_per_category)]
    if controls.collapse_variants:
        limits.append((shop.family, 1))
    taken = list(pins.values())
    rows: list[int] = []
    chosen: list[int] = []

    def shown_as(row: int) -> int:
        family = shop.family(row)
        return family if controls.collapse_variants and family in shown and row not in pins.values() else row

    def fits(row: int) -> bool:
        return all(
            most is None or group(shown_as(row)) < 0
            or sum(group(shown_as(other)) == group(shown_as(row)) for other in taken) < most
            for group, most in limits
        )  # fmt: skip

    for place in range(shop.limit):
        if place in pins:
            candidate = pins[place]
        else:
            due = [
                mine
                for mine, k in lanes
                if sum(row in mine for row in chosen) < (k * (place + 1) / shop.limit + 0.5) // 1
            ]
            waiting = [*chain.from_iterable(due), *queue, *chain.from_iterable(mine for mine, k in lanes if k)]
            waiting = [row for row in waiting if row not in taken and fits(row)]
            if not waiting:
                break
            candidate = waiting[0]
            taken.append(candidate)
        chosen.append(candidate)
        rows.append(shown_as(candidate))
    rows += [pins[place] for place in sorted(pins) if place >= len(rows)][: shop.limit - len(rows)]
    assert shop.arranged(specs, controls).slate.rows.tolist() == rows


@given(shops(), rules(), controls())
def test_a_trace_changes_nothing_and_accounts_for_every_candidate(
    shop: Shop, specs: list[RuleSpec], controls: Controls
) -> None:
    plain, traced = shop.arranged(specs, controls), shop.arranged(specs, controls, trace=True)
    assert plain.slate.rows.tolist() == traced.slate.rows.tolist()
    assert plain.slate.scores.tolist() == traced.slate.scores.tolist()
    assert plain.removed == plain.moved == ()
    gone = {row for one in traced.removed for row in one.rows.tolist()}
    listed = set(traced.slate.rows.tolist())
    assert {row for row in shop.candidates if not shop.eligible[row]} <= gone
    if len(traced.slate) < shop.limit and not controls.collapse_variants:
        assert set(shop.candidates) <= gone | listed


@given(shops(), rules())
def test_rotation_swaps_only_what_is_nearly_equal_and_stays_for_its_period(shop: Shop, specs: list[RuleSpec]) -> None:
    still = [spec for spec in specs if spec.action in {"hide", "boost", "bury"}]
    rotating = Controls(rotation_hours=6)
    shop = replace(shop, limit=30)
    found = shop.arranged(still, rotating).slate.rows.tolist()
    values = slow_values(shop, still, Controls())
    for above, below in pairwise(found):
        assert values[above] >= 0.9 * values[below] - 1e-9
    assert found == shop.arranged(still, rotating).slate.rows.tolist()
