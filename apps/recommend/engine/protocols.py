"""The plug shapes of the engine, all on one page. A plug-in is one file: see `algorithms/popularity.py`.

Every plug-in is a class with a nested `Config` (see `apps.plugins.ComponentConfig`), registered by name, built from
an instance of its config, and free of hidden state: the same input and the same `rng` give the same output.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.types import Interactions, Items, Queries, Query, Rows, Scores, Slate

Arrays = Mapping[str, NDArray[Any]]
Question = Literal["history", "seeds"]  # what does this user want; what goes with these items
Asks = Literal["history", "seeds", "text", "nothing"]  # what of a query decides a source's answer


class Scorer(Protocol):
    """What can be asked how well items answer: a fitted model, or several that answer as one."""

    @property
    def item_ids(self) -> NDArray[np.int64]:
        """Ascending; rows index them."""

    def score(self, query: Query, rows: Rows) -> Scores:
        """How well each of `rows` answers `query` (model rows), higher is better; NaN where it cannot say.

        Returns float32 of shape (len(rows),). A query it knows nothing about gives all NaN.
        """


class Model(Scorer, Protocol):
    """A fitted model over `item_ids` (ascending); its rows index them. Immutable; safe to share between threads."""

    def contributions(self, query: Query, rows: Rows) -> NDArray[np.float32]:
        """What each piece of `query.evidence` added to each score: shape (len(rows), len(query.evidence)).

        Rows sum to the score, up to a constant factor for each row. All zero where evidence plays no part.
        """

    def to_arrays(self) -> Arrays:
        """Everything the model is, as arrays that NumPy can save without pickle."""

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """The inverse of `to_arrays`; arrays may be memory-mapped and read-only."""


class VectorModel(Model, Protocol):
    """A model whose answer is an inner product: an index can find its best items without scoring all."""

    def vectors(self, question: Question) -> NDArray[np.float32] | NDArray[np.float16]:
        """One vector an item, shape (n_items, d), C-contiguous; may be the same for both questions.

        Half precision where memory counts: `products.single` converts what is taken of them.
        """

    def query_vector(self, query: Query) -> NDArray[np.float32] | None:
        """The vector whose inner product with the item vectors is `score`; None where it cannot say."""


class ExtendableModel(VectorModel, Protocol):
    """A vector model whose items can be joined by others that somebody has vectors for: see `new_items.py`.

    A score is the cosine with `combined`; both questions have the same vectors.
    """

    def combined(self, vectors: NDArray[np.float32], weights: Scores) -> NDArray[np.float32] | None:
        """`query_vector` of evidence with these vectors, one a row, and weights."""


class RankingModel(Model, Protocol):
    """A model that finds its best items without scoring all of them."""

    def best_rows(self, query: Query, limit: int) -> tuple[Rows, Scores] | None:
        """Rows and scores of the `limit` best, in no promised order, perhaps with others that are not as good.

        Fewer than `limit`: of the others there is nothing to be said. None: too many are asked for.
        """


class WordsModel(Model, Protocol):
    """A model that knows items by the words of their texts."""

    def nearest_to_text(self, text: str, limit: int) -> tuple[Rows, Scores]:
        """Up to `limit` rows whose texts are most like `text`, best first, and how like (above 0, 1 at most).

        `text` is an item's, in the form of `Items.texts`. None where it has no word in common with any.
        """


class BatchModel(Model, Protocol):
    """A model that scores many users at once much faster than one by one: evaluation uses it."""

    def score_batch(self, histories: sparse.csr_matrix) -> NDArray[np.float32]:
        """As `score` over all rows, for one history a row (summed evidence weights, users x items): dense."""


class UserModel(Model, Protocol):
    """A model that knows people by who they are: it looks at `Query.user`, and may answer without any history."""

    wants_user: ClassVar[Literal[True]]

    def score_users(self, user_ids: NDArray[np.int64], histories: sparse.csr_matrix) -> NDArray[np.float32]:
        """As `score` over all rows, for one user and their history (as for `score_batch`) a row: dense."""


class TimedModel(Model, Protocol):
    """A model that looks at `Evidence.times`, `Query.now` and `Query.user`: evaluation tells it all three."""

    def score_queries(self, asked: Queries) -> NDArray[np.float32]:
        """As `score` over all rows, for one query a row: dense."""


class Learner(Protocol):
    """What can be fitted and then asked: an algorithm, or a whole blend of them."""

    @property
    def reads_texts(self) -> bool:
        """Whether it wants Items.texts."""

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> Scorer:
        """Learn from `interactions` and `items`; see `Algorithm.fit`."""


FittedModel = Model  # inside Algorithm, `Model` is the class attribute


class Algorithm(Protocol):
    """How a model is learned. What are properties here are attributes of the class."""

    @property
    def Model(self) -> type[Any]:  # noqa: N802
        """The class whose from_arrays reads what fit() wrote."""

    @property
    def collaborative(self) -> bool:
        """Whether it learns from what users have in common: then it wants MIN_INTERACTIONS_FOR_CF pairs."""

    @property
    def reads_texts(self) -> bool:
        """Whether it wants Items.texts."""

    # An algorithm that wants Interactions.follows also says `reads_follows = True`; one that learns only from users
    # who came back, and refuses where nobody did, `learns_from_later = True`. One that is registered has a nested
    # Config and is built from an instance of it.

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> FittedModel:
        """Learn from `interactions` and `items` (whose rows are unrelated: join by id). Deterministic given `rng`.

        Raises NotEnoughData (apps.recommend.engine.errors) when there is too little to learn from.
        """


class Index(Protocol):
    """Finds the rows with the largest inner products."""

    def search(self, vector: NDArray[np.float32], limit: int) -> tuple[Rows, Scores]:
        """Up to `limit` rows and their inner products with `vector`, as exact as the index says, best first.

        Fewer only where it holds no more items.
        """


class CandidateSource(Protocol):
    """Where candidates come from.

    A source whose answer does not depend on who asks says so: `asks = "seeds"`, `"text"` or `"nothing"`. Its answers
    are then remembered and shared between users. Without the line it is taken to look at the user.
    """

    Config: type[ComponentConfig]

    def __init__(self, config: Any) -> None: ...

    def propose(self, query: Query, context: Context, limit: int) -> Slate:
        """Up to `limit` eligible items for `query` (catalog rows). Empty where it has nothing to say."""


class Stage(Protocol):
    """A step that filters, scores, moves or draws."""

    Config: type[ComponentConfig]

    def __init__(self, config: Any) -> None: ...

    def __call__(self, slate: Slate, query: Query, context: Context) -> Slate:
        """The slate after this step. Never adds an item that is not eligible."""


@dataclass(frozen=True, eq=False)
class MetricContext:
    """What a metric may know beside the lists. Its rows are those that `recommended` uses.

    Columns here cover the items that somebody had an event with before the split; a row beyond the last of them is a
    stranger: nobody had it, and neither its categories nor its vector are known.
    """

    popularity: NDArray[np.float64]  # by item: share of the users known before the split who had it by then
    histories: sparse.csr_matrix  # tested users x items: evidence weights before the split, may be negative
    n_items: int  # how many items could have been recommended
    categories: sparse.csr_matrix | None = None  # items x categories, 1 where the item is in it; None: no categories
    vectors: NDArray[np.float32] | None = None  # (items, d), of whatever model is to say how alike items are


class Metric(Protocol):
    """A figure of merit of recommended lists, one value a user."""

    Config: type[ComponentConfig]

    def __init__(self, config: Any) -> None: ...

    def per_user(
        self,
        recommended: NDArray[np.int32],
        hits: NDArray[np.bool_],
        truth_sizes: NDArray[np.int32],
        context: MetricContext,
    ) -> NDArray[np.float64]:
        """One value for each user, never NaN.

        `recommended` (users, k) are item rows, best first, -1 where the list is short; `hits` says which of them
        are in the user's truth; `truth_sizes` counts each user's truth (at least 1).
        Raises NotEnoughData where the context lacks what it needs: the figure is then left out.
        """


class CatalogMetric(Protocol):
    """A figure of merit of all lists together; registered with the metrics."""

    Config: type[ComponentConfig]

    def __init__(self, config: Any) -> None: ...

    def overall(self, recommended: NDArray[np.int32], context: MetricContext) -> float:
        """One value for all users. `recommended` as for `Metric.per_user`; raises as that does."""
