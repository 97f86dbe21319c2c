"""Bytes from a file, a gzipped file or standard input, with a progress bar."""

import gzip
import io
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

STDIN = "-"
_BLOCK = 1 << 18


class UnreadableFile(Exception):
    """A file that cannot be read at all, or not to its end. The message is one line for the person who named it."""


@dataclass(frozen=True, slots=True)
class ByteFile:
    """A file to read, named by its path or `-` for standard input; gzip is recognised by its first bytes."""

    path: str

    @property
    def name(self) -> str:
        return "standard input" if self.path == STDIN else self.path

    def check(self) -> None:
        """Raises UnreadableFile when there is no such file or it may not be read."""
        if self.path != STDIN:
            with _explained(self.name), Path(self.path).open("rb"):
                pass

    def blocks(self, *, label: str) -> Iterator[bytes]:
        """The file in blocks of whole lines, a quarter of a megabyte or one line, whichever is longer.

        Raises UnreadableFile. A progress bar on standard error, in bytes as they lie on disk, is shown on
        terminals only.
        """
        with _explained(self.name), self._raw() as raw:
            size = None if self.path == STDIN else Path(self.path).stat().st_size
            stream = _decompressed(raw)
            with tqdm(total=size, desc=label, unit="B", unit_scale=True, disable=None, leave=False) as bar:
                while block := stream.read(_BLOCK):
                    yield block if block.endswith(b"\n") else block + stream.readline()
                    bar.update(raw.tell() - bar.n if size else len(block))

    def lines(self, *, label: str) -> Iterator[bytes]:
        """The lines, line ends (\\n) included. Otherwise like `blocks`."""
        for block in self.blocks(label=label):
            yield from io.BytesIO(block)

    @contextmanager
    def seekable(self) -> Iterator[IO[bytes]]:
        """The file for formats that jump about in it; a gzipped one is unpacked into a temporary file first."""
        if self.path == STDIN:
            raise UnreadableFile("standard input can be read as csv or jsonl only.")
        with _explained(self.name), self._raw() as raw:
            stream = _decompressed(raw)
            if stream is raw:
                yield raw
                return
            with tempfile.TemporaryFile() as unpacked:
                shutil.copyfileobj(stream, unpacked, 1 << 20)
                unpacked.seek(0)
                yield unpacked

    @contextmanager
    def _raw(self) -> Iterator[Any]:
        if self.path == STDIN:
            yield sys.stdin.buffer
            return
        with Path(self.path).open("rb", buffering=1 << 18) as raw:
            yield raw


def _decompressed(raw: io.BufferedReader) -> io.BufferedReader:
    if raw.peek(2)[:2] != b"\x1f\x8b":
        return raw
    return io.BufferedReader(gzip.GzipFile(fileobj=raw), 1 << 18)  # type: ignore[arg-type]


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise UnreadableFile(f"{name}: no such file.") from None
    except IsADirectoryError:
        raise UnreadableFile(f"{name} is a folder, not a file.") from None
    except PermissionError:
        raise UnreadableFile(f"{name}: permission denied.") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UnreadableFile(f"{name}: the gzip data is damaged or cut short ({error}).") from None
    except OSError as error:
        raise UnreadableFile(f"{name}: {error.strerror or error}.") from None
