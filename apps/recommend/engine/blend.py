"""A pipeline as one model: so that it is evaluated, compared and tuned like any other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.recommend.engine.errors import NotEnoughData
from apps.recommend.engine.evaluation.ranking import top_rows_and_scores
from apps.recommend.engine.merge import HISTORY_HALF, Calibration, Lists, Pool, Weights
from apps.recommend.engine.part_models import answers, blocks, queries_of, rows_taken, translated
from apps.recommend.engine.pipeline import PipelineSpec, SourceSpec
from apps.recommend.engine.progress import report
from apps.recommend.engine.protocols import Algorithm, Learner, Scorer
from apps.recommend.engine.sources.newest import Newest
from apps.recommend.engine.types import DAY, NOBODY, Ids, Interactions, Items, Queries, Query, Rows, Scores, rows_of

SCORES_AT_ONCE = 8_000_000  # bounds the memory of a block of users at about 200 MB


@dataclass(frozen=True, eq=False)
class BlendPart:
    """One source of a blend: a model asked for the user's history or, with `everybody`, for nobody in particular."""

    algorithm: Learner
    weight: float = 1.0
    cold_weight: float | None = None  # for users without history; None: as `weight`
    limit: int = 200
    everybody: bool = False


@dataclass(frozen=True, eq=False)
class Blend:
    """An algorithm whose model answers as a pipeline with these sources would, for histories without seeds or text.

    Its model is never stored: a pipeline serves from its parts' models. `notes` says what of the pipeline is missing.
    """

    parts: Mapping[str, BlendPart]
    history_half: float = HISTORY_HALF
    calibration: Calibration = "spread"
    drops_seen: bool = True
    notes: tuple[str, ...] = field(default=())

    @property
    def reads_texts(self) -> bool:
        """Whether any part wants Items.texts."""
        return any(part.algorithm.reads_texts for part in self.parts.values())

    @property
    def reads_follows(self) -> bool:
        """Whether any part wants Interactions.follows."""
        return any(getattr(part.algorithm, "reads_follows", False) for part in self.parts.values())

    @property
    def weights(self) -> Weights:
        """The parts' weights, in their order."""
        warm = [part.weight for part in self.parts.values()]
        cold = [part.weight if part.cold_weight is None else part.cold_weight for part in self.parts.values()]
        return Weights(np.array(warm, dtype=np.float64), np.array(cold, dtype=np.float64), self.history_half)

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> "BlendModel":
        """Fit every part, each with a generator of its own. A part that cannot be fitted is silent, as in serving.

        Raises NotEnoughData when no part can be fitted.
        """
        models: dict[str, Scorer | None] = {}
        lack = NotEnoughData("sources", 0, 1)
        for number, ((name, part), own) in enumerate(zip(self.parts.items(), rng.spawn(len(self.parts)), strict=True)):
            report(f"fit {name}", number, len(self.parts))
            try:
                models[name] = part.algorithm.fit(interactions, items, own)
            except NotEnoughData as missing:
                models[name], lack = None, missing
        if not any(model is not None for model in models.values()):
            raise lack
        return BlendModel(self, models, interactions.as_of)


class BlendModel:
    """What a pipeline would answer: candidates of every part, merged as `merge` does; NaN for all other items."""

    def __init__(self, blend: Blend, models: Mapping[str, Scorer | None], as_of: int) -> None:
        """`models` holds one for each part of `blend`, in their order; None: it has nothing to say."""
        self.blend = blend
        self.models = models
        self._as_of = as_of
        known = [np.asarray(model.item_ids) for model in models.values() if model is not None]
        self.item_ids: NDArray[np.int64] = np.unique(np.concatenate(known)) if known else np.empty(0, np.int64)

    def score(self, query: Query, rows: Rows) -> Scores:
        alone = Query(history=query.history, now=query.now or self._as_of, user=query.user)
        return np.asarray(self.score_queries(queries_of(alone, len(self.item_ids)))[0][rows], dtype=np.float32)

    def score_batch(self, histories: sparse.csr_matrix) -> NDArray[np.float32]:
        """As `score_queries`, of nobody in particular, as of the time of fitting and without times of evidence."""
        users = histories.shape[0]
        return self.score_queries(
            Queries(histories, None, np.full(users, NOBODY), np.full(users, self._as_of, dtype=np.int64))
        )

    def score_queries(self, asked: Queries) -> NDArray[np.float32]:
        """Scores of the candidates for each query (rows of `item_ids`); NaN elsewhere."""
        histories = asked.histories
        scores = np.full(histories.shape, np.nan, dtype=np.float32)
        pool = Pool.of(self.lists(asked), self.blend.calibration)
        scores[pool.users, pool.rows] = self.blend.weights.totals(pool, np.diff(histories.indptr))
        if self.blend.drops_seen:
            seen = histories.tocoo()
            scores[seen.row, seen.col] = np.nan
        return scores

    def lists(self, asked: Queries) -> list[Lists]:
        """What each part proposes to each query, in rows of `item_ids`, the seen included."""
        return [proposals(part, self.models[name], self.item_ids, asked) for name, part in self.blend.parts.items()]


