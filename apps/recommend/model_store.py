"""The model store: one immutable directory for each version, `MODEL_DIR/<model>/<version>/`.

A directory holds one `.npy` file an array, the files of its indexes and `manifest.json`, which lists them all with
their SHA-256. It is written beside its final place, synced and renamed, so it is there whole or not at all, and it
is never written to again: processes map its arrays into memory. No pickle is read or written.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from apps.recommend import model_indexes, provenance
from apps.recommend.engine.protocols import Index, Model, Question
from apps.recommend.engine.registries import ALGORITHMS
from apps.recommend.model_indexes import IndexFile

FORMAT = 1
_MANIFEST = "manifest.json"
_PART_NAME = re.compile(r"[A-Za-z0-9_]{1,60}")
_VERSION = re.compile(r"([a-z][a-z0-9_]{0,49})-\d{8}-\d{1,9}")

_verified: set[tuple[str, int]] = set()  # directories whose checksums this process has read, by path and inode
_verified_lock = threading.Lock()


class DamagedModel(Exception):
    """A version's directory is missing, incomplete or altered. The message says what is wrong, in one sentence."""


@dataclass(frozen=True, eq=False)
class StoredModel:
    """A version as it lies in the store; its arrays are memory-mapped and read-only."""

    model: Model
    manifest: Mapping[str, Any]
    indexes: Mapping[Question, Index]


def folder(version: str) -> Path:
    """Where the version's directory is, whether or not it exists. Raises DamagedModel for what cannot be a version."""
    match = _VERSION.fullmatch(version)
    if match is None:
        raise DamagedModel(f"{version!r} is not the name of a model version.")
    return Path(settings.MODEL_DIR) / match[1] / version


def next_version(model: str, taken: Collection[str], day: str) -> str:
    """A version name of `model` for `day` (YYYYMMDD) that is neither `taken` nor on disk."""
    prefix = f"{model}-{day}-"
    directory = Path(settings.MODEL_DIR) / model
    names = {*taken, *(path.name for path in directory.glob(f"{prefix}*"))}
    used = [int(name.removeprefix(prefix)) for name in names if re.fullmatch(re.escape(prefix) + r"\d+", name)]
    return f"{prefix}{max(used, default=0) + 1}"


