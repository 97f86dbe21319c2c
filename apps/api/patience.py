"""How long whoever is at work waits for one answer of the database, so that a server that hangs holds nobody for good.

A server that is gone is noticed by its connection; one that keeps it and says nothing is not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

REQUEST_SECONDS = 20.0
"""For any request: what takes longer is not for a web process."""
SHELF_SECONDS = 2.0
"""For whoever waits for recommendations: there are fallbacks."""
FOLLOWING_SECONDS = 120.0
"""For those who read whole catalogs in the background."""

seconds: ContextVar[float | None] = ContextVar("patience", default=None)
"""None: as long as it takes."""


@contextmanager
def patience(limit: float) -> Iterator[None]:
    """Within, each statement is waited for so many seconds."""
    before = seconds.set(limit)
    try:
        yield
    finally:
        seconds.reset(before)
