"""Search and likeness of texts."""

from typing import Any

import numpy as np
import pytest

from apps.recommend.engine.algorithms.tfidf import Tfidf, TfidfModel
from apps.recommend.engine.text_terms import keys_of, terms
from apps.recommend.engine.types import Evidence, Query
from tests import worlds

TITLES = [
    "Brass Lantern\nHangs over the garden table",
    "Iron Lantern\nStands in the hall",
    "Red Umbrella\nFolds into a lantern-sized bag",
    "Teapot with Infuser\nFor two cups",
    "Café Crème Cup\nHolds 20 cl",
    "   ",
    "玻璃茶壶",
]


@pytest.fixture(scope="module")
def model() -> TfidfModel:
    interactions = worlds.events([(0, 0, worlds.VIEW)])
    items = worlds.catalog(len(TITLES), TITLES)
    return Tfidf(Tfidf.Config()).fit(interactions, items, np.random.default_rng(0))


def found(model: TfidfModel, text: str) -> list[str]:
    """Titles of what a search finds, best first."""
    scores = model.score(Query(text=text), np.arange(len(model.item_ids), dtype=np.int32))
    rows = np.flatnonzero(np.isfinite(scores))
    ids = model.item_ids[rows[np.argsort(-scores[rows])]]
    return [TITLES[int((item_id - 7) // 3)].partition("\n")[0] for item_id in ids]


def test_a_search_finds_titles_before_mere_mentions(model: TfidfModel) -> None:
    first, second, third = found(model, "lantern")[:3]
    assert {first, second} == {"Brass Lantern", "Iron Lantern"}
    assert third == "Red Umbrella"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("umbrela", "Red Umbrella"),
        ("RED UMBRELLA", "Red Umbrella"),
        ("tea pot", "Teapot with Infuser"),
        ("infusor", "Teapot with Infuser"),
        ("cafe creme", "Café Crème Cup"),
        ("茶壶", "玻璃茶壶"),
        ("brass lantrens", "Brass Lantern"),
    ],
)
def test_case_accents_and_typing_errors_are_forgiven(model: TfidfModel, text: str, title: str) -> None:
    assert found(model, text)[0] == title


@pytest.mark.parametrize("text", ["zzqq", "?!", " "])
def test_a_search_for_what_does_not_exist_finds_nothing(model: TfidfModel, text: str) -> None:
    assert found(model, text) == []


def test_an_item_without_a_text_is_not_in_the_model(model: TfidfModel) -> None:
    assert len(model.item_ids) == len(TITLES) - 1
    assert worlds.item_ids(6)[5] not in model.item_ids


def test_a_full_title_matches_its_item_with_a_cosine_of_at_most_one(model: TfidfModel) -> None:
    for row, item_id in enumerate(model.item_ids):
        text = TITLES[int((item_id - 7) // 3)]
        scores = model.score(Query(text=text), np.arange(len(model.item_ids), dtype=np.int32))
        assert int(np.nanargmax(scores)) == row
        assert np.nanmax(scores) <= 1 + 1e-5


def test_the_text_goes_before_the_history(model: TfidfModel) -> None:
    rows = np.arange(len(model.item_ids), dtype=np.int32)
    both = model.score(Query(text="umbrella", history=Evidence.of_rows([3])), rows)
    np.testing.assert_array_equal(both, model.score(Query(text="umbrella"), rows))


def test_a_text_of_any_characters_has_terms() -> None:
    assert list(terms("Aß")) == list(terms("ASS"))
    assert list(terms("\x00 \ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"))) == []
    assert max(len(term) for term in terms("x" * 10_000)) <= 41


def test_keys_differ_and_do_not_depend_on_the_process() -> None:
    assert keys_of(["wlantern"]).tolist() == [int.from_bytes(bytes.fromhex("105917b86692f8bf"), "little")]
    assert len(np.unique(keys_of([f"w{i}" for i in range(1000)]))) == 1000


@pytest.mark.parametrize("name", ["content", "tfidf"])
def test_items_nobody_has_met_are_found_by_what_they_say(name: str, world: worlds.World) -> None:
    from apps.recommend.engine.registries import ALGORITHMS

    wider = worlds.with_strangers(world, 8)
    model: Any = ALGORITHMS.create(name).fit(wider.interactions, wider.items, np.random.default_rng(3))
    strangers = np.arange(len(world.items), len(wider.items), dtype=np.int32)
    for group in range(4):
        seed = int(np.flatnonzero(world.item_groups == group)[0])
        scores = np.nan_to_num(model.score(Query(seeds=Evidence.of_rows([seed])), strangers))
        own = scores[np.arange(8) % 4 == group]
        assert own.mean() > scores[np.arange(8) % 4 != group].max()
