"""What is wrong with a filter, and at which character."""

_BEFORE, _AFTER = 40, 10  # characters of the filter shown around the place


class FilterError(ValueError):
    """A filter that cannot be read. `position` is the offset of the character at fault, from 0.

    The message says what was expected and ends with the filter up to that place; characters count from 1 in it.
    """

    def __init__(self, message: str, position: int) -> None:
        self.message, self.position = message, position
        super().__init__(message)

    @classmethod
    def at(cls, problem: str, text: str, position: int, end: int | None = None) -> "FilterError":
        """`problem` (no full stop) with the part of `text` around `position`; `end` is where what is at fault ends."""
        start = max(0, position - _BEFORE)
        stop = max(position, min(end or position, position + _BEFORE)) + (0 if end else _AFTER)
        shown = f"{'…' if start else ''}{text[start:stop].strip()}{' …' if stop < len(text) else ''}"
        return cls(f"{problem}, at character {position + 1}: {shown}", position)
