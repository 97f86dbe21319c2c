"""The planted catalog: names, descriptions, prices and dates for every kind and style, drawn from one seed."""

import re
from dataclasses import dataclass
from itertools import pairwise
from itertools import product as combinations

import numpy as np
from numpy.typing import NDArray

from apps.storefront.assortment import Kind, Material, Style, assortment

DAY = 86_400
FIRST_ITEM = 67890
"""External id of the first product; the others count up from it."""
UNTRACKED = -1

_AN = re.compile(r"\b([Aa]) (?=[aeio])")

Spec = tuple[str, Material, str, str]
"""Finish, material, noun and colour: what tells two products of a kind and style apart."""


@dataclass(frozen=True, eq=False)
class Products:
    """The catalog as columns, one entry a product. `kinds` and `styles` index the assortment."""

    external_ids: list[str]
    titles: list[str]
    descriptions: list[str]
    kinds: NDArray[np.int16]
    styles: NDArray[np.int16]
    specs: list[Spec]
    makers: list[str]
    prices: list[str]
    stock: NDArray[np.int32]  # UNTRACKED: nobody counts
    published: NDArray[np.int64]
    parents: NDArray[np.int32]  # row of the product this one is a variant of, else -1
    appeal: NDArray[np.float64]  # how often it is looked at, beside the others of its kind and style
    partners: NDArray[np.int32]  # row of the product that is bought along with this one

    def __len__(self) -> int:
        return len(self.external_ids)


