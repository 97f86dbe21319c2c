"""Sets in the published split of LightGCN: Gowalla, Yelp2018, Amazon-Book."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from apps.catalog.importing.files import ByteFile
from apps.catalog.importing.item_rows import item_entry
from apps.catalog.importing.rows import Row
from apps.catalog.importing.storing import Entry
from apps.catalog.item_input import ItemInput
from apps.interactions.datasets.registry import DATASETS, EventPart, ItemPart, find_file, need_file
from apps.interactions.importing.event_rows import EventDraft
from apps.plugins import ComponentConfig

TRAIN_DAY = datetime(2020, 1, 1, tzinfo=UTC)
TEST_DAY = datetime(2020, 3, 1, tzinfo=UTC)


class PairsTable:
    """Lines of numbers, `user item item …`: one row for each user and item."""

    sparse = False

    def __init__(self, file: ByteFile) -> None:
        self._file = file
        self.name = file.name

    def check(self) -> None:
        self._file.check()

    def rows(self, *, label: str = "") -> Iterator[Row]:
        for number, line in enumerate(self._file.lines(label=label), 1):
            user, *items = line.decode("ascii", errors="backslashreplace").split() or [""]
            for item in items:
                if user.isdigit() and item.isdigit():
                    yield Row(number, {"user": user, "item": item})
                else:
                    wrong = item if user.isdigit() else user
                    yield Row(number, {"": f"{user} {item}"}, f"not a number: {wrong[:50]!r}")

    def raw(self, row: Row) -> str:
        return " ".join(row.values.values())


@DATASETS.register("lightgcn")
class LightGCN:
    """PATH is a folder with train.txt and test.txt (each may be gzipped, test.txt may lack), or one such file.

    Every pair is one view_item event. The set has no times, so there is a convention: all of train.txt happened at
    2020-01-01 00:00 UTC and all of test.txt at 2020-03-01 00:00 UTC. Holding out the last 1 to 59 days therefore
    gives the published split. A single file counts as train.txt. Items are called "Item 123".
    """

    class Config(ComponentConfig):
        pass

    def __init__(self, config: Config) -> None:
        pass

    def parts(self, path: Path) -> list[ItemPart | EventPart]:
        if path.is_file():
            files = [("train", path, TRAIN_DAY)]
        else:
            files = [("train", need_file(path, "train.txt"), TRAIN_DAY)]
            test = find_file(path, "test.txt")
            files += [("test", test, TEST_DAY)] if test else []
        tables = [(name, PairsTable(ByteFile(str(file))), day) for name, file, day in files]
        for _, table, _ in tables:
            table.check()
        items = ItemPart("items", tables[0][1], lambda: _items([table for _, table, _ in tables]))
        return [items, *(_events(name, table, day) for name, table, day in tables)]


def _items(tables: list[PairsTable]) -> Iterator[Entry[ItemInput]]:
    found = {row.values["item"] for table in tables for row in table.rows(label="items") if not row.problem}
    for number, item in enumerate(sorted(found, key=int), 1):
        yield item_entry(number, {"item_id": item, "title": f"Item {item}", "published_at": TRAIN_DAY})


def _events(name: str, table: PairsTable, day: datetime) -> EventPart:
    def entries() -> Iterator[Entry[EventDraft]]:
        for row in table.rows(label=f"{name} events"):
            if row.problem:
                yield Entry(row, None, row.problem)
                continue
            user, item = row.values["user"], row.values["item"]
            said = {"event_type": "view_item", "user_id": user, "item_id": item, "occurred_at": day}
            yield Entry(row, EventDraft(said, f"lightgcn:{name}:{user}:{item}"))

    return EventPart(f"{name} events", table, entries)
