"""Large catalogs on disk: immutable directories `VAR_DIR/catalog/<identity>-<revision>/`, shared by all processes.

A generation is the catalog as of a revision, as arrays that processes map into memory. It is written beside its final
place, synced and renamed, so it is there whole or not at all, and is never written to again: a process that appends to
a mapped column changes pages of its own. One process writes at a time, under a lock that dies with it. A generation
only saves reading the database: whatever is wrong with one, it is left aside and another is made.
"""

import fcntl
import json
import mmap
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import structlog
from django.conf import settings
from numpy.typing import NDArray

from apps.catalog.selectors import ItemColumns
from apps.recommend.catalog.growing import Column, room_for
from apps.recommend.catalog.memberships import Memberships
from apps.recommend.catalog.reading import CatalogReader
from apps.recommend.catalog.stored_fields import read_fields, write_fields
from apps.recommend.catalog.texts import TextBlock, Texts
from apps.recommend.live_catalog import COLUMNS, LiveCatalog

log = structlog.get_logger(__name__)

FORMAT = 1
KEPT = 2  # generations of one catalog; what a process has open it keeps, whether or not it is still there
FOREIGN_KEPT_SECONDS = 7 * 86_400  # for other catalogs' generations: a database that was emptied leaves some behind

_MANIFEST = "manifest.json"
_TEXTS, _FIELDS = "texts.bin", "fields.bin"
_NAME = re.compile(r"([0-9a-f]{32})-(\d{1,19})")
_GROWING = {name: np.dtype(kind) for name, kind in COLUMNS.items()}
_MEMBERSHIPS = {"starts": np.dtype(np.int32), "columns": np.dtype(np.int32), "ones": np.dtype(np.float32)}
_BY_CATEGORY = ("category_ids", "category_indices", "category_indptr")
_BLOCK = ("text_starts", "text_lengths", "text_hashes", "text_hashed")


class DamagedGeneration(Exception):
    """A generation's directory is gone, incomplete or of another format."""


@dataclass(frozen=True)
class Generation:
    """One directory."""

    identity: str  # of the catalog; see `catalog_identity`
    revision: int

    @property
    def path(self) -> Path:
        return folder() / f"{self.identity}-{self.revision}"


def folder() -> Path:
    """Where the generations of this machine are."""
    return Path(settings.VAR_DIR) / "catalog"


def stored(identity: str) -> list[Generation]:
    """The catalog's generations, newest first. One listing of a folder."""
    try:
        names = [entry.name for entry in os.scandir(folder())]
    except FileNotFoundError:
        return []
    matches = [match for name in names if (match := _NAME.fullmatch(name)) and match[1] == identity]
    return [Generation(identity, revision) for revision in sorted((int(match[2]) for match in matches), reverse=True)]


@contextmanager
def sole_writer(*, wait: bool) -> Iterator[bool]:
    """Whether this process is the one that may write now; with `wait` it becomes that one in the end."""
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


def write(catalog: LiveCatalog, identity: str, marks: Mapping[int, str]) -> Generation:
    """Store `catalog` and return where it is. Only for the sole writer.

    Afterwards what is older than KEPT generations is gone, and what killed writers left behind. About 400 bytes an
    item, and 2 s for a million of them.
    """
    generation = Generation(identity, catalog.revision)
    for path in folder().glob(".*"):
        shutil.rmtree(path, ignore_errors=True)
    unfinished = folder() / f".unfinished-{secrets.token_hex(4)}"
    unfinished.mkdir(parents=True)
    try:
        _write_files(catalog, unfinished, marks)
        if generation.path.exists():
            remove(generation)
        unfinished.rename(generation.path)
        _sync(folder())
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    _prune(identity)
    return generation


def read_marks(generation: Generation) -> dict[int, str]:
    """What the last changes in it were. Raises DamagedGeneration."""
    return {int(at): str(mark) for at, mark in _manifest(generation)["marks"].items()}


def open_generation(generation: Generation) -> LiveCatalog:
    """The stored catalog, mapped into memory. Raises DamagedGeneration."""
    manifest = _manifest(generation)
    sizes = manifest["sizes"]
    try:
        growing = {name: _mapped(generation.path, name, kind, sizes[name]) for name, kind in _GROWING.items()}
        pairs = {name: _mapped(generation.path, name, kind, sizes[name]) for name, kind in _MEMBERSHIPS.items()}
        ids, indices, indptr = (_array(generation.path, name) for name in _BY_CATEGORY)
        block = [_array(generation.path, name) for name in _BLOCK]
        content = _content(generation.path / _TEXTS, manifest["bytes"])
        fields = read_fields(_content(generation.path / _FIELDS, manifest["bytes"]), manifest["fields"])
    except (OSError, ValueError, KeyError) as problem:
        raise DamagedGeneration(f"{generation.path.name} cannot be opened ({problem}).") from problem
    return LiveCatalog.new(
        growing,
        revision=generation.revision,
        memberships=Memberships(ids, **pairs).with_by_category(indices, indptr),
        texts=Texts.of(TextBlock(content, growing["ids"].values, *block)),
        fields=fields,
        homeless={int(row): parent for row, parent in manifest["homeless"].items()},
        stored=generation,
    )