def write(
    *,
    version: str,
    algorithm: str,
    model: Model,
    indexes: Mapping[Question, IndexFile],
    facts: Mapping[str, Any],
    run_id: int = 0,
) -> dict[str, Any]:
    """Store a fitted model and return its manifest, which is `facts` and what the store adds.

    The files of `indexes` are moved in. Raises FileExistsError when the version is there already: nothing is ever
    overwritten.
    """
    final = folder(version)
    if final.exists():
        raise FileExistsError(f"{version} is in the model store already")
    with workspace(final.parent.name, run_id) as unfinished:
        arrays = {name: _save_array(unfinished, name, array) for name, array in model.to_arrays().items()}
        for path in {index.path for index in indexes.values()}:
            path.rename(unfinished / path.name)
        manifest = {
            **facts,
            "format": FORMAT,
            "model": final.parent.name,
            "version": version,
            "algorithm": algorithm,
            "run": run_id,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "code_version": provenance.code_version(),
            "libraries": provenance.library_versions(),
            "arrays": arrays,
            "indexes": {
                question: {"kind": index.kind, "file": index.path.name, "recall": index.recall}
                for question, index in indexes.items()
            },
            "files": {path.name: _fingerprint(path) for path in sorted(unfinished.iterdir())},
        }
        (unfinished / _MANIFEST).write_text(json.dumps(manifest, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        for path in unfinished.iterdir():
            _sync(path)
        _sync(unfinished)
        try:
            unfinished.rename(final)  # fails on a directory that is not empty, so the first of two writers wins
        except OSError as problem:
            raise FileExistsError(f"{version} is in the model store already") from problem
        _sync(final.parent)
    return manifest


@contextmanager
def workspace(model: str, run_id: int) -> Iterator[Path]:
    """A new folder on the model's disk, removed at the end. Its name tells `sweep` which run it belongs to."""
    path = Path(settings.MODEL_DIR) / model / f".run-{run_id}-{secrets.token_hex(4)}"
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def read(version: str) -> StoredModel:
    """The stored version, mapped into memory. Raises DamagedModel.

    The first read of a version in a process reads every byte to check it (about a second for 500 MB); later ones
    only look at sizes and shapes.
    """
    directory = folder(version)
    manifest = verify(version)
    arrays = {}
    for name, expected in manifest["arrays"].items():
        try:
            array = np.load(directory / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as problem:
            raise DamagedModel(f"{version}: the array {name!r} cannot be read ({problem}).") from problem
        if [*array.shape] != expected["shape"] or array.dtype.str != expected["dtype"]:
            raise DamagedModel(
                f"{version}: the array {name!r} is {array.dtype.str} {[*array.shape]}; "
                f"its manifest says {expected['dtype']} {expected['shape']}."
            )
        arrays[name] = array.view(np.ndarray)  # mapped all the same; NumPy's class for it makes each look-up slower
    if manifest["algorithm"] not in ALGORITHMS:
        raise DamagedModel(f"{version}: its algorithm {manifest['algorithm']!r} is not installed here.")
    try:
        model = ALGORITHMS[manifest["algorithm"]].Model.from_arrays(arrays)
    except (KeyError, ValueError, IndexError, TypeError) as problem:
        raise DamagedModel(f"{version}: the arrays do not make a model ({problem!r}).") from problem
    try:
        indexes = model_indexes.open_all(directory, manifest["indexes"], model)
    except (KeyError, OSError, ValueError) as problem:
        raise DamagedModel(f"{version}: an index cannot be opened ({problem!r}).") from problem
    return StoredModel(model=model, manifest=manifest, indexes=indexes)


def verify(version: str, *, again: bool = False) -> dict[str, Any]:
    """The version's manifest, after checking that every file is there and unaltered. Raises DamagedModel.

    Checksums are computed once for each process and directory, unless `again`.
    """
    directory = folder(version)
    manifest = _read_manifest(directory, version)
    try:
        inode = directory.stat().st_ino
        known = not again and (str(directory), inode) in _verified
        for name, expected in manifest["files"].items():
            path = directory / name
            if not path.is_file():
                raise DamagedModel(f"{version}: the file {name} is missing.")
            if path.stat().st_size != expected["bytes"]:
                raise DamagedModel(f"{version}: {name} has {path.stat().st_size:,} bytes, not {expected['bytes']:,}.")
            if not known and _sha256(path) != expected["sha256"]:
                raise DamagedModel(f"{version}: {name} does not have the checksum in the manifest.")
    except OSError as problem:
        raise DamagedModel(f"{version}: its directory cannot be read ({problem}).") from problem
    with _verified_lock:
        _verified.add((str(directory), inode))
    return manifest


def remove(version: str) -> None:
    """Delete the version's directory, if there is one. Processes that have it mapped keep what they have."""
    directory = folder(version)
    if not directory.exists():
        return
    doomed = directory.parent / f".gone-{secrets.token_hex(4)}"
    directory.rename(doomed)  # from here on nobody finds half a version
    shutil.rmtree(doomed, ignore_errors=True)


def sweep(model: str, *, known: Collection[str], running: Collection[int]) -> list[str]:
    """Delete what killed runs left behind in the model's folder and return the names of what went.

    That is: half-deleted directories, unfinished ones, and finished ones that are not `known` (their run died before
    it could say so), except where the run that wrote them is among `running`.
    """
    directory = Path(settings.MODEL_DIR) / model
    removed = []
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        if path.name in known or _run_of(path) in running:
            continue
        if path.name.startswith((".run-", ".gone-")) or _VERSION.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)
            removed.append(path.name)
    return removed


def _save_array(directory: Path, name: str, array: NDArray[Any]) -> dict[str, Any]:
    if not _PART_NAME.fullmatch(name):
        raise ValueError(f"an array may not be called {name!r}: letters, digits and _ only, at most 60")
    array = np.ascontiguousarray(array) if array.ndim else array
    np.save(directory / f"{name}.npy", array, allow_pickle=False)
    return {"shape": [*array.shape], "dtype": array.dtype.str}


def _read_manifest(directory: Path, version: str) -> dict[str, Any]:
    if not directory.is_dir():
        raise DamagedModel(f"{version}: there is no such directory in the model store.")
    try:
        manifest = json.loads((directory / _MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as problem:
        raise DamagedModel(f"{version}: its manifest is missing.") from problem
    except (OSError, ValueError) as problem:
        raise DamagedModel(f"{version}: its manifest cannot be read ({problem}).") from problem
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT or manifest.get("version") != version:
        raise DamagedModel(f"{version}: its manifest is of another format or another version.")
    if not _is_complete(manifest):
        raise DamagedModel(f"{version}: its manifest does not describe the files.")
    indexes = manifest["indexes"].values()
    listed = {f"{name}.npy" for name in manifest["arrays"]} | {str(index["file"]) for index in indexes}
    if listed != set(manifest["files"]):
        raise DamagedModel(f"{version}: the manifest's arrays and indexes do not match its list of files.")
    return manifest


def _is_complete(manifest: Mapping[str, Any]) -> bool:
    """Whether the manifest says everything that reading relies on; what it says is checked against the files."""
    needed = {"arrays": {"shape", "dtype"}, "indexes": {"kind", "file"}, "files": {"bytes", "sha256"}}
    return "algorithm" in manifest and all(
        isinstance(part := manifest.get(name), dict)
        and all(isinstance(one, dict) and one.keys() >= keys for one in part.values())
        for name, keys in needed.items()
    )


def _fingerprint(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": _sha256(path)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """Wait until the file or directory is on disk, as far as the file system can promise that."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _run_of(path: Path) -> int | None:
    """The training run that wrote a directory, finished or not; None where it does not say."""
    match = re.fullmatch(r"\.run-(\d+)-[0-9a-f]+", path.name)
    if match:
        return int(match[1])
    try:
        return int(json.loads((path / _MANIFEST).read_text(encoding="utf-8"))["run"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
