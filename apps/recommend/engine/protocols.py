"""The plug shapes of the engine, all on one page. A plug-in is one file: see `algorithms/popularity.py`.

Every plug-in is a class with a nested `Config` (see `apps.plugins.ComponentConfig`), registered by name, built from
an instance of its config, and free of hidden state: the same input and the same `rng` give the same output.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from apps.plugins import ComponentConfig
from apps.recommend.engine.context import Context
from apps.recommend.engine.types import Interactions, Items, Query, Rows, Scores, Slate

Arrays = Mapping[str, NDArray[Any]]
Question = Literal["history", "seeds"]  # what does this user want; what goes with these items


class Model(Protocol):
    """A fitted model over `item_ids` (ascending); its rows index them. Immutable; safe to share between threads."""

    item_ids: NDArray[np.int64]

    def score(self, query: Query, rows: Rows) -> Scores:
        """How well each of `rows` answers `query` (model rows), higher is better; NaN where it cannot say.

        Returns float32 of shape (len(rows),). A query it knows nothing about gives all NaN.
        """

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

    def vectors(self, question: Question) -> NDArray[np.float32]:
        """One vector an item, float32, shape (n_items, d), C-contiguous; may be the same for both questions."""

    def query_vector(self, query: Query) -> NDArray[np.float32] | None:
        """The vector whose inner product with the item vectors is `score`; None where it cannot say."""


class BatchModel(Model, Protocol):
    """A model that scores many users at once much faster than one by one: evaluation uses it."""

    def score_batch(self, histories: sparse.csr_matrix) -> NDArray[np.float32]:
        """As `score` over all rows, for one history a row (summed evidence weights, users x items): dense."""


FittedModel = Model  # inside Algorithm, `Model` is the class attribute


class Algorithm(Protocol):
    """How a model is learned."""

    Config: type[ComponentConfig]
    Model: ClassVar[type[Any]]  # the class whose from_arrays reads what fit() wrote
    collaborative: ClassVar[bool]  # learns from what users have in common: wants MIN_INTERACTIONS_FOR_CF pairs
    reads_texts: ClassVar[bool]  # wants Items.texts

    def __init__(self, config: Any) -> None: ...

    def fit(self, interactions: Interactions, items: Items, rng: np.random.Generator) -> FittedModel:
        """Learn from `interactions` and `items` (whose rows are unrelated: join by id). Deterministic given `rng`.

        Raises NotEnoughData (apps.recommend.engine.errors) when there is too little to learn from.
        """


class Index(Protocol):
    """Finds the rows with the largest inner products."""

    def search(self, vector: NDArray[np.float32], limit: int) -> tuple[Rows, Scores]:
        """Up to `limit` rows and their exact inner products with `vector`, best first."""


class CandidateSource(Protocol):
    """Where candidates come from."""

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


class Metric(Protocol):
    """A figure of merit of recommended lists, one value a user."""

    Config: type[ComponentConfig]

    def __init__(self, config: Any) -> None: ...

    def per_user(
        self, recommended: NDArray[np.int32], hits: NDArray[np.bool_], truth_sizes: NDArray[np.int32]
    ) -> NDArray[np.float64]:
        """One value for each user.

        `recommended` (users, k) are item rows, best first, -1 where the list is short; `hits` says which of them
        are in the user's truth; `truth_sizes` counts each user's truth (at least 1).
        """


class CatalogMetric(Protocol):
    """A figure of merit of all lists together; registered with the metrics."""

    Config: type[ComponentConfig]

    def __init__(self, config: Any) -> None: ...

    def overall(self, recommended: NDArray[np.int32], n_items: int) -> float:
        """One value for all users. `recommended` as for `Metric.per_user`; `n_items` could be recommended."""
