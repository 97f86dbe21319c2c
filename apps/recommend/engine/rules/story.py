"""What became of candidates and why, for whoever asks for the trace."""

from dataclasses import dataclass, field

from apps.recommend.engine.types import Mask, Rows


@dataclass(frozen=True, eq=False)
class Removed:
    """Rows that went: why, in plain words, and the id of the rule that did it."""

    why: str
    rows: Rows
    rule: int | None = None


@dataclass(frozen=True)
class Moved:
    """An entry that stands elsewhere than the pipeline put it; places count from 1, `before` None: it was no candidate.

    `rules` are the ids of rules that mean the item and may have moved it; none: it made way, or a control moved it.
    """

    row: int
    before: int | None
    after: int
    rules: tuple[int, ...]


@dataclass(eq=False)
class Story:
    """Collects what was removed, step by step."""

    removed: list[Removed] = field(default_factory=list)

    def lost(self, why: str, rows: Rows, kept: Mask, rule: int | None = None) -> None:
        """Note those of `rows` that are not `kept`, if there are any."""
        gone = rows[~kept]
        if len(gone):
            self.removed.append(Removed(why, gone, rule))
