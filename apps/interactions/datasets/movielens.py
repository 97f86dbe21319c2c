"""MovieLens: ml-100k, ml-1m, ml-10m and the CSV editions (ml-20m, ml-25m, ml-latest, …)."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from apps.catalog.importing.files import ByteFile, UnreadableFile
from apps.catalog.importing.item_rows import item_entry
from apps.catalog.importing.rows import Table
from apps.catalog.importing.storing import Entry
from apps.catalog.importing.text_tables import CsvTable, PlainTable
from apps.catalog.item_input import ItemInput
from apps.interactions.datasets.registry import DATASETS, EventPart, ItemPart, find_file, need_file
from apps.interactions.importing.event_rows import EventDraft
from apps.plugins import ComponentConfig

_GENRES_100K = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
_RATINGS = ("userId", "movieId", "rating", "timestamp")
_MOVIES = ("movieId", "title", "genres")
_MOVIES_100K = ("movieId", "title", "released", "video released", "url", *_GENRES_100K)
_YEAR = re.compile(r"\((\d{4})\)\s*$")
_NO_GENRES = {"", "unknown", "(no genres listed)"}


@DATASETS.register("movielens")
class MovieLens:
    """PATH is the folder of one edition, as it comes out of its archive.

    A movie is an item whose genres are its categories, published on the first day of the year in its title.
    A rating is a rate event at its own time; its value is the number of stars.
    """

    class Config(ComponentConfig):
        pass

    def __init__(self, config: Config) -> None:
        pass

    def parts(self, path: Path) -> list[ItemPart | EventPart]:
        if path.is_file():
            path = path.parent
        movies, ratings = _edition(path)
        for table in (movies, ratings):
            table.check()
        return [
            ItemPart("items", movies, lambda: _items(movies)),
            EventPart("events", ratings, lambda: _events(ratings)),
        ]


def _edition(path: Path) -> tuple[Table, Table]:
    def plain(columns: tuple[str, ...], separator: str) -> Callable[[Path], Table]:
        return lambda file: PlainTable(
            ByteFile(str(file)), columns=columns, separator=separator, encoding=_encoding(file)
        )

    def with_header(file: Path) -> Table:
        return CsvTable(ByteFile(str(file)))

    editions = (
        ("ratings.csv", with_header, "movies.csv", with_header),
        ("ratings.dat", plain(_RATINGS, "::"), "movies.dat", plain(_MOVIES, "::")),
        ("u.data", plain(_RATINGS, "\t"), "u.item", plain(_MOVIES_100K, "|")),
    )
    for ratings_name, ratings, movies_name, movies in editions:
        if found := find_file(path, ratings_name):
            return movies(need_file(path, movies_name)), ratings(found)
    raise UnreadableFile(f"{path} holds none of ratings.csv, ratings.dat, u.data.")


def _encoding(file: Path) -> str:
    """UTF-8, as ml-10m is, or else Latin-1, as the older editions are. Reads the file once."""
    try:
        for line in ByteFile(str(file)).lines(label="encoding"):
            line.decode()
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _items(table: Table) -> Iterator[Entry[ItemInput]]:
    for row in table.rows(label="movies"):
        if row.problem:
            yield Entry(row, None, row.problem)
            continue
        movie = row.values
        if "genres" in movie:
            genres = movie["genres"].split("|")
        else:
            genres = [genre for genre in _GENRES_100K if movie.get(genre) == "1"]
        year = _YEAR.search(movie["title"])
        published = datetime(int(year[1]), 1, 1, tzinfo=UTC) if year and int(year[1]) >= 1900 else None
        fields = {
            "item_id": movie["movieId"],
            "title": movie["title"],
            "categories": [[genre] for genre in genres if genre not in _NO_GENRES],
            "published_at": published,
        }
        yield item_entry(row.line, fields)._replace(row=row)


def _events(table: Table) -> Iterator[Entry[EventDraft]]:
    for row in table.rows(label="ratings"):
        if row.problem:
            yield Entry(row, None, row.problem)
            continue
        user, movie, stamp = row.values["userId"], row.values["movieId"], row.values["timestamp"]
        if not stamp.isdigit():
            yield Entry(row, None, f"not a time: {stamp[:50]!r}")
            continue
        said = {
            "event_type": "rate",
            "user_id": user,
            "item_id": movie,
            "occurred_at": int(stamp),
            "value": row.values["rating"],
        }
        yield Entry(row, EventDraft(said, f"movielens:{user}:{movie}"))
