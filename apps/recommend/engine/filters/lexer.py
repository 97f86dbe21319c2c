"""A filter's text as words, numbers, texts and signs, each with its place."""

import re
from dataclasses import dataclass
from typing import Literal

from apps.recommend.engine.filters.errors import FilterError

Kind = Literal["word", "number", "text", "sign", "end"]

_TOKEN = re.compile(
    r"""\s* (?: (?P<word>[^\W\d][\w-]*) | (?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
        | (?P<text>["']) | (?P<sign><=|>=|!=|==|[=<>(),.]) | (?P<end>\Z) )""",
    re.VERBOSE,
)
_ESCAPED = {'"': '"', "'": "'", "\\": "\\", "/": "/", "n": "\n", "r": "\r", "t": "\t"}
_CODE_POINT = re.compile(r"u([0-9a-fA-F]{4})")


@dataclass(frozen=True)
class Token:
    """One word, number, text or sign. `value` is the word, the text without quotes and escapes, or the sign."""

    kind: Kind
    value: str
    start: int
    stop: int


def tokens(text: str) -> list[Token]:
    """All tokens of the text; the last is of the kind `end`."""
    found: list[Token] = []
    place = 0
    while not found or found[-1].kind != "end":
        match = _TOKEN.match(text, place)
        if match is None:
            start = place + len(text[place:]) - len(text[place:].lstrip())
            raise FilterError.at(f"{text[start]!r} has no meaning here", text, start, start + 1)
        kind: Kind = match.lastgroup  # type: ignore[assignment]
        value, start, place = match[kind], match.start(kind), match.end()
        if kind == "text":
            value, place = _quoted(text, start)
        found.append(Token(kind, value, start, place))
    return found


def _quoted(text: str, start: int) -> tuple[str, int]:
    """The text whose opening quote is at `start`, and where it ends."""
    quote, place = text[start], start + 1
    parts: list[str] = []
    while True:
        stop = min(at for at in (text.find(quote, place), text.find("\\", place), len(text)) if at >= 0)
        parts.append(text[place:stop])
        place = stop
        if place == len(text):
            raise FilterError.at(f"The text that starts here has no closing {quote}", text, start)
        if text[place] == quote:
            return "".join(parts), place + 1
        character, place = _escaped(text, place)
        parts.append(character)


def _escaped(text: str, start: int) -> tuple[str, int]:
    """The character that the backslash at `start` and what follows it stand for, and where they end."""
    code = _CODE_POINT.match(text, start + 1)
    if code is not None:
        character = chr(int(code[1], 16))
        if "\ud800" <= character <= "\udfff":
            raise FilterError.at("This escape is half of a character; write the character itself", text, start)
        return character, code.end()
    escaped = text[start + 1 : start + 2]
    if escaped not in _ESCAPED:
        raise FilterError.at(rf'"\{escaped}" has no meaning; a backslash is written twice', text, start, start + 2)
    return _ESCAPED[escaped], start + 2