def proposals(part: BlendPart, model: Scorer | None, item_ids: Ids, asked: Queries) -> Lists:
    """What `part`, whose fitted model is `model`, proposes to each query; None: nothing.

    Histories and answers are in rows of `item_ids`, which must ascend and hold all that the model knows. What the
    users had already is not left out.
    """
    users = len(asked)
    if model is None:
        return Lists(np.full((users, part.limit), -1, np.int32), np.zeros((users, part.limit), np.float32))
    places = rows_of(item_ids, np.asarray(model.item_ids))
    if part.everybody:
        now = int(asked.now.max(initial=0))
        scores = model.score(Query(now=now), np.arange(len(places), dtype=np.int32))[None]
        wanted = _best(np.where(scores > 0, scores, np.nan), part.limit, places)
        return Lists(np.repeat(wanted.rows, users, axis=0), np.repeat(wanted.scores, users, axis=0))
    to_part = rows_of(np.asarray(model.item_ids), item_ids)
    found = [_best(np.empty((0, len(places)), np.float32), part.limit, places)]
    for block in blocks(users, len(places), SCORES_AT_ONCE):
        some = translated(rows_taken(asked, block), to_part, len(places))
        found.append(_best(answers(model, some), part.limit, places))
    return Lists(np.concatenate([one.rows for one in found]), np.concatenate([one.scores for one in found]))


def _best(scores: NDArray[np.float32], limit: int, places: Rows) -> Lists:
    best, values = top_rows_and_scores(scores, limit)
    rows = np.where(best >= 0, places[best] if len(places) else -1, -1).astype(np.int32)
    if rows.shape[1] < limit:  # a small catalog: lists of all blocks and parts have the same length all the same
        missing = ((0, 0), (0, limit - rows.shape[1]))
        rows, values = np.pad(rows, missing, constant_values=-1), np.pad(values, missing)
    return Lists(rows, np.where(rows >= 0, values, 0).astype(np.float32))


class Builder(Protocol):
    """A recipe: it makes an algorithm."""

    def build(self) -> Algorithm: ...


def blend_of(spec: PipelineSpec, recipes: Mapping[str, Builder]) -> Blend:
    """The blend that answers as the pipeline `spec` does; `recipes` are its models by name.

    Sources that ask for seeds, text or the order of the history, and stages other than `drop_seen`, are left out and
    named in `notes`. Raises ValueError where that leaves no source, KeyError for a model that has no recipe.
    """
    parts: dict[str, BlendPart] = {}
    notes = []
    for source in spec.sources:
        if not askable(source):
            notes.append(f"the source {source.use} is left out: it asks for more than what a user had before.")
            continue
        algorithm = _algorithm(source, recipes)
        parts[_free_name(source.name, parts)] = BlendPart(
            algorithm, source.weight, source.cold_weight, source.limit, everybody=source.use != "nearest_to_user"
        )
    notes += [f"the stage {stage.use} is left out." for stage in spec.stages if stage.use != "drop_seen"]
    if not parts:
        raise ValueError(f"{spec.name} has no source that answers for a user's history alone")
    drops_seen = any(stage.use == "drop_seen" for stage in spec.stages)
    return Blend(parts, spec.history_half, spec.calibration, drops_seen, tuple(notes))


def askable(source: SourceSpec) -> bool:
    """Whether a blend can hold the source: whether it answers for a user's history alone."""
    return source.use in ("nearest_to_user", "most_wanted", "newest")


def _algorithm(source: SourceSpec, recipes: Mapping[str, Builder]) -> Learner:
    if source.use == "newest":
        return _NewestItems(Newest.Config(**source.config))
    return recipes[str(source.config["model"])].build()


def _free_name(name: str, taken: Mapping[str, Any]) -> str:
    return name if name not in taken else next(f"{name}_{n}" for n in range(2, 100) if f"{name}_{n}" not in taken)


class _NewestItems:
    """The source `newest` as an algorithm: scores by age at the time of fitting."""

    reads_texts = False

    def __init__(self, config: Newest.Config) -> None:
        self._half_life = config.half_life_days

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> Scorer:
        age_days = np.maximum(interactions.as_of - items.published, 0) / DAY
        newness = np.exp2(-age_days / self._half_life).astype(np.float32)
        return _ForEverybody(items.ids, newness)


@dataclass(frozen=True, eq=False)
class _ForEverybody:
    item_ids: NDArray[np.int64]
    scores: Scores

    def score(self, query: Query, rows: Rows) -> Scores:
        return self.scores[rows]
