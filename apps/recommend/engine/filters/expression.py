"""A filter that was read."""

from dataclasses import dataclass, field

from apps.recommend.engine.filters.evaluation import Evaluation
from apps.recommend.engine.filters.tree import Node, terms, text_of
from apps.recommend.engine.types import Items, Mask, Rows


@dataclass(frozen=True)
class Expression:
    """A filter. Two are equal when their canonical texts are; `parse` makes them."""

    text: str  # canonical: the same for filters that differ only in spelling
    fields: tuple[str, ...] = field(compare=False)  # the names it reads, each once, sorted
    node: Node = field(compare=False, repr=False)

    @classmethod
    def of(cls, node: Node) -> "Expression":
        """The expression of a tree."""
        return cls(text=text_of(node), fields=tuple(sorted({term.field for term in terms(node)})), node=node)

    def __str__(self) -> str:
        return self.text

    def mask(self, items: Items, rows: Rows | None = None, *, now: int | None = None) -> Mask:
        """Which of `rows` (all items where None) it is true for; `now` is needed when it reads `age_days`.

        A few NumPy operations a term, over `rows` alone. ValueError when it reads what `items` do not have.
        """
        return Evaluation(items, rows, now).of(self.node)
