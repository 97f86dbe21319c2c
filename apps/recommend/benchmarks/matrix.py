"""How long it takes from stored events to the users x items matrix, beside a plain loop over Django's rows."""

import resource
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection
from scipy import sparse

from apps.recommend import snapshot

BASELINE_SHARE = 0.05  # of the events: the plain loop needs a minute and gigabytes for all of five million


@dataclass(frozen=True)
class MatrixFigures:
    """Medians over `rounds`. Times in seconds, memory in MiB (the whole process, at its highest)."""

    database: str
    events: int
    rounds: int
    seconds: float
    events_per_second: float
    nonzeros: int
    peak_rss_mib: float
    baseline_events_per_second: float

    @property
    def ratio(self) -> float:
        """How many times as fast as the plain loop."""
        return self.events_per_second / self.baseline_events_per_second


def measure(events: int, rounds: int, say: Callable[[str], None]) -> MatrixFigures:
    """Fill a scratch database (a test database beside the configured one), measure, and drop it again."""
    with _scratch_database():
        say(f"writing {events:,} events into a scratch database …")
        _fill(events)
        seconds = []
        nonzeros = 0
        for number in range(rounds):
            started = time.perf_counter()
            matrix = snapshot.interactions().matrix()
            seconds.append(time.perf_counter() - started)
            nonzeros = int(matrix.nnz)
            say(f"round {number + 1} of {rounds}: {seconds[-1]:.1f} s")
            del matrix
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        say("the plain loop …")
        sample = max(int(events * BASELINE_SHARE), 1)
        started = time.perf_counter()
        _plain_loop(sample)
        baseline = sample / (time.perf_counter() - started)
    median = statistics.median(seconds)
    return MatrixFigures(
        database=connection.vendor,
        events=events,
        rounds=rounds,
        seconds=round(median, 2),
        events_per_second=round(events / median),
        nonzeros=nonzeros,
        peak_rss_mib=round(peak),
        baseline_events_per_second=round(baseline),
    )


@contextmanager
def _scratch_database() -> Iterator[None]:
    configured = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(configured, verbosity=0)


def _fill(events: int) -> None:
    """Events of 100,000 users with 50,000 items, popularity skewed, over a year, by the database itself."""
    table = apps.get_model("interactions", "Event")._meta.db_table
    columns = (
        "event_id, user_id, item_id, event_type_id, occurred_at, received_at, session_id, session_key, "
        "currency, quantity"
    )
    if connection.vendor == "postgresql":
        query = (
            "SELECT 'b' || n, 1 + (n::bigint * 7919) %% 100000, 1 + (50000 * power(random(), 2))::int, "
            "1 + 2 * (n %% 3), "
            "now() - random() * interval '365 days', now(), '', 1 + n / 5, 'GBP', 1 FROM generate_series(1, %s) AS n"
        )
    else:
        query = (
            "WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < %s) "
            "SELECT 'b' || n, 1 + (n * 7919) %% 100000, "
            "1 + (abs(random() %% 50000) * abs(random() %% 50000)) / 50000, 1 + 2 * (n %% 3), "
            "datetime('now', '-' || abs(random() %% 31536000) || ' seconds'), datetime('now'), '', 1 + n / 5, 'GBP', 1 "
            "FROM counted"
        )
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({columns}) {query}", [events])
        if connection.vendor == "postgresql":
            cursor.execute(f"ANALYZE {table}")


def _plain_loop(events: int) -> Any:
    """What one would write first, over the same columns: a tuple an event, dictionaries from id to row."""
    rows = apps.get_model("interactions", "Event").objects.order_by("id")
    columns = rows.values_list("user_id", "item_id", "event_type", "occurred_at", "session_key", "quantity", "value")
    users: dict[int, int] = {}
    items: dict[int, int] = {}
    events_read: list[Any] = []
    for user, item, *rest in columns[:events].iterator(chunk_size=10_000):
        events_read.append((users.setdefault(user, len(users)), items.setdefault(item, len(items)), *rest))
    newest = max(event[3] for event in events_read)
    weights = [0.5 ** ((newest - event[3]).total_seconds() / 86_400 / 30) for event in events_read]
    return sparse.csr_matrix((weights, ([event[0] for event in events_read], [event[1] for event in events_read])))
