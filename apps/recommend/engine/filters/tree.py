"""What a filter is once it was read: a tree of terms, and the canonical text of one."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from apps.recommend.engine.value_table import Scalar, Test

NAME = re.compile(r"[^\W\d][\w-]*")
_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_DAY = 86_400
_LAST_SECOND = 253_402_300_799  # of the year 9999


@dataclass(frozen=True)
class Term:
    """One comparison of a field. `!=` and `not in` are the `Not` of one."""

    field: str  # an attribute's name is "attributes." and its path, joined by dots
    test: Test


@dataclass(frozen=True)
class Not:
    """True where `of` is not."""

    of: "Node"


@dataclass(frozen=True)
class Every:
    """True where all of `of` are; two or more."""

    of: "tuple[Node, ...]"


@dataclass(frozen=True)
class Some:
    """True where one of `of` is; two or more."""

    of: "tuple[Node, ...]"


Node = Term | Not | Every | Some


def terms(node: Node) -> Iterator[Term]:
    """The comparisons of a tree, from left to right."""
    match node:
        case Term():
            yield node
        case Not(of):
            yield from terms(of)
        case Every(parts) | Some(parts):
            for one in parts:
                yield from terms(one)


def text_of(node: Node) -> str:
    """The canonical text of a tree: no needless parentheses, text in double quotes, values of a list sorted."""
    match node:
        case Term():
            return _term(node, "=", "in")
        case Not(Term(test=Test(operator="=")) as term):
            return _term(term, "!=", "not in")
        case Not(Every() | Some() as of):
            return f"not ({text_of(of)})"
        case Not(of):
            return f"not {text_of(of)}"
        case Every(parts):
            return " and ".join(f"({text_of(one)})" if isinstance(one, Some) else text_of(one) for one in parts)
        case Some(parts):
            return " or ".join(map(text_of, parts))


def _term(term: Term, equal: str, among: str) -> str:
    name, test = field_text(term.field), term.test
    values = [_value(value, term.field) for value in test.values]
    if len(values) > 1:
        return f"{name} {among} ({', '.join(values)})"
    return f"{name} {equal if test.operator == '=' else test.operator} {values[0]}"


def field_text(name: str) -> str:
    """A field's name as a filter writes it: parts of an attribute's path that are no words are in quotes."""
    first, *path = name.split(".")
    return ".".join([first, *(part if NAME.fullmatch(part) else _quoted(part) for part in path)])


def _value(value: Scalar | None, name: str) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    whole = value.is_integer()
    if name == "published" and whole and 0 <= value <= _LAST_SECOND:
        moment = datetime.fromtimestamp(value, UTC)
        return _quoted(moment.strftime("%Y-%m-%d" if value % _DAY == 0 else "%Y-%m-%dT%H:%M:%SZ"))
    return str(int(value)) if whole and abs(value) < 1e15 else repr(value)


def _quoted(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'
