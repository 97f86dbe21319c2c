"""Who wants to know that users changed: an app that keeps something made of users listens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moved:
    """A user who changed, and the revision they have now."""

    id: int
    external_id: str
    revision: int


Listener = Callable[[Sequence[Moved]], Callable[[], None]]
"""Called in the transaction, while it holds the users' rows; what it returns is called behind the transaction."""

_listeners: dict[str, Listener] = {}


def listen(name: str, listener: Listener) -> None:
    """Have `listener` told too. Call it when the app is ready."""
    _listeners[name] = listener


def changing(users: Sequence[Moved]) -> Callable[[], None]:
    """Tell everybody that these users change with the transaction under way; call what is returned behind it."""
    told = [listener(users) for listener in _listeners.values()] if users else []

    def changed() -> None:
        for tell in told:
            tell()

    return changed
