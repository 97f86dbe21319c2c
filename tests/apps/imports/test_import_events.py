"""`import_events`: every row is accounted for, whatever is in the file and however the import ends."""

import csv
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.conf import settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.interactions.models import Event
from apps.users.models import User
from tests.factories import make_items
from tests.processes import database_url

Run = Callable[..., dict[str, Any]]

HEADER = "user_id,item_id,interaction_type,occurred_at,value,quantity\n"
GOOD = "ann,a,view,2024-05-01T10:00:00,,\n"


@pytest.fixture
def items() -> None:
    make_items({"item_id": "a"}, {"item_id": "b"})


def _events() -> list[Any]:
    columns = ("event_id", "user__external_id", "item__external_id", "event_type_id", "occurred_at", "session_id")
    return list(Event.objects.order_by("event_id").values_list(*columns, "value", "quantity", "properties"))


def _rejects(file: Path) -> list[dict[str, str]]:
    with Path(f"{file}.rejects.csv").open(newline="") as rejects:
        return list(csv.DictReader(rejects))


@pytest.mark.django_db
def test_equal_rows_are_events_of_their_own_and_known_at_the_second_import(
    tmp_path: Path, run_import: Run, items: None
) -> None:
    file = tmp_path / "e.csv"
    file.write_text(HEADER + GOOD * 3 + "bo,b,purchase,2024-05-01,2.5,4\n" + GOOD)
    assert run_import("import_events", file, "--batch", "2") == {"": (5, 5, 0, 0)}
    stored = _events()
    assert run_import("import_events", file, "--batch", "3") == {"": (5, 0, 5, 0)}
    assert _events() == stored
    assert len({event[0] for event in stored}) == 5


@pytest.mark.django_db
def test_an_event_id_of_the_file_is_kept_and_stored_once(tmp_path: Path, run_import: Run, items: None) -> None:
    file = tmp_path / "e.jsonl"
    line = '{"event_id": "e1", "user_id": 12, "item_id": "a", "event_type": "view", "timestamp": 1700000000}\n'
    file.write_text(line * 2)
    assert run_import("import_events", file) == {"": (2, 1, 1, 0)}
    event = Event.objects.get(event_id="e1")
    assert event.occurred_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert User.objects.filter(external_id="12").exists()


@pytest.mark.django_db
@pytest.mark.parametrize("when", ["1700000000", "1700000000000", "1700000000000000", "2023-11-14T22:13:20+00:00"])
def test_times_are_read_as_text_or_since_1970(tmp_path: Path, run_import: Run, items: None, when: str) -> None:
    file = tmp_path / "e.csv"
    file.write_text(HEADER + f"ann,a,view,{when},,\n")
    run_import("import_events", file)
    assert Event.objects.get().occurred_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.mark.django_db
def test_what_is_wrong_with_a_row_is_written_down(tmp_path: Path, run_import: Run, items: None) -> None:
    file = tmp_path / "e.csv"
    file.write_text(
        HEADER
        + "ann,nothing,view,2024-05-01,,\n"
        + "ann,a,stare,2024-05-01,,\n"
        + "ann,a,view,yesterday,,\n"
        + "ann,a,view,2999-01-01,,\n"
        + "ann,a,view,,,\n"
        + ",a,view,2024-05-01,,\n"
        + "ann,a,rate,2024-05-01,five,\n"
        + "ann,a,purchase,2024-05-01,1,-2\n"
        + GOOD
    )
    assert run_import("import_events", file) == {"": (9, 1, 0, 8)}
    refused = _rejects(file)
    assert [int(row["line"]) for row in refused] == list(range(2, 10))
    fields = ["item_id", "interaction_type", *["occurred_at"] * 3, "user_id", "value", "quantity"]
    assert [row["reason"].partition(":")[0] for row in refused] == fields
    assert refused[0]["row"] == "ann,nothing,view,2024-05-01,,"


