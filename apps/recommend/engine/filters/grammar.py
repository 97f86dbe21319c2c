"""Reading a filter: recursive descent over its tokens.

filter     = every ("or" every)*
every      = one ("and" one)*
one        = "not" one | "(" filter ")" | comparison
comparison = field | field sign value | field ["not"] "in" "(" value ("," value)* ")"
field      = word ("." (word | text))*
sign       = "=" | "!=" | "<" | "<=" | ">" | ">="
value      = number | text | "true" | "false" | "null"
"""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal

from apps.recommend.engine.filters.errors import FilterError
from apps.recommend.engine.filters.expression import Expression
from apps.recommend.engine.filters.lexer import Kind, Token, tokens
from apps.recommend.engine.filters.tree import Every, Node, Not, Some, Term, field_text
from apps.recommend.engine.value_table import Scalar, Test

MAX_CHARACTERS = 2_000
MAX_DEPTH = 20
MAX_TERMS = 200
MAX_VALUES = 1_000

Type = Literal["number", "time", "text", "id", "ids", "texts", "boolean", "anything"]

FIELDS: Mapping[str, Type] = MappingProxyType(
    {
        "price": "number",
        "stock": "number",
        "age_days": "number",
        "published": "time",
        "brand": "text",
        "category": "ids",
        "tag": "texts",
        "item_id": "id",
        "parent_id": "id",
        "available": "boolean",
        "attributes": "anything",
    }
)
"""The fields a filter can name, and what they hold."""

