"""A message broker made of files, for the embedded default: nothing to install, shared by processes of one machine.

Kombu's own file-system transport lets a reader see a message that is half written, and moves it to the temporary
folder, which need not be on the same disk. Here a message appears, and is taken, by a rename.
"""

import fcntl
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem
from kombu.utils.json import dumps, loads


class Channel(filesystem.Channel):
    """Messages are files `<time>_<id>.<queue>.msg` in one folder; a dot in front hides one that is in the making."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("data_folder_in", "control_folder"):
            Path(self.transport_options[name]).mkdir(parents=True, exist_ok=True)
        self._folder = Path(self.transport_options["data_folder_in"])

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]  # its parents disagree
        name = f"{time.time_ns():020d}_{uuid.uuid4().hex}.{queue}.msg"
        hidden = self._folder / f".{name}"
        hidden.write_text(dumps(payload), encoding="utf-8")
        hidden.rename(self._folder / name)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        waiting = (path for path in self._folder.iterdir() if path.name.partition(".")[2] == f"{queue}.msg")
        for path in sorted(waiting):
            taken = self._folder / f".taken-{path.name}"
            try:
                path.rename(taken)
            except FileNotFoundError:
                continue  # another worker was faster
            payload = taken.read_text(encoding="utf-8")
            taken.unlink()
            return loads(payload)
        raise Empty()

    def get_table(self, exchange: str) -> Any:
        with self._table_lock():
            return super().get_table(exchange)

    def _queue_bind(self, *args: Any) -> None:
        with self._table_lock():
            super()._queue_bind(*args)

    @contextmanager
    def _table_lock(self) -> Iterator[None]:
        """Keep other processes from reading the table of queues while it is being written."""
        with (Path(self.transport_options["control_folder"]) / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


class Transport(filesystem.Transport):
    """What `filesystem://` stands for here."""

    Channel = Channel