def remove(generation: Generation) -> None:
    """Delete the directory. Processes that have it open keep what they have."""
    doomed = folder() / f".gone-{secrets.token_hex(4)}"
    try:
        generation.path.rename(doomed)  # from here on nobody finds half a generation
    except FileNotFoundError:
        return
    shutil.rmtree(doomed, ignore_errors=True)


def from_parts(parts: Iterable[ItemColumns], revision: int) -> LiveCatalog:
    """The catalog from its parts. Its texts are in a file without a name, gone with the last who has it open."""
    folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder()) as file:
        reader = CatalogReader(file)
        for part in parts:
            reader.add(part)
        _end(file)
        return reader.catalog(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)), revision)


def _write_files(catalog: LiveCatalog, directory: Path, marks: Mapping[int, str]) -> None:
    growing = {
        **catalog.columns,
        "starts": catalog.memberships.starts,
        "columns": catalog.memberships.columns,
        "ones": catalog.memberships.ones,
    }
    for name, column in growing.items():
        values = column.values
        room = np.zeros(room_for(len(values)), values.dtype)
        with (directory / f"{name}.bin").open("wb") as file:
            for part in (values, room):
                file.write(part.data)
    with (directory / _TEXTS).open("wb") as file:
        writer = catalog.texts.write(file)
        text_bytes = _end(file)
    with (directory / _FIELDS).open("wb") as file:
        fields = write_fields(catalog.fields, file)
        field_bytes = _end(file)
    turned = catalog.memberships.by_category
    fixed: dict[str, NDArray[Any]] = {
        "category_ids": catalog.memberships.category_ids,
        "category_indices": turned.indices,
        "category_indptr": turned.indptr,
        **{f"text_{name}": array for name, array in writer.block(memoryview(b""), catalog.ids).arrays().items()},
    }
    for name, array in fixed.items():
        np.save(directory / f"{name}.npy", array, allow_pickle=False)
    manifest = {
        "format": FORMAT,
        "revision": catalog.revision,
        "sizes": {name: len(column) for name, column in growing.items()},
        "bytes": {_TEXTS: text_bytes, _FIELDS: field_bytes},
        "fields": fields,
        "homeless": dict(catalog.homeless),
        "marks": dict(marks),
    }
    (directory / _MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    for path in directory.iterdir():
        _sync(path)
    _sync(directory)


def _end(file: IO[bytes]) -> int:
    """A last byte, because an empty file cannot be mapped. Returns the size."""
    file.write(b"\n")
    file.flush()
    return file.tell()


def _mapped(directory: Path, name: str, kind: np.dtype[Any], size: int) -> Column:
    """A column and its room, as pages that are this process's own once written to."""
    buffer: NDArray[Any] = np.memmap(directory / f"{name}.bin", kind, mode="c").view(np.ndarray)
    if len(buffer) != size + room_for(size):
        raise ValueError(f"{name} has {len(buffer):,} entries, not {size + room_for(size):,}")
    return Column(buffer, size)


def _content(path: Path, sizes: Mapping[str, int]) -> memoryview:
    with path.open("rb") as file:
        content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    if len(content) != sizes[path.name]:
        raise ValueError(f"{path.name} has {len(content):,} bytes, not {sizes[path.name]:,}")
    return content


def _array(directory: Path, name: str) -> NDArray[Any]:
    array: NDArray[Any] = np.load(directory / f"{name}.npy", mmap_mode="r", allow_pickle=False).view(np.ndarray)
    return array


def _manifest(generation: Generation) -> dict[str, Any]:
    try:
        manifest = json.loads((generation.path / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise DamagedGeneration(f"{generation.path.name} has no manifest that can be read ({problem}).") from problem
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise DamagedGeneration(f"{generation.path.name} is of another format.")
    return manifest


def _prune(identity: str) -> None:
    for generation in stored(identity)[KEPT:]:
        remove(generation)
    for path in folder().iterdir():
        match = _NAME.fullmatch(path.name)
        if match and match[1] != identity and path.stat().st_mtime < time.time() - FOREIGN_KEPT_SECONDS:
            remove(Generation(match[1], int(match[2])))


def _sync(path: Path) -> None:
    """Wait until the file or directory is on disk, as far as the file system can promise that."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