_ALIASES = {"categories": "category", "tags": "tag"}
_ORDERED: frozenset[Type] = frozenset({"number", "time", "text", "anything"})
_WORDS = frozenset({"and", "or", "not", "in", "true", "false", "null"})
_SIGNS = {"=": "=", "==": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_TAKES: Mapping[Type, str] = {
    "number": "a number",
    "time": 'a date such as "2026-11-21", or seconds since 1970',
    "text": "text in quotes",
    "texts": "text in quotes",
    "id": "an id in quotes",
    "ids": "an id in quotes",
    "boolean": "true or false",
}


def parse(text: str) -> Expression:
    """The filter that `text` says. Raises FilterError. About 3 µs a token."""
    if len(text) > MAX_CHARACTERS:
        raise FilterError(
            f"A filter may have {MAX_CHARACTERS:,} characters; this one has {len(text):,}.", MAX_CHARACTERS
        )
    expression = _Parser(text).parse()
    if len(expression.text) > MAX_CHARACTERS:
        raise FilterError(f"Written out in full, this filter has more than {MAX_CHARACTERS:,} characters.", 0)
    return expression


class _Parser:
    def __init__(self, text: str) -> None:
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise FilterError("A filter must be valid Unicode text.", 0)
        self._text = text
        self._tokens = tokens(text)
        self._at = self._depth = self._terms = self._values = 0

    def parse(self) -> Expression:
        if self._is_end():
            raise FilterError("The filter is empty.", 0)
        node = self._some()
        if not self._is_end():
            raise self._wrong('Expected "and", "or" or the end of the filter')
        return Expression.of(node)

    @property
    def _token(self) -> Token:
        return self._tokens[self._at]

    def _wrong(self, problem: str, token: Token | None = None) -> FilterError:
        token = token or self._token
        return FilterError.at(problem, self._text, token.start, token.stop)

    def _is(self, word: str) -> bool:
        return self._token.kind == "word" and self._token.value.lower() == word

    def _is_end(self) -> bool:
        return self._token.kind == "end"

    def _took(self, kind: Kind, value: str) -> bool:
        """Whether the next token is this word or sign; then it is passed."""
        found = self._is(value) if kind == "word" else self._token.kind == kind and self._token.value == value
        self._at += found
        return found

    def _some(self) -> Node:
        return self._joined("or", self._every, Some)

    def _every(self) -> Node:
        return self._joined("and", self._one, Every)

    def _joined(self, word: str, part: Callable[[], Node], joined: type[Every | Some]) -> Node:
        parts: list[Node] = []
        while True:
            node = part()
            parts.extend(node.of if isinstance(node, joined) else [node])
            if not self._took("word", word):
                return parts[0] if len(parts) == 1 else joined(tuple(parts))

    def _one(self) -> Node:
        parenthesis = self._token.kind == "sign" and self._token.value == "("
        if not parenthesis and not self._is("not"):
            return self._comparison()
        if self._depth == MAX_DEPTH:
            raise self._wrong(f'Parentheses and "not" may be {MAX_DEPTH} deep, not more')
        self._depth += 1
        node = self._parenthesis() if parenthesis else self._not()
        self._depth -= 1
        return node

    def _not(self) -> Node:
        self._at += 1
        node = self._one()
        return node.of if isinstance(node, Not) else Not(node)

    def _parenthesis(self) -> Node:
        opening = self._token
        self._at += 1
        node = self._some()
        if not self._took("sign", ")"):
            raise self._wrong(f'Expected ")" for the "(" at character {opening.start + 1}')
        return node

    def _comparison(self) -> Node:
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise self._wrong(f"A filter may have {MAX_TERMS} comparisons, not more")
        name, holds = self._field()
        sign = self._token
        if sign.kind == "sign" and sign.value in _SIGNS:
            self._at += 1
            return self._compared(name, holds, sign)
        negated = self._took("word", "not")
        if self._took("word", "in"):
            node = Term(name, Test("=", self._list(name, holds)))
            return Not(node) if negated else node
        if not negated and holds in {"boolean", "anything"}:
            self._count_value(sign)
            return Term(name, Test("=", [True]))
        raise self._wrong(f'Expected =, !=, <, <=, >, >=, "in" or "not in" after "{field_text(name)}"')

    def _field(self) -> tuple[str, Type]:
        token = self._token
        if token.kind != "word" or token.value.lower() in _WORDS:
            raise self._wrong("Expected the name of a field")
        self._at += 1
        name = _ALIASES.get(token.value, token.value)
        holds = FIELDS.get(name)
        if holds is None:
            raise self._wrong(f'There is no field "{token.value}"; there are {", ".join(FIELDS)}', token)
        path = [name]
        while name == "attributes" and self._took("sign", "."):
            if self._token.kind not in {"word", "text"}:
                raise self._wrong('Expected an attribute\'s name after ".", in quotes if it is not a plain word')
            path.append(self._token.value)
            self._at += 1
        if name == "attributes" and len(path) == 1:
            raise self._wrong('Expected "." and an attribute\'s name after "attributes"')
        return ".".join(path), holds

    def _compared(self, name: str, holds: Type, sign: Token) -> Node:
        operator = _SIGNS[sign.value]
        if operator in {"=", "!="}:
            term = Term(name, Test("=", [self._value(name, holds, sign.value)]))
            return Not(term) if operator == "!=" else term
        if holds not in _ORDERED:
            raise self._wrong(f'"{name}" has no order: it can be compared with =, !=, "in" and "not in"', sign)
        token = self._token
        value = self._value(name, holds, sign.value)
        if value is None or isinstance(value, bool):
            raise self._wrong(f'"{sign.value}" needs a number or text, not {token.value}', token)
        return Term(name, Test(operator, [value]))

    def _list(self, name: str, holds: Type) -> list[Scalar | None]:
        if not self._took("sign", "("):
            raise self._wrong('Expected "(" and a list of values after "in"')
        values = {_order(value := self._value(name, holds, "(")): value}
        while not self._took("sign", ")"):
            if not self._took("sign", ","):
                raise self._wrong('Expected "," or ")" in the list')
            value = self._value(name, holds, ",")
            values[_order(value)] = value
        return [values[key] for key in sorted(values)]

    def _count_value(self, token: Token) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            raise self._wrong(f"A filter may have {MAX_VALUES:,} values in all, not more", token)

    def _value(self, name: str, holds: Type, after: str) -> Scalar | None:
        token = self._token
        word = token.value.lower() if token.kind == "word" else ""
        if token.kind not in {"number", "text"} and word not in {"true", "false", "null"}:
            hint = "; text needs quotes" if token.kind == "word" and word not in _WORDS else ""
            raise self._wrong(f'Expected a value after "{after}"{hint}')
        self._at += 1
        self._count_value(token)
        if word == "null":
            return None
        if word:
            return self._checked(name, holds, token, word == "true")
        return self._checked(name, holds, token, token.value if token.kind == "text" else self._number(token))

    def _number(self, token: Token) -> float:
        number = float(token.value) + 0.0  # -0 is 0
        if not math.isfinite(number):
            raise self._wrong("This number is too large", token)
        return number

    def _checked(self, name: str, holds: Type, token: Token, value: Scalar) -> Scalar:
        """The value, if it is one that the field can have."""
        if holds == "time" and isinstance(value, str):
            try:
                moment = datetime.fromisoformat(value)
            except ValueError:
                raise self._wrong('Expected a date such as "2026-11-21" or "2026-11-21T08:00:00Z"', token) from None
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        kind: type = {"number": float, "time": float, "boolean": bool}.get(holds, str)
        if holds != "anything" and not isinstance(value, kind):
            raise self._wrong(f'"{name}" is compared with {_TAKES[holds]}', token)
        return value


def _order(value: Scalar | None) -> tuple[int, str, float]:
    """Values that are the same have the same key; numbers come before text."""
    if value is None:
        return 3, "", 0.0
    if isinstance(value, str):
        return 1, value, 0.0
    return (2 if isinstance(value, bool) else 0), "", float(value)
