"""goodbooks-10k: ten thousand books, their readers' ratings and shelves."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from apps.catalog.importing.files import UnreadableFile
from apps.catalog.importing.item_rows import item_entry
from apps.catalog.importing.rows import Row, Table
from apps.catalog.importing.storing import Entry
from apps.catalog.importing.tables import open_table
from apps.catalog.item_input import ItemInput
from apps.interactions.datasets.registry import DATASETS, EventPart, ItemPart, find_file, need_file
from apps.interactions.importing.event_rows import EventDraft
from apps.plugins import ComponentConfig

FIRST_DAY = datetime(2015, 9, 1, tzinfo=UTC)
BETWEEN_RATINGS = timedelta(seconds=10)
BETWEEN_SHELVINGS = timedelta(minutes=1)
CATEGORIES = {
    "art": "Art",
    "biography": "Biography",
    "business": "Business",
    "chick-lit": "Chick Lit",
    "children-s": "Children's",
    "childrens": "Children's",
    "children": "Children's",
    "christian": "Christian",
    "classics": "Classics",
    "comics": "Comics",
    "contemporary": "Contemporary",
    "cookbooks": "Cookbooks",
    "crime": "Crime",
    "fantasy": "Fantasy",
    "fiction": "Fiction",
    "graphic-novels": "Graphic Novels",
    "historical-fiction": "Historical Fiction",
    "history": "History",
    "horror": "Horror",
    "humor": "Humor",
    "manga": "Manga",
    "memoir": "Memoir",
    "music": "Music",
    "mystery": "Mystery",
    "non-fiction": "Nonfiction",
    "nonfiction": "Nonfiction",
    "paranormal": "Paranormal",
    "philosophy": "Philosophy",
    "poetry": "Poetry",
    "psychology": "Psychology",
    "religion": "Religion",
    "romance": "Romance",
    "sci-fi": "Science Fiction",
    "science": "Science",
    "science-fiction": "Science Fiction",
    "self-help": "Self Help",
    "spirituality": "Spirituality",
    "sports": "Sports",
    "suspense": "Suspense",
    "thriller": "Thriller",
    "travel": "Travel",
    "young-adult": "Young Adult",
}
_SHELVES = ("read", "own", "favorite", "favourite", "book", "wish", "library", "kindle", "shelf", "audio", "default")
_TAGS_KEPT = 10
_CATEGORIES_KEPT = 4


@DATASETS.register("goodbooks")
class Goodbooks:
    """PATH is the folder with books.csv; tags.csv with book_tags.csv, ratings.csv and to_read.csv as they are there.

    - A book is an item with the id that ratings.csv uses (book_id; `id` in the first edition of the set). Its
      authors are its brand. The genres among its most frequent tags become its categories (at most 4), other tags
      its tags (at most 10); shelves such as "to-read" are neither. Without book_tags.csv there are no categories.
    - A rating is a rate event, a book to read a like event. Neither has a time; the files are in order of time,
      so the n-th rating is put n · 10 seconds after 2015-09-01, the n-th book to read n minutes after it.
    """

    class Config(ComponentConfig):
        pass

    def __init__(self, config: Config) -> None:
        pass

    def parts(self, path: Path) -> list[ItemPart | EventPart]:
        if path.is_file():
            path = path.parent
        books = open_table(str(need_file(path, "books.csv")))
        tag_files = [find_file(path, name) for name in ("tags.csv", "book_tags.csv")]
        tag_tables = [open_table(str(file)) for file in tag_files if file]
        parts: list[ItemPart | EventPart] = [
            ItemPart("items", books, lambda: _books(books, tag_tables if len(tag_tables) == 2 else [])),
        ]
        if ratings := find_file(path, "ratings.csv"):
            parts.append(_event_part("ratings", open_table(str(ratings)), _rating))
        if to_read := find_file(path, "to_read.csv"):
            parts.append(_event_part("to read", open_table(str(to_read)), _shelving))
        return parts


def _books(table: Table, tag_tables: list[Table]) -> Iterator[Entry[ItemInput]]:
    tags = _tags_of_books(*tag_tables) if tag_tables else {}
    for row in table.rows(label="books"):
        if row.problem:
            yield Entry(row, None, row.problem)
            continue
        book = row.values
        goodreads = book.get("goodreads_book_id") or book.get("book_id", "")
        authors, year = book.get("authors", ""), _year(book.get("original_publication_year", ""))
        names = tags.get(goodreads, [])
        entry = item_entry(
            row.line,
            {
                "item_id": book.get("id") or book.get("book_id", ""),
                "title": book.get("title") or book.get("original_title", ""),
                "description": f"By {authors}." if authors else "",
                "brand": authors.split(",")[0].strip()[:255],
                "categories": _categories(names),
                "tags": [name for name in names if name not in CATEGORIES][:_TAGS_KEPT],
                "url": f"https://www.goodreads.com/book/show/{goodreads}" if goodreads else "",
                "image_url": book.get("image_url", ""),
                "published_at": datetime(max(year, 1900), 1, 1, tzinfo=UTC) if year else None,
                "attributes": {"authors": authors, "year": year, "language": book.get("language_code", "")},
            },
        )
        yield entry._replace(row=row)


def _tags_of_books(tags: Table, book_tags: Table) -> dict[str, list[str]]:
    """The names of every book's tags (by its Goodreads id), most frequent first, shelves left out."""
    names = {}
    for row in tags.rows(label="tags"):
        name = row.values.get("tag_name", "").strip("-")
        if any(letter.isalpha() for letter in name) and not any(word in name for word in _SHELVES):
            names[row.values.get("tag_id", "")] = name
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for row in book_tags.rows(label="book tags"):
        name = names.get(row.values.get("tag_id", ""))
        count = row.values.get("count", "")
        if name and count.isdigit():
            found[row.values.get("goodreads_book_id") or row.values.get("book_id", "")].append((-int(count), name))
    return {book: [name for _, name in sorted(pairs)] for book, pairs in found.items()}


def _categories(names: list[str]) -> list[list[str]]:
    return [[name] for name in list(dict.fromkeys(CATEGORIES[n] for n in names if n in CATEGORIES))[:_CATEGORIES_KEPT]]


def _event_part(name: str, table: Table, said_of: Callable[[dict[str, Any], int], dict[str, Any]]) -> EventPart:
    kind = name.replace(" ", "-")

    def entries() -> Iterator[Entry[EventDraft]]:
        for row in table.rows(label=name):
            if row.problem:
                yield Entry(row, None, row.problem)
                continue
            user, book = row.values["user_id"], row.values["book_id"]
            said = {"user_id": user, "item_id": book} | said_of(row.values, _place(row))
            yield Entry(row, EventDraft(said, f"goodbooks:{kind}:{user}:{book}"))

    first = next(table.rows(), None)
    if first and not first.problem and not {"user_id", "book_id"} <= first.values.keys():
        raise UnreadableFile(f"{table.name} lacks user_id or book_id.")
    return EventPart(name, table, entries)


def _rating(values: dict[str, Any], place: int) -> dict[str, Any]:
    return {
        "event_type": "rate",
        "occurred_at": FIRST_DAY + place * BETWEEN_RATINGS,
        "value": values.get("rating", ""),
    }


def _shelving(values: dict[str, Any], place: int) -> dict[str, Any]:
    return {"event_type": "like", "occurred_at": FIRST_DAY + place * BETWEEN_SHELVINGS}


def _place(row: Row) -> int:
    return row.line - 1


def _year(cell: str) -> int | None:
    try:
        return min(int(float(cell)), 2100)
    except ValueError:
        return None
