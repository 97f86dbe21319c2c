"""Filter expressions: what a request or a rule says about items, as text, turned into array operations.

docs/reference/filters.md has the grammar.
"""

from apps.recommend.engine.filters.errors import FilterError
from apps.recommend.engine.filters.expression import Expression
from apps.recommend.engine.filters.grammar import parse

__all__ = ["Expression", "FilterError", "parse"]
