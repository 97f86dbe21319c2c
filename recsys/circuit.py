"""What keeps an outage cheap: after a failure a dependency is left alone for a moment, so that it costs one timeout
per process and not one per request."""

import threading
import time

import structlog

log = structlog.get_logger(__name__)


class Circuit:
    """Whether a dependency may be tried. Thread-safe; the state is this process's own.

    After a failure nobody tries for `pause` seconds; then one caller does, and once that has worked everybody again.
    Says one line when the dependency goes and one when it is back.
    """

    def __init__(self, name: str, *, pause: float) -> None:
        self.name = name
        self.pause = pause
        self._open = False
        self._next_try = 0.0
        self._lock = threading.Lock()

    def may_try(self) -> bool:
        """Whether the caller should try; it then says `worked` or `failed`."""
        if not self._open:
            return True
        with self._lock:
            now = time.monotonic()
            if self._open and now < self._next_try:
                return False
            self._next_try = now + self.pause  # one at a time
            return True

    def worked(self) -> None:
        """The dependency answered."""
        if not self._open:
            return
        with self._lock:
            was_open, self._open = self._open, False
        if was_open:
            log.info("back again", dependency=self.name)

    def failed(self, problem: Exception) -> None:
        """The dependency could not be reached, or did not answer in time."""
        with self._lock:
            was_open, self._open = self._open, True
            self._next_try = time.monotonic() + self.pause
        if not was_open:
            log.error("out of reach", dependency=self.name, problem=str(problem), next_try_in_seconds=self.pause)
