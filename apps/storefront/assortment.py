"""What the demo shop sells, read from `assortment.toml`: styles, departments and kinds of product."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SHOP_NAME = "Hobnail"
SHOP_CLAIM = "Things worth keeping at home"


@dataclass(frozen=True)
class Style:
    """A look: its colours by name, its makers, and the words that go with it."""

    key: str
    name: str
    makers: tuple[str, ...]
    colours: dict[str, str]
    moods: tuple[str, ...]
    finishes: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Material:
    """What a product is made of: the word in its title, the phrase and care line in its description."""

    word: str
    phrase: str
    care: str
    price_factor: float


@dataclass(frozen=True)
class Kind:
    """A leaf of the category tree, with the words its products are named and described by."""

    key: str
    name: str
    department: str
    family: str
    price: tuple[float, float]
    nouns: tuple[str, ...]
    goes_with: tuple[str, ...]
    leads: tuple[str, ...]
    materials: tuple[Material, ...]


@dataclass(frozen=True)
class Assortment:
    styles: tuple[Style, ...]
    departments: dict[str, str]
    kinds: tuple[Kind, ...]

    def kind(self, key: str) -> Kind:
        """The kind called `key`. Raises KeyError."""
        return {kind.key: kind for kind in self.kinds}[key]

    def style(self, key: str) -> Style:
        """The style called `key`. Raises KeyError."""
        return {style.key: style for style in self.styles}[key]


@cache
def assortment() -> Assortment:
    """The assortment, read once per process."""
    raw = tomllib.loads((Path(__file__).parent / "assortment.toml").read_text(encoding="utf-8"))
    styles = tuple(
        Style(
            key=s["key"],
            name=s["name"],
            makers=tuple(s["makers"]),
            colours=s["colours"],
            moods=tuple(s["moods"]),
            finishes={family: tuple(words) for family, words in s["finishes"].items()},
        )
        for s in raw["styles"]
    )
    kinds = tuple(
        Kind(
            key=k["key"],
            name=k["name"],
            department=k["department"],
            family=k["family"],
            price=(k["price"][0], k["price"][1]),
            nouns=tuple(k["nouns"]),
            goes_with=tuple(k["goes_with"]),
            leads=tuple(k["leads"]),
            materials=tuple(Material(*m) for m in k["materials"]),
        )
        for k in raw["kinds"]
    )
    return Assortment(styles, {d["key"]: d["name"] for d in raw["departments"]}, kinds)
