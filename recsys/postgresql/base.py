"""Django's PostgreSQL backend, for outages: they cost a process one timeout, and requests fail at once meanwhile.

Django looks for a backend under this very name: `ENGINE = "recsys.postgresql"`.
"""

from typing import Any, ClassVar

from django.db.backends.postgresql import base

from recsys.circuit import Circuit

PAUSE_SECONDS = 2.0


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection from the process's pool."""

    _circuit: ClassVar[Circuit] = Circuit("PostgreSQL", pause=PAUSE_SECONDS)

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
