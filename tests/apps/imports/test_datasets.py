"""The other public data sets, from small samples in their published forms and from the real folders."""

import csv
import gzip
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from apps.catalog.models import Item
from apps.interactions.datasets.registry import DATASETS, EventPart, ItemPart
from apps.interactions.models import Event
from tests.real_data import real_data

Run = Callable[..., dict[str, Any]]


def _events() -> set[tuple[Any, ...]]:
    columns = ("user__external_id", "item__external_id", "event_type__name", "occurred_at", "value")
    return set(Event.objects.values_list(*columns))


def _categories(item: str) -> set[str]:
    return set(Item.objects.get(external_id=item).categories.values_list("name", flat=True))


@pytest.mark.django_db
def test_lightgcn_puts_the_test_part_after_the_training_part(tmp_path: Path, run_import: Run) -> None:
    (tmp_path / "train.txt").write_text("0 0 1 2\n1 2\n2 x 1\n")
    (tmp_path / "test.txt.gz").write_bytes(gzip.compress(b"0 3\n1\n"))
    assert run_import("import_dataset", "lightgcn", tmp_path) == {
        "items": (4, 4, 0, 0),
        "train events": (6, 5, 0, 1),
        "test events": (1, 1, 0, 0),
    }
    with (tmp_path / "train.txt.rejects.csv").open(newline="") as rejects:
        assert list(csv.DictReader(rejects)) == [{"line": "3", "reason": "not a number: 'x'", "row": "2 x"}]
    held_out = Event.objects.get(item__external_id="3")
    earlier = Event.objects.exclude(pk=held_out.pk).values_list("occurred_at", flat=True)
    for days in (1, 30, 59):
        assert all(held_out.occurred_at - timedelta(days=days) > at for at in earlier)
    again = run_import("import_dataset", "lightgcn", tmp_path)
    assert [stored for _, stored, _, _ in again.values()] == [0, 0, 0]


GOODBOOKS = {
    "books.csv": (
        "book_id,goodreads_book_id,authors,original_publication_year,original_title,title,language_code,image_url\n"
        '1,2767052,"Suzanne Collins, N. N.",2008.0,The Hunger Games,"The Hunger Games (#1)",eng,https://x.org/1.jpg\n'
        "2,3,Homer,-750.0,,Odyssey,eng,\n"
    ),
    "tags.csv": "tag_id,tag_name\n1,to-read\n2,sci-fi\n3,dystopia\n4,fantasy\n",
    "book_tags.csv": (
        "goodreads_book_id,tag_id,count\n2767052,1,999\n2767052,4,10\n2767052,2,90\n2767052,3,50\n3,4,7\n"
    ),
    "ratings.csv": "user_id,book_id,rating\n7,1,5\n8,2,3\n8,99,3\n",
    "to_read.csv": "user_id,book_id\n7,2\n",
}


@pytest.mark.django_db
def test_goodbooks_in_its_published_form(tmp_path: Path, run_import: Run) -> None:
    for name, text in GOODBOOKS.items():
        (tmp_path / name).write_text(text)
    assert run_import("import_dataset", "goodbooks", tmp_path) == {
        "items": (2, 2, 0, 0),
        "ratings": (3, 2, 0, 1),
        "to read": (1, 1, 0, 0),
    }
    book = Item.objects.get(external_id="1")
    assert (book.title, book.brand, book.tags) == ("The Hunger Games (#1)", "Suzanne Collins", ["dystopia"])
    assert _categories("1") == {"Science Fiction", "Fantasy"}
    start = datetime(2015, 9, 1, tzinfo=UTC)
    assert _events() == {
        ("7", "1", "rate", start + timedelta(seconds=10), 5),
        ("8", "2", "rate", start + timedelta(seconds=20), 3),
        ("7", "2", "like", start + timedelta(minutes=1), None),
    }


MOVIELENS = {
    "ml-100k": {
        "u.item": b"1|Caf\xe9 (1995)|01-Jan-1995||http://x|0|1|0|1" + b"|0" * 15 + b"\n",
        "u.data": b"196\t1\t3\t881250949\n",
    },
    "ml-1m": {
        "movies.dat": b"1::Caf\xe9 (1995)::Action|Animation\n",
        "ratings.dat": b"196::1::3::881250949\n",
    },
    "ml-25m": {
        "movies.csv": "movieId,title,genres\n1,Café (1995),Action|Animation\n".encode(),
        "ratings.csv": b"userId,movieId,rating,timestamp\n196,1,3.0,881250949\n",
    },
}


@pytest.mark.django_db
@pytest.mark.parametrize("edition", sorted(MOVIELENS))
def test_every_edition_of_movielens_says_the_same(tmp_path: Path, run_import: Run, edition: str) -> None:
    for name, content in MOVIELENS[edition].items():
        (tmp_path / name).write_bytes(content)
    assert run_import("import_dataset", "movielens", tmp_path) == {"items": (1, 1, 0, 0), "events": (1, 1, 0, 0)}
    movie = Item.objects.get(external_id="1")
    assert (movie.title, movie.published_at) == ("Café (1995)", datetime(1995, 1, 1, tzinfo=UTC))
    assert _categories("1") == {"Action", "Animation"}
    assert _events() == {("196", "1", "rate", datetime(1997, 12, 4, 15, 55, 49, tzinfo=UTC), 3)}


@pytest.mark.parametrize("name", list(DATASETS))
def test_a_folder_without_the_data_set_is_one_clear_line(tmp_path: Path, run_import: Run, name: str) -> None:
    with pytest.raises(CommandError, match=r"holds no.*\.$"):
        run_import("import_dataset", name, tmp_path)
    with pytest.raises(CommandError, match="no such file or folder"):
        run_import("import_dataset", name, tmp_path / "absent")


@pytest.mark.real_data
@pytest.mark.django_db
def test_the_real_books_are_all_items(tmp_path: Path, run_import: Run) -> None:
    for name in ("books.csv", "tags.csv"):
        (tmp_path / name).symlink_to(real_data("goodbooks", name))
    assert run_import("import_dataset", "goodbooks", tmp_path) == {"": (10_000, 10_000, 0, 0)}


@pytest.mark.real_data
def test_gowalla_has_the_published_counts() -> None:
    parts: list[ItemPart | EventPart] = DATASETS.create("lightgcn").parts(real_data("gowalla"))
    counts = {part.name: sum(not entry.problem for entry in part.entries()) for part in parts}
    assert counts == {"items": 40_981, "train events": 810_128, "test events": 217_242}
