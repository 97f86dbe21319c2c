"""Django's PostgreSQL backend, for outages: they cost a process one timeout, and requests fail at once meanwhile.

Django looks for a backend under this very name: `ENGINE = "recsys.postgresql"`.
"""

from typing import Any, ClassVar

import psycopg
from django.db.backends.postgresql import base
from psycopg.errors import _WaitTimeout

from apps.api import patience
from recsys.circuit import Circuit

PAUSE_SECONDS = 2.0


class Connection(psycopg.Connection[Any]):
    """A connection that waits for an answer as long as `apps.api.patience` says, and is closed after that."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg's. Raises psycopg.OperationalError when patience runs out."""
        limit = patience.seconds.get()
        if timeout is not None or limit is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, limit)
        except _WaitTimeout:
            self.close()
            problem = psycopg.OperationalError(f"PostgreSQL did not answer within {limit:g} s")
            DatabaseWrapper._circuit.failed(problem)
            raise problem from None


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection from the process's pool."""

    _circuit: ClassVar[Circuit] = Circuit("PostgreSQL", pause=PAUSE_SECONDS)

    @property
    def pool(self) -> Any:
        """Django's, of our connections."""
        options = self.settings_dict["OPTIONS"].get("pool")
        if isinstance(options, dict):
            options.setdefault("connection_class", Connection)
        return super().pool

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Take a connection from the pool. Raises OperationalError, without a wait while the server is left alone."""
        if not self.pool:
            return super().get_new_connection(conn_params)
        if not self._circuit.may_try():
            raise self.Database.OperationalError("PostgreSQL was out of reach a moment ago and is left alone for now")
        refused = self._refused()
        try:
            connection = super().get_new_connection(conn_params)
        except self.Database.OperationalError as problem:
            if self._refused() > refused:  # or else the pool is merely exhausted, and waiting was right
                self._circuit.failed(problem)
            raise
        self._circuit.worked()
        return connection

    def _refused(self) -> int:
        """How many attempts of this process to connect have failed so far."""
        return int(self.pool.get_stats().get("connections_errors", 0))
