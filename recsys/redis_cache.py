"""Redis as a cache that may go away at any time, at the price of one timeout per process rather than one per call."""

from typing import Any

import redis

from recsys.circuit import Circuit

PAUSE_SECONDS = 2.0


class Pool(redis.ConnectionPool):
    """The connections to one server, and whether it may be tried. There is one for each server and process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.circuit = Circuit("Redis", pause=PAUSE_SECONDS)


class Client(redis.Redis):
    """A client that fails at once while its server is left alone."""

    connection_pool: Pool

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """One command. Raises redis.ConnectionError, without a wait while the server is left alone."""
        circuit = self.connection_pool.circuit
        if not circuit.may_try():
            raise redis.ConnectionError("Redis was out of reach a moment ago and is left alone for now")
        try:
            answer = super().execute_command(*args, **options)
        except (redis.ConnectionError, redis.TimeoutError) as problem:
            circuit.failed(problem)
            raise
        except redis.ResponseError:
            circuit.worked()  # a refusal is an answer
            raise
        circuit.worked()
        return answer
