"""How long computations say how far they are, without knowing who listens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic

Listener = Callable[[str, int, int], None]  # what is being done, how much is done, of how much

_listener: ContextVar[Listener | None] = ContextVar("progress_listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Within the block, `listener` hears every `report` of this thread. What it raises ends the computation."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def report(what: str, done: int, total: int) -> None:
    """Tell whoever listens; costs nothing when nobody does."""
    listener = _listener.get()
    if listener is not None:
        listener(what, done, total)


class OutOfTime(Exception):
    """The time that was allowed is over."""


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Within the block, a `report` after `seconds` raises OutOfTime; None: no limit. Whoever listens still hears."""
    if seconds is None:
        yield
        return
    outer, end = _listener.get(), monotonic() + seconds

    def checked(what: str, done: int, total: int) -> None:
        if outer is not None:
            outer(what, done, total)
        if monotonic() > end:
            raise OutOfTime(f"stopped after {seconds:,.0f} seconds, the time allowed")

    with listening(checked):
        yield
