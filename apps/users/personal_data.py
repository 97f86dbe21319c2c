"""Who holds personal data: an app that does registers a holder, so that a request reaches every store."""

from collections.abc import Iterator
from typing import Any, Protocol


class PersonalDataHolder(Protocol):
    """What an app does with what it holds about a user. Each call runs in the transaction of the whole request."""

    def export(self, user_id: int) -> dict[str, Any]:
        """Everything held about the user, as JSON values."""

    def erase(self, user_id: int) -> None:
        """Remove what identifies the user; what is kept must not lead back to a person."""

    def merge(self, from_id: int, into_id: int) -> list[Any]:
        """Make what is held about one user count for another.

        Returns what `unmerge` must know, as JSON values; an empty list when there was nothing to move.
        """

    def unmerge(self, from_id: int, into_id: int, visitors: list[int], record: list[Any]) -> bool:
        """Give a visitor (`into_id`) back what `merge` moved to `from_id`, and what came from them since.

        `visitors` are the visitor and those who had been merged into them, `record` all that their merge returned.
        True when something was moved.
        """


_holders: dict[str, PersonalDataHolder] = {}


def register(name: str, holder: PersonalDataHolder) -> None:
    """Have `holder` asked too; its export appears under `name`. Call it when the app is ready."""
    _holders[name] = holder


def holders() -> Iterator[tuple[str, PersonalDataHolder]]:
    """Every holder by name, in the same order in every process."""
    yield from sorted(_holders.items())
