"""Pipelines: read from TOML, built from plug-ins, run with a trace."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import sparse

from apps.plugins import ComponentConfig, PluginError
from apps.recommend.engine.context import Context
from apps.recommend.engine.pipeline import Pipeline, PipelineSpec
from apps.recommend.engine.registries import SOURCES, STAGES
from apps.recommend.engine.served_model import ServedModel
from apps.recommend.engine.types import DAY, Evidence, Items, Query, Rows, Scores, Slate

NOW = 20_000 * DAY
N = 40


def catalog(n: int = N) -> Items:
    """Items 1000, 1010, …; two categories by halves; item 3 is a variant of item 2; row i is i days old."""
    return Items(
        ids=np.arange(n, dtype=np.int64) * 10 + 1000,
        available=np.ones(n, bool),
        price=np.full(n, 5.0),
        published=NOW - np.arange(n, dtype=np.int64) * DAY,
        categories=sparse.csr_matrix((np.ones(n), (np.arange(n), (np.arange(n) >= n // 2).astype(int))), shape=(n, 2)),
        category_ids=np.array([7, 9], dtype=np.int64),
        parents=np.where(np.arange(n) == 3, 2, -1).astype(np.int32),
    )


@dataclass(frozen=True, eq=False)
class Neighbours:
    """A model whose truth is plain: item i goes with i+1 (score 2) and i+2 (score 1)."""

    item_ids: np.ndarray

    def score(self, query: Query, rows: Rows) -> Scores:
        if query.text:
            return np.where(rows == len(query.text), 1.0, np.nan).astype(np.float32)
        total = self.contributions(query, rows).sum(axis=1)
        return np.where(total > 0, total, np.nan).astype(np.float32)

    def contributions(self, query: Query, rows: Rows) -> np.ndarray:
        distance = rows[:, None] - query.evidence.rows[None, :]
        return (np.where(distance == 1, 2.0, np.where(distance == 2, 1.0, 0.0)) * query.evidence.weights).astype("f4")


@dataclass(frozen=True, eq=False)
class Alike:
    """A model that answers everybody alike: the score of row i is i."""

    item_ids: np.ndarray

    def score(self, query: Query, rows: Rows) -> Scores:
        return rows.astype(np.float32)

    def contributions(self, query: Query, rows: Rows) -> np.ndarray:
        return np.zeros((len(rows), len(query.evidence)), np.float32)


def context(items: Items | None = None, eligible: np.ndarray | None = None) -> Context:
    items = items or catalog()
    eligible = np.ones(len(items), bool) if eligible is None else eligible
    models = {
        "near": ServedModel.over(items, Neighbours(items.ids), name="near", version="near-1"),
        "all": ServedModel.over(items, Alike(items.ids), name="all", version="all-1"),
    }
    return Context(items=items, eligible=eligible, models=models)


def history(*rows: int) -> Query:
    return Query(history=Evidence.of_rows(rows), now=NOW)


def seeds(*rows: int) -> Query:
    return Query(seeds=Evidence.of_rows(rows), now=NOW)


def needed(config: type[ComponentConfig]) -> dict[str, object]:
    """The parameters without which a plug-in cannot be built; where it asks a model, one that is there."""
    return {"model": "near"} if "model" in config.model_fields else {}


def propose(name: str, query: Query, ctx: Context | None = None, limit: int = 10, **config: object) -> list[int]:
    return SOURCES.create(name, config).propose(query, ctx or context(), limit).rows.tolist()


def test_the_users_history_brings_what_is_near_to_it() -> None:
    proposed = propose("nearest_to_user", history(5, 20), model="near")
    assert set(proposed[:2]) == {6, 21}
    assert set(proposed[2:]) == {7, 22}


def test_seeds_and_history_are_different_questions() -> None:
    both = Query(history=Evidence.of_rows([5]), seeds=Evidence.of_rows([20]), now=NOW)
    assert propose("nearest_to_user", both, model="near") == [6, 7]
    assert propose("goes_with_seeds", both, model="near") == [21, 22]


def test_recent_items_outrank_older_ones_that_are_left_out() -> None:
    assert set(propose("similar_to_recent", history(5, 20, 30), model="near", recent=1)) == {6, 7}


@pytest.mark.parametrize("source", ["nearest_to_user", "similar_to_recent", "goes_with_seeds", "most_wanted"])
def test_a_source_whose_model_is_not_trained_has_nothing_to_say(source: str) -> None:
    query = Query(history=Evidence.of_rows([1]), seeds=Evidence.of_rows([2]), now=NOW)
    assert propose(source, query, model="not-trained") == []


@pytest.mark.parametrize("source", ["nearest_to_user", "similar_to_recent", "goes_with_seeds"])
def test_without_evidence_personal_sources_have_nothing_to_say(source: str) -> None:
    assert propose(source, Query(now=NOW), model="near") == []


def test_the_newest_come_first_and_need_no_model() -> None:
    bare = Context(items=catalog(), eligible=np.ones(N, bool))
    assert propose("newest", Query(now=NOW), bare, limit=3) == [0, 1, 2]


def test_no_source_proposes_what_may_not_be_shown() -> None:
    eligible = np.zeros(N, bool)
    eligible[[7, 12]] = True
    ctx = context(eligible=eligible)
    query = Query(history=Evidence.of_rows([5]), seeds=Evidence.of_rows([5]), text="x" * 8, now=NOW)
    for name in SOURCES:
        assert set(propose(name, query, ctx, **needed(SOURCES[name].Config))) <= {7, 12}, name


@pytest.mark.parametrize("name", list(SOURCES))
def test_every_source_keeps_to_its_limit_names_no_item_twice_and_repeats_itself(name: str) -> None:
    config = needed(SOURCES[name].Config)
    query = Query(history=Evidence.of_rows([5, 20]), seeds=Evidence.of_rows([5, 20]), text="x" * 8, now=NOW)
    first, again = (SOURCES.create(name, config).propose(query, context(), 3) for _ in range(2))
    assert len(first) <= 3
    assert len(set(first.rows.tolist())) == len(first)
    assert (np.diff(first.scores) <= 0).all()
    assert (first.rows.tolist(), first.scores.tolist()) == (again.rows.tolist(), again.scores.tolist())


@given(st.lists(st.integers(0, N - 1), unique=True), st.lists(st.integers(0, N - 1), unique=True), st.booleans())
def test_whoever_knows_items_is_shown_the_others_as_they_stood(told: list[int], known: list[int], mapped: bool) -> None:
    slate = Slate.ranked(np.array(told, np.int32), -np.arange(len(told), dtype=np.float32), N, "s")
    asked = history(*known)
    slate.rows.flags.writeable = asked.history.rows.flags.writeable = not mapped  # as arrays mapped from a file
    left = STAGES.create("drop_seen", {})(slate, asked, context())
    assert left.rows.tolist() == [row for row in told if row not in known]
    assert left.scores.tolist() == [-told.index(row) for row in left.rows.tolist()]


@pytest.mark.parametrize("name", list(SOURCES))
def test_every_source_answers_where_nothing_may_be_shown_with_nothing(name: str) -> None:
    nothing = context(eligible=np.zeros(N, bool))
    assert propose(name, history(5), nothing, **needed(SOURCES[name].Config)) == []


@pytest.mark.parametrize("name", list(STAGES))
@pytest.mark.parametrize("query", [Query(now=NOW), history(3, 9), seeds(3, 9)], ids=["nobody", "history", "seeds"])
def test_every_stage_adds_no_item_leaves_its_slate_alone_and_repeats_itself(name: str, query: Query) -> None:
    built = STAGES.create(name, needed(STAGES[name].Config))
    slate = Slate.ranked(np.array([9, 2, 7, 3], np.int32), np.array([4, 3, 2, 1], np.float32), 100, "s")
    first, again = built(slate, query, context()), built(slate, query, context())
    assert slate.rows.tolist() == [9, 2, 7, 3]
    assert set(first.rows.tolist()) <= {9, 2, 7, 3}
    assert len(set(first.rows.tolist())) == len(first)
    assert (first.rows.tolist(), first.scores.tolist()) == (again.rows.tolist(), again.scores.tolist())
    assert len(built(Slate.empty(), query, context())) == 0


def test_a_search_finds_what_matches_and_what_means_the_same() -> None:
    query = Query(text="four", now=NOW)
    assert propose("matching_text", query, model="near") == [4]
    assert propose("matching_text", query, model="near", meaning="near") == [5, 6]


def test_a_seed_the_model_has_never_seen_is_not_answered_from_the_history() -> None:
    items = catalog()
    partly = ServedModel.over(items, Neighbours(items.ids[:10]), name="near", version="v")
    ctx = Context(items=items, eligible=np.ones(N, bool), models={"near": partly})
    query = Query(history=Evidence.of_rows([5]), seeds=Evidence.of_rows([30]), now=NOW)
    assert propose("goes_with_seeds", query, ctx, model="near") == []
    assert np.isnan(partly.score(query, np.array([6], np.int32))).all()


def test_rows_are_translated_when_the_model_knows_only_some_items() -> None:
    items = catalog()
    known = np.array([2, 5, 6, 11])
    model = ServedModel.over(items, Neighbours(items.ids[known]), name="near", version="v")
    ctx = Context(items=items, eligible=np.ones(N, bool), models={"near": model})
    assert propose("nearest_to_user", history(5), ctx, model="near") == [6, 11]
    added = model.contributions(history(5, 30), np.array([6, 30], np.int32))
    assert added.tolist() == [[2.0, 0.0], [0.0, 0.0]]


def stage(name: str, rows: list[int], query: Query, **config: object) -> list[int]:
    slate = Slate.ranked(np.array(rows, np.int32), -np.arange(len(rows), dtype=np.float32), 100, "s")
    return STAGES.create(name, config)(slate, query, context()).rows.tolist()


def test_what_the_user_has_seen_is_dropped() -> None:
    assert stage("drop_seen", [1, 2, 3, 4], history(2, 4)) == [1, 3]


def test_the_seed_its_parent_and_their_variants_are_dropped() -> None:
    assert stage("drop_seeds", [1, 2, 3, 4], seeds(3)) == [1, 4]
    assert stage("drop_seeds", [1, 2, 3, 4], seeds(2)) == [1, 4]


def test_personalising_moves_what_suits_the_user_up() -> None:
    assert stage("personalise", [9, 8, 7, 6], history(5), model="near", weight=5.0)[0] == 6
    assert stage("personalise", [9, 8, 7, 6], Query(now=NOW), model="near", weight=5.0) == [9, 8, 7, 6]


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


SOUND = """
label = "Mine"
[[sources]]
use = "nearest_to_user"
model = "near"
weight = 2.0
[[sources]]
use = "most_wanted"
model = "all"
limit = 5
[[stages]]
use = "drop_seen"
"""


def test_a_pipeline_runs_its_sources_then_its_stages_and_traces_each(tmp_path: Path) -> None:
    pipeline = Pipeline(PipelineSpec.read(write(tmp_path, SOUND)))
    answer = pipeline.run(history(5, 39), context())
    assert answer.slate.rows[0] == 6
    assert 39 not in answer.slate.rows
    assert [step.name for step in answer.trace] == ["nearest_to_user:near", "most_wanted:all", "merge", "drop_seen"]
    assert [step.candidates for step in answer.trace] == [2, 5, 7, 6]


def test_a_pipelines_digest_changes_with_its_file(tmp_path: Path) -> None:
    one = PipelineSpec.read(write(tmp_path, SOUND))
    other = PipelineSpec.read(write(tmp_path, SOUND.replace("2.0", "2.5")))
    assert one.digest != other.digest
    assert one.models == ("near", "all")


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ('use = "drop_seen"', 'use = "drop_sene"', PluginError),
        ('use = "drop_seen"', 'use = "drop_seen"\nstrength = 3', ValidationError),
        ("weight = 2.0", "weight = -1.0", ValidationError),
        ('label = "Mine"', 'label = "Mine"\ncolour = "red"', ValidationError),
        ("limit = 5", 'limit = "five"', ValidationError),
    ],
)
def test_a_mistake_in_a_pipeline_file_is_refused(tmp_path: Path, old: str, new: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        Pipeline(PipelineSpec.read(write(tmp_path, SOUND.replace(old, new))))
