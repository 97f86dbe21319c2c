"""What a data set is: parts of items and events, each read from a file."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from apps.catalog.importing.files import UnreadableFile
from apps.catalog.importing.rows import Table
from apps.catalog.importing.storing import Entry
from apps.catalog.item_input import ItemInput
from apps.interactions.importing.event_rows import EventDraft
from apps.plugins import ComponentConfig, Registry


@dataclass(frozen=True)
class ItemPart:
    """Items of a data set. `table` is what they are read from; its name is where refused rows are reported."""

    name: str
    table: Table
    entries: Callable[[], Iterator[Entry[ItemInput]]]


@dataclass(frozen=True)
class EventPart:
    """Events of a data set."""

    name: str
    table: Table
    entries: Callable[[], Iterator[Entry[EventDraft]]]


class Dataset(Protocol):
    """A public data set. The class's docstring tells how its rows become items and events."""

    Config: type[ComponentConfig]

    def __init__(self, config: Any) -> None: ...

    def parts(self, path: Path) -> list[ItemPart | EventPart]:
        """The parts in the order in which they must be stored. Raises UnreadableFile where files are missing."""


DATASETS: Registry[Any] = Registry("dataset", "apps.interactions.datasets")


def find_file(path: Path, *names: str) -> Path | None:
    """The first of `names`, plain or with .gz, in the folder `path`; letter case does not matter."""
    try:
        there = {file.name.lower(): file for file in path.iterdir()}
    except FileNotFoundError:
        raise UnreadableFile(f"{path}: no such file or folder.") from None
    except OSError as error:
        raise UnreadableFile(f"{path}: {error.strerror}.") from None
    for name in names:
        for wanted in (name.lower(), f"{name.lower()}.gz"):
            if wanted in there:
                return there[wanted]
    return None


def need_file(path: Path, *names: str) -> Path:
    """The same, raising UnreadableFile where there is none."""
    found = find_file(path, *names)
    if found is None:
        raise UnreadableFile(f"{path} holds no {' and no '.join(names)}.")
    return found
