"""`import_items`: whatever the format, the catalog ends up the same, and a second import changes nothing."""

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command

from apps.catalog.models import Item, ItemChange

pytestmark = pytest.mark.django_db

Run = Callable[..., dict[str, Any]]

ITEMS = [
    {
        "item_id": "a",
        "title": "Große Tasse ☕",
        "categories": ["Kitchen > Mugs", "Gifts"],
        "tags": ["blue", "tea"],
        "price": "12.50",
        "stock": 3,
        "available": True,
        "attributes": {"ml": 300},
        "published_at": "2024-05-01",
    },
    {"item_id": "b", "title": "1984", "price": "0", "available": False, "parent_id": "c"},
    {"item_id": "c", "title": "Book"},
]


def _csv(path: Path) -> Path:
    names = sorted({name for item in ITEMS for name in item})
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for item in ITEMS:
            cells: dict[str, Any] = dict(item)
            cells["available"] = "yes" if item.get("available", True) else "no"
            for name in ("categories", "tags"):
                cells[name] = "|".join(item.get(name, []))  # type: ignore[arg-type]
            cells["attributes"] = json.dumps(item["attributes"]) if "attributes" in item else ""
            writer.writerow(cells)
    return path


def _jsonl(path: Path) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in ITEMS))
    return path


def _parquet(path: Path) -> Path:
    names = sorted({name for item in ITEMS for name in item})
    pq.write_table(pa.Table.from_pylist([{name: item.get(name) for name in names} for item in ITEMS]), path)
    return path


def _catalog() -> list[Any]:
    columns = ("external_id", "title", "price", "stock", "available", "tags", "attributes", "published_at")
    rows = Item.objects.order_by("external_id").values_list(*columns, "parent__external_id")
    paths = Item.categories.through.objects.order_by("item__external_id", "category__name")
    return [*rows, *paths.values_list("item__external_id", "category__name", "category__parent__name")]


def test_csv_json_lines_and_parquet_give_the_same_catalog(tmp_path: Path, run_import: Run) -> None:
    made = []
    for file in (_csv(tmp_path / "i.csv"), _jsonl(tmp_path / "i.jsonl"), _parquet(tmp_path / "i.parquet")):
        assert run_import("import_items", file) == {"": (3, 3, 0, 0)}, file
        made.append(_catalog())
        Item.objects.update(parent=None)
        Item.objects.all().delete()
    assert made[0] == made[1] == made[2]
    assert ("a", "Mugs", "Kitchen") in made[0]


def test_a_second_import_stores_nothing(tmp_path: Path, run_import: Run) -> None:
    file = _jsonl(tmp_path / "i.jsonl")
    run_import("import_items", file)
    before = (_catalog(), ItemChange.objects.count())
    assert run_import("import_items", file) == {"": (3, 0, 3, 0)}
    assert (_catalog(), ItemChange.objects.count()) == before


def test_a_dry_run_counts_and_stores_nothing(tmp_path: Path, run_import: Run) -> None:
    assert run_import("import_items", _jsonl(tmp_path / "i.jsonl"), "--dry-run") == {"": (3, 3, 0, 0)}
    assert not Item.objects.exists()
    assert not ItemChange.objects.exists()


def test_a_variant_may_stand_many_batches_before_its_parent(tmp_path: Path, run_import: Run) -> None:
    file = tmp_path / "i.csv"
    file.write_text("item_id,title,parent_id\nv,V,p\nw,W,nowhere\na,A,\nb,B,\np,P,\n")
    assert run_import("import_items", file, "--batch", "1") == {"": (5, 4, 0, 1)}
    assert Item.objects.get(external_id="v").parent.external_id == "p"
    [refused] = _rejects(file)
    assert (refused["line"], refused["row"]) == ("3", "w,W,nowhere")
    assert "nowhere" in refused["reason"]


def test_refused_rows_are_written_down_with_line_reason_and_row(tmp_path: Path, run_import: Run) -> None:
    file = tmp_path / "i.csv"
    file.write_bytes(b"item_id,title,price\na,Fine,1\nb,,2\nc,Dear,-1\nd,caf\xe9,1\ne,x,1,1\na,Fine,1.00\na,Other,1\n")
    assert run_import("import_items", file) == {"": (7, 1, 1, 5)}
    refused = _rejects(file)
    assert [row["line"] for row in refused] == ["3", "4", "5", "6", "8"]
    assert refused[0]["reason"] == "title: This field is required."
    assert refused[1]["reason"] == "price: A price must not be negative."
    assert refused[2] == {"line": "5", "reason": "not UTF-8", "row": r"d,caf\xe9,1"}
    assert refused[4] == {"line": "8", "reason": "item_id: line 2 says something else about 'a'", "row": "a,Other,1"}

    file.write_text("item_id,title\na,Fine\n")
    run_import("import_items", file)
    assert not (tmp_path / "i.csv.rejects.csv").exists()


def test_columns_are_mapped_and_the_others_named_once(tmp_path: Path) -> None:
    file = tmp_path / "i.csv"
    file.write_text("SKU;Name;Colour\nx;Lamp;red\n")
    err = io.StringIO()
    call_command(
        "import_items", str(file), "--map", "item_id=SKU", "--set", "currency=EUR", stdout=io.StringIO(), stderr=err
    )
    item = Item.objects.get(external_id="x")
    assert (item.title, item.currency) == ("Lamp", "EUR")
    assert err.getvalue().count("Colour") == 1


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--map=sku=SKU", "no field 'sku'. Fields: item_id, title"),
        ("--map=item_id", "write --map field=Column"),
        ("--map=item_id=Nope", "no column 'Nope'. Columns: SKU, title"),
        ("--set=colour=red", "no field 'colour'"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused(tmp_path: Path, option: str, said: str) -> None:
    file = tmp_path / "i.csv"
    file.write_text("SKU,title\nx,Lamp\n")
    with pytest.raises(CommandError, match=said):
        call_command("import_items", str(file), option)
    assert not Item.objects.exists()


def test_standard_input_is_read_with_a_format(run_import: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(b"item_id,title\nx,Lamp\n"))))
    assert run_import("import_items", "-", "--format", "csv") == {"": (1, 1, 0, 0)}
    with pytest.raises(CommandError, match="add --format csv"):
        run_import("import_items", "-")


def test_a_missing_file_is_one_line(tmp_path: Path, run_import: Run) -> None:
    with pytest.raises(CommandError, match=r"absent\.csv: no such file\.$"):
        run_import("import_items", tmp_path / "absent.csv")


def _rejects(file: Path) -> list[dict[str, str]]:
    with Path(f"{file}.rejects.csv").open(newline="") as rejects:
        return list(csv.DictReader(rejects))