def products_plant(count: int, *, now: int, rng: np.random.Generator) -> Products:
    """`count` products spread evenly over kinds and styles. The first is always the same mossy mug."""
    shop = assortment()
    pairs = rng.permutation(np.arange(count) % (len(shop.kinds) * len(shop.styles)))
    mossy = [k.key for k in shop.kinds].index("mugs"), [s.key for s in shop.styles].index("botanical")
    first = mossy[0] + mossy[1] * len(shop.kinds)
    where = np.flatnonzero(pairs == first)
    if len(where):
        pairs[where[0]] = pairs[0]
    pairs[0] = first
    kinds = (pairs % len(shop.kinds)).astype(np.int16)
    styles = (pairs // len(shop.kinds)).astype(np.int16)

    specs: list[Spec] = [("", shop.kinds[0].materials[0], "", "")] * count
    suffixes = [""] * count
    parents = np.full(count, -1, dtype=np.int32)
    for pair in np.unique(pairs):
        rows = np.flatnonzero(pairs == pair)
        kind, style = shop.kinds[kinds[rows[0]]], shop.styles[styles[rows[0]]]
        for row, (spec, repeat) in zip(rows, _draw_specs(kind, style, len(rows), rng, rows[0] == 0), strict=True):
            specs[row] = spec
            suffixes[row] = f" no. {repeat + 1}" if repeat else ""
        _plant_variants(rows, specs, suffixes, parents, style, rng)

    return Products(
        external_ids=[str(FIRST_ITEM + row) for row in range(count)],
        titles=[title_of(specs[row]) + suffixes[row] for row in range(count)],
        descriptions=[_describe(shop.kinds[kinds[r]], shop.styles[styles[r]], specs[r], rng) for r in range(count)],
        kinds=kinds,
        styles=styles,
        specs=specs,
        makers=[str(rng.choice(shop.styles[styles[row]].makers)) for row in range(count)],
        prices=_prices([shop.kinds[k] for k in kinds], specs, parents, rng),
        stock=_stock(count, rng),
        published=_published(count, now, rng),
        parents=parents,
        appeal=_appeal(count, rng),
        partners=_partners(kinds, styles, rng),
    )


def title_of(spec: Spec) -> str:
    """What shoppers call the product: "Speckled stoneware mug, moss"."""
    finish, material, noun, colour = spec
    return f"{finish} {material.word} {noun}, {colour}"


def _draw_specs(
    kind: Kind, style: Style, count: int, rng: np.random.Generator, with_mossy_mug: bool
) -> list[tuple[Spec, int]]:
    """`count` specs without repeats as long as the words last; then with a running number."""
    every: list[Spec] = list(combinations(style.finishes[kind.family], kind.materials, kind.nouns, style.colours))
    order = [int(i) for i in rng.permutation(len(every))]
    if with_mossy_mug:
        wanted = next(i for i, spec in enumerate(every) if title_of(spec) == "Speckled stoneware mug, moss")
        order.remove(wanted)
        order.insert(0, wanted)
    return [(every[order[i % len(order)]], i // len(order)) for i in range(count)]


def _plant_variants(
    rows: NDArray[np.intp],
    specs: list[Spec],
    suffixes: list[str],
    parents: NDArray[np.int32],
    style: Style,
    rng: np.random.Generator,
) -> None:
    """Turn about one product in ten into another one's variant in a different colour."""
    taken = {title_of(specs[row]) + suffixes[row] for row in rows}
    for parent, row in pairwise(rows.tolist()):
        if suffixes[row] or parents[parent] >= 0 or rng.random() > 0.1:
            continue
        finish, material, noun, colour = specs[parent]
        for other in rng.permutation([c for c in style.colours if c != colour]):
            spec = (finish, material, noun, str(other))
            if title_of(spec) not in taken:
                taken.add(title_of(spec))
                specs[row] = spec
                parents[row] = parent
                break


def _describe(kind: Kind, style: Style, spec: Spec, rng: np.random.Generator) -> str:
    _, material, noun, colour = spec
    lead = str(rng.choice(kind.leads)).format(noun=noun, phrase=material.phrase)
    mood = str(rng.choice(style.moods)).format(colour=colour)
    return _AN.sub(r"\1n ", f"{lead} {mood} {material.care}")


def _prices(kinds: list[Kind], specs: list[Spec], parents: NDArray[np.int32], rng: np.random.Generator) -> list[str]:
    """Prices in pounds with the endings shops use; a variant costs what its parent costs."""
    position = rng.beta(2.0, 3.0, len(kinds))
    prices: list[str] = []
    for row, (kind, spec) in enumerate(zip(kinds, specs, strict=True)):
        low, high = kind.price
        raw = (low + (high - low) * float(position[row])) * spec[1].price_factor
        if raw < 30:
            prices.append(f"{max(round(raw * 2) / 2, 1.5):.2f}")
        elif raw < 100:
            prices.append(f"{round(raw):.2f}")
        else:
            prices.append(f"{round(raw / 5) * 5:.2f}")
    for row in np.flatnonzero(parents >= 0).tolist():
        prices[row] = prices[parents[row]]
    return prices


def _stock(count: int, rng: np.random.Generator) -> NDArray[np.int32]:
    stock = rng.integers(4, 140, count)
    draw = rng.random(count)
    stock[draw < 0.30] = UNTRACKED
    few = (draw >= 0.30) & (draw < 0.38)
    stock[few] = rng.integers(1, 4, int(few.sum()))
    stock[draw > 0.975] = 0
    stock[0] = 24
    return stock.astype(np.int32)


def _published(count: int, now: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Dates over the last two years; one product in thirty came within the last week."""
    age = rng.integers(8 * DAY, 730 * DAY, count)
    fresh = rng.random(count) < 1 / 30
    age[fresh] = rng.integers(3_600, 7 * DAY, int(fresh.sum()))
    age[0] = 200 * DAY
    return np.asarray(now - age, dtype=np.int64)


def _appeal(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    appeal = rng.lognormal(0.0, 1.1, count)
    appeal[0] = np.quantile(appeal, 0.97) if count > 1 else 1.0
    return appeal


def _partners(kinds: NDArray[np.int16], styles: NDArray[np.int16], rng: np.random.Generator) -> NDArray[np.int32]:
    """For each product one of a kind that goes with it, in its own style where there is one; else -1."""
    shop = assortment()
    key_index = {kind.key: i for i, kind in enumerate(shop.kinds)}
    partners = np.full(len(kinds), -1, dtype=np.int32)
    for row in range(len(kinds)):
        wanted = [key_index[key] for key in shop.kinds[kinds[row]].goes_with]
        matching = np.flatnonzero((kinds == wanted[int(rng.integers(len(wanted)))]) & (styles == styles[row]))
        if len(matching):
            partners[row] = rng.choice(matching)
    return partners
