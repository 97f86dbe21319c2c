"""Online Retail: what is a sale, what is a product, and what a product is called."""

import csv
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from apps.catalog.models import Item
from apps.interactions.datasets.online_retail import is_title
from apps.interactions.models import Event
from tests.real_data import real_data

Run = Callable[..., dict[str, Any]]

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
HEADER_II = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n"
ROWS = """\
536365,85123A,WHITE  HANGING HEART ,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
536365,85123A,WHITE  HANGING HEART ,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom
536366,85123a,HEART OF WHITE,1,2011-07-01 09:00:00,2.95,,United Kingdom
C536379,85123A,WHITE HANGING HEART,-1,2011-07-02 09:41:00,3.5,17850,United Kingdom
536370,POST,POSTAGE,3,2010-12-01 08:45:00,18.0,12583.0,France
536371,gift_0001_20,Dotcomgiftshop Gift Voucher £20.00,1,2010-12-01 08:45:00,18.0,,United Kingdom
536372,22139,damaged,5,2010-12-01 08:45:00,1.0,,United Kingdom
536373,22139,amazon,-5,2010-12-01 08:45:00,0.0,,United Kingdom
536374,22139,,56,2010-12-01 08:45:00,0.0,,United Kingdom
536375,22139,RETROSPOT TEA SET,1,2010-12-01 08:45:00,0.0,12583,France
536376,22139,RETROSPOT TEA SET,one,2010-12-01 08:45:00,4.25,12583,France
536377,22139,RETROSPOT TEA SET,1,soon,4.25,12583,France
"""


def _import(folder: Path, run_import: Run, text: str, name: str = "online_retail.csv") -> dict[str, Any]:
    (folder / name).write_text(text)
    return run_import("import_dataset", "online-retail", folder)


@pytest.mark.django_db
def test_sales_cancellations_and_everything_else(tmp_path: Path, run_import: Run) -> None:
    assert _import(tmp_path, run_import, HEADER + ROWS) == {"items": (2, 2, 0, 0), "events": (12, 6, 0, 6)}
    with (tmp_path / "online_retail.csv.rejects.csv").open(newline="") as rejects:
        refused = {row["line"]: row["reason"] for row in csv.DictReader(rejects)}
    assert refused == {
        "6": "not a product: POST",
        "7": "not a product: GIFT_0001_20",
        "9": "stock adjustment: quantity -5 without a cancellation",
        "10": "stock adjustment: neither price nor customer",
        "12": "the quantity is not a whole number: 'one'",
        "13": "not a time: 'soon'",
    }
    events = {
        event.event_id.removeprefix("online-retail:"): event
        for event in Event.objects.select_related("user", "item", "event_type")
    }
    assert sorted(events) == [
        "536365:85123A:1", "536365:85123A:2", "536366:85123A:1", "536372:22139:1", "536375:22139:1",
        "C536379:85123A:1",
    ]  # fmt: skip
    sale, refund, unnamed = events["536365:85123A:2"], events["C536379:85123A:1"], events["536366:85123A:1"]
    assert (sale.event_type.name, sale.user.external_id, sale.session_id, sale.quantity, sale.value) == (
        "purchase", "17850", "536365", 6, Decimal("2.55"),
    )  # fmt: skip
    assert (refund.event_type.name, refund.user.external_id, refund.quantity) == ("refund", "17850", 1)
    assert unnamed.user.anonymous
    assert unnamed.user.external_id.endswith("536366")
    assert sale.occurred_at == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    assert unnamed.occurred_at == datetime(2011, 7, 1, 8, 0, tzinfo=UTC), "British summer time"

    heart, tea = Item.objects.get(external_id="85123A"), Item.objects.get(external_id="22139")
    assert (heart.title, heart.price, heart.currency) == ("WHITE HANGING HEART", Decimal("2.95"), "GBP")
    assert heart.published_at == sale.occurred_at
    assert (tea.title, tea.price) == ("RETROSPOT TEA SET", Decimal(1))


@pytest.mark.django_db
def test_a_second_import_stores_nothing(tmp_path: Path, run_import: Run) -> None:
    _import(tmp_path, run_import, HEADER + ROWS)
    again = _import(tmp_path, run_import, HEADER + ROWS)
    assert again == {"items": (2, 0, 2, 0), "events": (12, 0, 6, 6)}


@pytest.mark.django_db
def test_a_dry_run_stores_nothing(tmp_path: Path, run_import: Run) -> None:
    (tmp_path / "data.csv").write_text(HEADER + ROWS)
    counts = run_import("import_dataset", "online-retail", tmp_path, "--dry-run")
    assert counts == {"items": (2, 2, 0, 0), "events": (12, 6, 0, 6)}
    assert not Item.objects.exists()
    assert not Event.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("header", "times", "day"),
    [
        (HEADER_II, ["2009-12-01 07:45:00", "2009-12-13 07:45:00"], 1),
        (HEADER, ["12/1/2010 8:26", "12/13/2010 8:26"], 1),
        (HEADER_II, ["01/12/2009 07:45", "13/12/2009 07:45"], 1),
    ],
)
def test_every_published_form_of_headers_and_times_is_read(
    tmp_path: Path, run_import: Run, header: str, times: list[str], day: int
) -> None:
    rows = "".join(f"49000{n},79323P,PINK CHERRY LIGHTS,12,{time},6.75,13085,X\n" for n, time in enumerate(times))
    assert _import(tmp_path, run_import, header + rows, "online_retail_II.csv")["events"] == (2, 2, 0, 0)
    first = Event.objects.order_by("occurred_at")[0].occurred_at
    assert (first.month, first.day) == (12, day)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("WHITE HANGING HEART T-LIGHT HOLDER", True),
        ("FOLK ART GREETING CARD,pack/12", True),
        ("Dr. Jam's Arouzer Stress Ball", True),
        ("LOST AND FOUND SIGN", True),
        ("SOMBRERO", True),
        ("", False),
        ("?", False),
        ("???missing", False),
        ("damaged", False),
        ("wrongly coded 20713", False),
        ("Unsaleable, destroyed.", False),
        ("CHECK", False),
        ("20713", False),
        ("had been put aside", False),
    ],
)
def test_a_title_is_a_name_and_no_note(text: str, expected: bool) -> None:
    assert is_title(text) is expected


@pytest.mark.django_db
def test_a_file_of_something_else_is_refused(tmp_path: Path, run_import: Run) -> None:
    from django.core.management import CommandError

    with pytest.raises(CommandError, match="has no column for: time, price"):
        _import(tmp_path, run_import, "InvoiceNo,StockCode,Description,Quantity,CustomerID\n1,2,3,4,5\n")


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.django_db
def test_the_real_year_is_accounted_for_row_by_row(tmp_path: Path, run_import: Run) -> None:
    (tmp_path / "online_retail.csv.gz").symlink_to(real_data("online-retail", "online_retail.csv.gz"))
    counts = run_import("import_dataset", "online-retail", tmp_path)
    assert counts == {"items": (3811, 3811, 0, 0), "events": (541_909, 536_415, 0, 5_494)}
    assert Item.objects.get(external_id="85123A").title == "WHITE HANGING HEART T-LIGHT HOLDER"
    assert not Item.objects.filter(external_id__in=["POST", "M", "DOT", "AMAZONFEE"]).exists()
