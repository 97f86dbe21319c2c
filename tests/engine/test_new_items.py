"""Items that no model was trained on are found by what their texts say."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from apps.recommend.engine.new_items import with_new_items
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.served_model import ServedModel
from apps.recommend.engine.types import Evidence, Items, Query
from tests import worlds

WORLD = worlds.planted()
OLD = len(WORLD.items)
GROUPS = WORLD.item_groups
NEW = 3
ROWS = range(OLD, OLD + NEW)


def grown() -> Items:
    """The catalog with items appended; items of group 0 are in a category of their own, and so is the last new one."""
    n = OLD + NEW
    members = np.zeros((n, 2), dtype=np.float32)
    members[:, 0] = 1
    members[np.flatnonzero(GROUPS == 0), 1] = 1
    members[n - 1, 1] = 1
    return replace(worlds.catalog(n), categories=sparse.csr_matrix(members), category_ids=np.arange(2, dtype=np.int64))


@pytest.fixture(scope="module")
def models() -> dict[str, ServedModel]:
    rng = np.random.default_rng(1)
    fitted = {
        name: ALGORITHMS.create(name).fit(WORLD.interactions, WORLD.items, rng)
        for name in ("tfidf", "content", "popularity")
    }
    return {name: ServedModel.over(grown(), model, name=name, version="1") for name, model in fitted.items()}


def like(models: dict[str, ServedModel], row: int, limit: int = 10) -> list[int]:
    eligible = np.ones(OLD + NEW, dtype=bool)
    eligible[row] = False
    found = models["content"].best(Query(seeds=Evidence.of_rows([row])), eligible, limit, "content")
    return [int(one) for one in found.rows]


def test_a_new_item_is_like_those_whose_words_it_shares_and_they_like_it(models: dict[str, ServedModel]) -> None:
    told = with_new_items(models, grown(), {OLD: "lantern candle\nA thing with wick for the home"})
    around = like(told, OLD)
    assert len(around) == 10
    assert all(GROUPS[row] == 0 for row in around)
    assert OLD in like(told, around[0], limit=20)
    assert not like(models, OLD)


def test_a_user_is_recommended_a_new_item_of_their_taste(models: dict[str, ServedModel]) -> None:
    told = with_new_items(models, grown(), {OLD: "teapot kettle\nA thing with a saucer"})
    taste = Evidence.of_rows(np.flatnonzero(GROUPS == 1)[:6])
    eligible = np.ones(OLD + NEW, dtype=bool)
    found = told["content"].best(Query(history=taste), eligible, 20, "content")
    assert OLD in found.rows
    other = Evidence.of_rows(np.flatnonzero(GROUPS == 2)[:6])
    assert OLD not in told["content"].best(Query(history=other), eligible, 20, "content").rows
    eligible[OLD] = False
    assert OLD not in told["content"].best(Query(history=taste), eligible, 20, "content").rows


def test_a_new_item_speaks_for_a_taste_and_says_so(models: dict[str, ServedModel]) -> None:
    told = with_new_items(models, grown(), {OLD: "trowel compost\nA thing with a planter"})
    query = Query(history=Evidence.of_rows([OLD]))
    found = told["content"].best(query, np.ones(OLD + NEW, dtype=bool), 5, "content")
    assert all(GROUPS[row] == 2 for row in found.rows if row < OLD)
    np.testing.assert_allclose(told["content"].contributions(query, found.rows)[:, 0], found.scores, rtol=1e-4)


def test_without_a_known_word_the_smallest_category_speaks(models: dict[str, ServedModel]) -> None:
    last = OLD + NEW - 1
    told = with_new_items(models, grown(), {last: "xyzzyx"})
    assert all(GROUPS[row] == 0 for row in like(told, last))


def test_without_words_category_and_brand_there_is_no_vector(models: dict[str, ServedModel]) -> None:
    bare = replace(grown(), categories=sparse.csr_matrix((OLD + NEW, 0), dtype=np.float32), brands=None)
    assert len(with_new_items(models, bare, {OLD: "xyzzyx"})["content"].delta) == 0


def test_a_changed_text_moves_an_item_and_an_empty_one_takes_it_out(models: dict[str, ServedModel]) -> None:
    lantern = int(np.flatnonzero(GROUPS == 0)[0])
    told = with_new_items(models, grown(), {lantern: "teapot saucer\nA thing with a kettle"})
    assert all(GROUPS[row] == 1 for row in like(told, lantern))
    again = with_new_items(told, grown(), {OLD: "teapot saucer"})
    assert again["content"].delta.rows.tolist() == [lantern, OLD]
    gone = with_new_items(again, grown(), {OLD: ""})
    assert gone["content"].delta.rows.tolist() == [lantern]
    assert not like(gone, OLD)


def test_models_that_know_no_contents_stay_as_they_are(models: dict[str, ServedModel]) -> None:
    told = with_new_items(models, grown(), {OLD: "lantern"})
    assert told["popularity"] is models["popularity"]
    assert told["tfidf"] is models["tfidf"]


def test_words_are_compared_as_the_text_model_compares_them(models: dict[str, ServedModel]) -> None:
    """An item's own text: the likeness is the cosine of the stored vectors."""
    model = models["tfidf"].model
    assert WORLD.items.texts is not None
    rows, likeness = model.nearest_to_text(WORLD.items.texts[4], OLD)  # type: ignore[attr-defined]
    cosines = (model.by_item @ model.by_item[4].T).toarray().ravel()  # type: ignore[attr-defined]
    assert rows[0] == 4
    np.testing.assert_allclose(likeness, cosines[rows], rtol=1e-3)
    assert set(rows) == set(np.flatnonzero(cosines > 0))
