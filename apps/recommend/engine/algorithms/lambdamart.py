"""A learned second stage: trees that order what other algorithms propose.

C. Burges: From RankNet to LambdaRank to LambdaMART: An Overview, Microsoft Research MSR-TR-2010-82. LightGBM learns
the trees; serving asks them as arrays and does without it.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy import sparse

from apps.plugins import ComponentConfig
from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.evaluation.splits import items_as_of
from apps.recommend.engine.part_models import PartModels, PartSpec, blocks, queries_of, rows_taken
from apps.recommend.engine.progress import report
from apps.recommend.engine.protocols import Arrays
from apps.recommend.engine.rank_learning import Lesson, Questions, Trainer, usual_times
from apps.recommend.engine.ranking_features import NEED_TIMES, Candidates, ItemFacts, names
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.engine.trees import MOST_LEAVES, Trees
from apps.recommend.engine.types import NOBODY, Interactions, Items, Queries, Query, Rows, Scores, rows_of

SCORES_AT_ONCE = 4_000_000  # of all parts together: bounds the memory of a block of users at about 100 MB


@dataclass(frozen=True, eq=False)
class LambdaMartModel:
    """The parts' models, facts about their items, and the trees that weigh what they say.

    Candidates are the best `candidates` of each part; all other items score NaN, and so does everything for somebody
    without any evidence. Asked with seeds it takes them for the history. A query costs what its parts' scores of all
    their items cost, and the trees over the candidates: 1 ms for 200 of them, 30 columns and 200 trees.
    """

    parts: PartModels
    facts: ItemFacts
    trees: Trees
    usual: NDArray[np.float64]  # for evidence without times: see ItemFacts.columns
    as_of: int
    candidates: int
    repeats: bool

    @property
    def item_ids(self) -> NDArray[np.int64]:
        return self.parts.item_ids

    def score(self, query: Query, rows: Rows) -> Scores:
        found, features = self.looked_at(queries_of(query, len(self.item_ids)), only=rows)
        everything = np.full(len(self.item_ids), np.nan, dtype=np.float32)
        everything[found.rows] = self.trees.predict(features)
        return everything[rows]

    def score_queries(self, asked: Queries) -> NDArray[np.float32]:
        """Scores of every item for each of `asked`: (queries, items), float32, NaN for what is no candidate."""
        result = np.full(asked.histories.shape, np.nan, dtype=np.float32)
        for block in blocks(len(asked), len(self.parts) * len(self.item_ids), SCORES_AT_ONCE):
            found, features = self.looked_at(rows_taken(asked, block))
            result[block.start + found.queries, found.rows] = self.trees.predict(features)
        return result

    def score_batch(self, histories: sparse.csr_matrix) -> NDArray[np.float32]:
        """As `score_queries`, of nobody in particular, as of the time of training and without times of evidence."""
        users = histories.shape[0]
        return self.score_queries(Queries(histories, None, np.full(users, NOBODY), np.zeros(users, np.int64)))

    def looked_at(self, asked: Queries, only: Rows | None = None) -> tuple[Candidates, NDArray[np.float32]]:
        """The candidates of `asked`, or those among `only`, and what the trees are told of each."""
        found = Candidates.of(self.parts.scores(asked), self.candidates, None if self.repeats else asked.histories)
        wanted = np.diff(asked.histories.indptr)[found.queries] > 0
        if only is not None:
            wanted &= np.isin(found.rows, only)
        found = found.take(wanted)
        return found, self.facts.columns(found, asked, self.usual, self.as_of)

    def contributions(self, query: Query, rows: Rows) -> NDArray[np.float32]:
        """All zero: trees do not add up what each piece of evidence says."""
        return np.zeros((len(rows), len(query.evidence)), dtype=np.float32)

    def to_arrays(self) -> Arrays:
        """Those of the parts, the facts and the trees, each with a prefix: `part0_…`, `item_…`, `tree_…`."""
        return {
            "item_ids": self.item_ids,
            "usual": self.usual,
            "settings": np.array([self.as_of, self.candidates, self.repeats], dtype=np.int64),
            **self.parts.to_arrays(),
            **{f"item_{name}": array for name, array in self.facts.to_arrays().items()},
            **{f"tree_{name}": array for name, array in self.trees.to_arrays().items()},
        }

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        as_of, candidates, repeats = (int(number) for number in arrays["settings"])
        return cls(
            parts=PartModels.from_arrays(arrays),
            facts=ItemFacts.from_arrays(_below("item_", arrays)),
            trees=Trees.from_arrays(_below("tree_", arrays)),
            usual=arrays["usual"],
            as_of=as_of,
            candidates=candidates,
            repeats=bool(repeats),
        )


def _below(prefix: str, arrays: Arrays) -> Arrays:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix) and name != "item_ids"
    }


@ALGORITHMS.register("lambdamart")
class LambdaMart:
    """Learns, from what users wanted after a point in time, how to order what its parts proposed at that point.

    With times T1 < T2 < now: the parts are fitted on what was before T1, and their candidates get the label wanted or
    not from T1 to T2. The number of trees is what orders best the candidates of parts fitted before T2, by what was
    wanted since. Then both lessons together teach that many trees, and the parts are fitted on everything. No tree
    ever sees a score of a part that had learned from what the score is to foresee.

    Costs three times the fitting of the parts, and the trees: about 1 s for 10,000 candidates, a minute for a million.
    """

    class Config(ComponentConfig):
        parts: tuple[PartSpec, ...] = Field(
            default=(
                PartSpec(algorithm="item_knn"),
                PartSpec(algorithm="als"),
                PartSpec(algorithm="own_history"),
                PartSpec(algorithm="popularity", parameters={"half_life_days": 14.0}),
            ),
            min_length=1,
        )
        """The algorithms that propose, each with its own parameters."""
        candidates: int = Field(default=100, ge=1, le=1000)
        """How many of each part's best items are candidates."""
        repeats: bool = True
        """Whether to propose what the user had before. Where such items are dropped later, False learns better."""
        events: tuple[str, ...] | None = None
        """Canonical types of the events to foresee, such as ["purchase"]. None: all that carry taste."""
        label_share: float = Field(default=0.15, gt=0, lt=0.5)
        """Share of the taste events between T1 and T2, whose items are the wanted ones."""
        choose_share: float = Field(default=0.15, gt=0, lt=0.5)
        """Share of the taste events after T2, by which the number of trees is chosen."""
        asked: Literal["window", "visit"] = "window"
        """When a question of a lesson is asked: at T1, as evaluations do, or when the user comes next, as shops do.

        Only then hour and weekday are learned from.
        """
        trees: int = Field(default=300, ge=1, le=2000)
        """Most trees."""
        patience: int = Field(default=30, ge=1)
        """Trees in a row that bring nothing before it stops."""
        leaves: int = Field(default=7, ge=2, le=MOST_LEAVES)
        """Most leaves of a tree."""
        learning_rate: float = Field(default=0.05, gt=0, le=1)
        """How much of each tree counts."""
        min_data: int = Field(default=50, ge=1)
        """Fewest candidates in a leaf."""
        l2: float = Field(default=10.0, ge=0)
        """Pull of the leaves' values towards zero."""
        feature_share: float = Field(default=0.7, gt=0, le=1)
        """Share of the columns that each tree may look at."""
        monotone: bool = True
        """Whether a part's higher score, all else alike, may never lower an item."""
        depth: int = Field(default=10, ge=1, le=100)
        """Places of a list whose order counts in learning."""
        min_users: int = Field(default=20, ge=1)
        """Fewest users in each lesson of whom something wanted was among the candidates."""
        max_candidates: int = Field(default=1_000_000, ge=1_000)
        """Most candidates in a lesson: users are sampled. A million take about 300 MB."""

        @model_validator(mode="after")
        def _fits(self) -> Self:
            for part in self.parts:
                part.build()
            if self.label_share + self.choose_share >= 0.9:
                raise ValueError("label_share and choose_share leave less than a tenth to the parts")
            return self

    Model = LambdaMartModel
    collaborative = True
    learns_from_later = True  # without events both before and after some time there is nothing to learn

    def __init__(self, config: Config) -> None:
        self.config = config
        self._parts = [part.build() for part in config.parts]

    @property
    def reads_texts(self) -> bool:
        """Whether any part wants Items.texts."""
        return any(part.reads_texts for part in self._parts)

    @property
    def reads_follows(self) -> bool:
        """Whether any part wants Interactions.follows."""
        return any(getattr(part, "reads_follows", False) for part in self._parts)

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> LambdaMartModel:
        """As promised by `Algorithm`. Raises NotEnoughData also where too few users came back to learn from."""
        config = self.config
        speaks = interactions.weights() > 0
        if not speaks.any():
            raise NotEnoughData("taste events with positive weight", 0, 1)
        times = interactions.times[speaks]
        second = int(np.quantile(times, 1 - config.choose_share))
        first = int(np.quantile(times, 1 - config.choose_share - config.label_share))
        spans = ((first, second), (second, int(times.max()) + 1))
        teaching, choosing = (self._lesson(interactions, items, *span, rng) for span in spans)
        columns = names(part.algorithm for part in config.parts)
        usual = usual_times(choosing.features, [columns.index(name) for name in NEED_TIMES])
        trainer = self._trainer(int(rng.integers(2**31)))
        rounds = trainer.best_rounds(teaching, choosing, most=config.trees, patience=config.patience)
        trees = trainer.learn(Lesson.joined([teaching, choosing]), rounds)
        return replace(self._untaught(interactions, items, rng), trees=trees, usual=usual)

    def _lesson(
        self, interactions: Interactions, items: Items, start: int, end: int, rng: np.random.Generator
    ) -> Lesson:
        """What the parts propose at `start`, and what of it was wanted from then to before `end`."""
        config = self.config
        past = interactions.before(start)
        since = interactions.weights() > 0
        if config.events is not None:
            since &= interactions.of_types(config.events)
        visits = config.asked == "visit"
        questions = Questions.between(past, interactions.select(since), start, end, visits=visits)
        who = "users with events both before and in the time that is to be foreseen"
        if len(questions) < config.min_users:
            raise NotEnoughData(who, len(questions), config.min_users)
        questions = questions.sample(config.max_candidates // (config.candidates * len(self._parts)) + 1, rng)
        model = self._untaught(past.compact(), items_as_of(items, past, start), rng)
        questions = questions.moved(rows_of(model.item_ids, interactions.item_ids), len(model.item_ids))
        learned = []
        for block in blocks(len(questions), len(self._parts) * len(model.item_ids), SCORES_AT_ONCE):
            found, features = model.looked_at(rows_taken(questions.asked, block))
            learned.append(Lesson.of(found, features, questions.truth[block]))
            report("looking at candidates", block.stop, len(questions))
        lesson = Lesson.joined(learned)
        if len(lesson) < config.min_users:
            raise NotEnoughData("users who wanted one of their candidates later", len(lesson), config.min_users)
        return lesson

    def _untaught(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> LambdaMartModel:
        """The model of these events, without trees yet. A part that cannot be fitted is silent, unless all are."""
        named = [(spec.algorithm, part) for spec, part in zip(self.config.parts, self._parts, strict=True)]
        parts = PartModels.fitted(named, interactions, items, rng)
        return LambdaMartModel(
            parts=parts,
            facts=ItemFacts.of(parts.item_ids, items, interactions),
            trees=Trees.none(),
            usual=np.zeros(len(NEED_TIMES)),
            as_of=interactions.as_of,
            candidates=self.config.candidates,
            repeats=self.config.repeats,
        )

    def _trainer(self, seed: int) -> Trainer:
        config = self.config
        return Trainer(
            leaves=config.leaves,
            learning_rate=config.learning_rate,
            min_data=config.min_data,
            l2=config.l2,
            feature_share=config.feature_share,
            depth=config.depth,
            parts=len(config.parts),
            monotone=config.monotone,
            visits=config.asked == "visit",
            seed=seed,
        )