@pytest.mark.django_db
def test_a_file_without_types_gets_them_from_the_command_line(tmp_path: Path, run_import: Run, items: None) -> None:
    file = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"Customer": [17850.0], "item_id": ["a"], "Day": pa.array([18_000], pa.date32())}), file)
    options = ("--map", "user_id=Customer", "--map", "occurred_at=Day", "--set", "interaction_type=purchase")
    assert run_import("import_events", file, *options) == {"": (1, 1, 0, 0)}
    assert User.objects.get().external_id == "17850"


@pytest.mark.django_db
def test_a_dry_run_counts_and_stores_nothing(tmp_path: Path, run_import: Run, items: None) -> None:
    file = tmp_path / "e.csv"
    file.write_text(HEADER + GOOD * 2 + "ann,nothing,view,2024-05-01,,\n")
    assert run_import("import_events", file, "--dry-run") == {"": (3, 2, 0, 1)}
    assert not Event.objects.exists()
    assert not User.objects.exists()


_CELL = st.sampled_from(
    ["", "a", "b", "ann", "view", "purchase", "2024-05-01", "1", "-1", "x" * 300, "é", '"', "\0", "😀"]
)
_ROW = st.one_of(
    st.just(GOOD.encode()),
    st.lists(_CELL, min_size=5, max_size=7).map(lambda cells: (",".join(cells) + "\n").encode()),
    st.binary(max_size=20).map(lambda noise: noise + b"\n"),
)


@pytest.mark.django_db
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rows=st.lists(_ROW, max_size=12), batch=st.integers(1, 5))
def test_rows_read_are_stored_known_or_rejected_whatever_the_file(
    run_import: Run, items: None, rows: list[bytes], batch: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "e.csv"
        file.write_bytes(HEADER.encode() + b"".join(rows))
        before = Event.objects.count()
        read, stored, known, rejected = run_import("import_events", file, "--batch", str(batch))[""]
        assert read == stored + known + rejected
        assert Event.objects.count() - before == stored
        assert len(_rejects(file)) == rejected if rejected else not Path(f"{file}.rejects.csv").exists()
        assert run_import("import_events", file)[""] == (read, 0, stored + known, rejected)


def _import_until(file: Path, signal_number: int) -> int:
    """Run the import in a process, send the signal once it has stored something; the exit status."""
    # Whoever runs these tests in the background has Ctrl-C switched off for them, and so for their children.
    start = "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    start += "runpy.run_path('manage.py', run_name='__main__')"
    command = [sys.executable, "-c", start, "import_events", str(file), "--batch", "100"]
    with subprocess.Popen(
        command,
        cwd=settings.BASE_DIR,
        env=os.environ | {"DATABASE_URL": database_url()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        deadline = time.monotonic() + 60
        while not Event.objects.exists():
            assert process.poll() is None, process.stderr.read().decode()  # type: ignore[union-attr]
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal_number)
        return process.wait(60)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT])
def test_an_import_that_was_stopped_and_run_again_ends_like_one_that_was_not(
    tmp_path: Path, run_import: Run, items: None, signal_number: int
) -> None:
    rows = 30_000
    file = tmp_path / "e.csv"
    with file.open("w") as lines:
        lines.write(HEADER)
        lines.writelines(
            f"user {n % 997},{'ab'[n % 2]},view,2024-05-01T10:00:{n % 7:02},,\n" if n % 100 else "bad\n"
            for n in range(rows)
        )
    status = _import_until(file, signal_number)
    assert status == (130 if signal_number == signal.SIGINT else -signal.SIGKILL)
    first = Event.objects.count()
    assert 0 < first < rows * 0.99

    read, stored, known, rejected = run_import("import_events", file)[""]
    assert (read, known, stored, rejected) == (rows, first, rows - rows // 100 - first, rows // 100)
    resumed = _events()
    Event.objects.all().delete()
    User.objects.all().delete()
    assert run_import("import_events", file)[""] == (rows, rows - rows // 100, 0, rows // 100)
    assert _events() == resumed
    assert len(_rejects(file)) == rows // 100
