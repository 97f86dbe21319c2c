"""Rows from CSV and JSON Lines files."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

import orjson

from apps.catalog.importing.files import STDIN, ByteFile, UnreadableFile
from apps.catalog.importing.rows import Row

_NUL = "with a NUL character"
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class CsvTable:
    """Delimited text in UTF-8 with one header line; comma, semicolon, tab or bar, whichever the header has most of.

    A row that is not UTF-8, holds a NUL or has another number of columns than the header is a problem row.
    Empty lines are skipped and not counted.
    """

    sparse = False

    def __init__(self, file: ByteFile, *, second_encoding: str | None = None) -> None:
        """`second_encoding`: for lines that are not UTF-8, instead of refusing them."""
        self._file = file
        self._second = second_encoding
        self._delimiter = ","
        self.name = file.name

    def check(self) -> None:
        self._file.check()
        if self._file.path != STDIN:
            bad: dict[int, str] = {}
            self._header("".join(islice(chain.from_iterable(self._decoded_blocks("", bad)), 1)), bad)

    def rows(self, *, label: str = "") -> Iterator[Row]:
        bad: dict[int, str] = {}
        lines = chain.from_iterable(self._decoded_blocks(label, bad))
        header = self._header(next(lines, ""), bad)
        reader = csv.reader(lines, delimiter=self._delimiter)
        width, consumed = len(header), 0
        while True:
            problem = ""
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                cells, problem = [], f"not readable as CSV: {error}"
            line, consumed = 2 + consumed, reader.line_num
            if bad:
                said = [bad.pop(number) for number in range(line, 2 + consumed) if number in bad]
                problem = problem or "".join(said[:1])
            if problem:
                yield Row(line, {"": self._joined(cells)}, problem)
            elif len(cells) == width:
                yield Row(line, dict(zip(header, cells, strict=True)))
            elif cells:
                yield Row(line, {"": self._joined(cells)}, f"{len(cells)} columns where the header has {width}")

    def raw(self, row: Row) -> str:
        return row.values[""] if row.problem else self._joined(list(row.values.values()))

    def _joined(self, cells: list[str]) -> str:
        text = io.StringIO()
        csv.writer(text, delimiter=self._delimiter, lineterminator="").writerow(cells)
        return text.getvalue()

    def _decoded_blocks(self, label: str, bad: dict[int, str]) -> Iterator[Iterable[str]]:
        """The file's lines as text, block by block. What is wrong with a line goes into `bad`, by line number."""
        first = 1
        for block in self._file.blocks(label=label):
            if first == 1:
                if block.startswith(_UTF16):
                    raise UnreadableFile(f"{self.name} is UTF-16. Save it as UTF-8.")
                block = block.removeprefix(_BOM)
            try:
                text = block.decode()
            except UnicodeDecodeError:
                text = ""
            if text and "\0" not in text:
                yield io.StringIO(text, newline="\n")
            else:
                yield [self._decoded(line, number, bad) for number, line in enumerate(io.BytesIO(block), first)]
            first += block.count(b"\n")

    def _decoded(self, line: bytes, number: int, bad: dict[int, str]) -> str:
        if b"\0" in line:
            bad[number] = _NUL
            line = line.replace(b"\0", b"\\0")
        try:
            return line.decode()
        except UnicodeDecodeError:
            if self._second is None:
                bad[number] = "not UTF-8"
            return line.decode(self._second or "utf-8", errors="backslashreplace")

    def _header(self, line: str, bad: dict[int, str]) -> list[str]:
        """The columns' names. Settles the delimiter."""
        if 1 in bad:
            raise UnreadableFile(f"{self.name}: the header line is {bad[1]}.")
        if not line.strip():
            raise UnreadableFile(f"{self.name} has no header line.")
        self._delimiter = _sniffed(line)
        header = [cell.strip() for cell in next(csv.reader([line], delimiter=self._delimiter))]
        header = [cell or f"column {number}" for number, cell in enumerate(header, 1)]
        if twice := sorted({name for name in header if header.count(name) > 1}):
            raise UnreadableFile(f"{self.name}: the header names {', '.join(twice)} more than once.")
        return header


class PlainTable:
    """Lines cut at every `separator`, without header and without quotes. Another number of cells is a problem row."""

    sparse = False

    def __init__(self, file: ByteFile, *, columns: Sequence[str], separator: str, encoding: str = "utf-8") -> None:
        self._file = file
        self._columns = tuple(columns)
        self._separator = separator
        self._encoding = encoding
        self.name = file.name

    def check(self) -> None:
        self._file.check()

    def rows(self, *, label: str = "") -> Iterator[Row]:
        for number, line in enumerate(self._file.lines(label=label), 1):
            if not line.strip():
                continue
            try:
                cells = line.decode(self._encoding).rstrip("\r\n").split(self._separator)
            except UnicodeDecodeError:
                yield Row(number, {"": _shown(line)}, f"not {self._encoding.upper()}")
                continue
            if len(cells) == len(self._columns):
                yield Row(number, dict(zip(self._columns, cells, strict=True)))
            else:
                yield Row(number, {"": _shown(line)}, f"{len(cells)} columns instead of {len(self._columns)}")

    def raw(self, row: Row) -> str:
        return row.values[""] if row.problem else self._separator.join(row.values.values())


class JsonLinesTable:
    """One JSON object a line, in UTF-8. Any other line is a problem row; empty lines are skipped and not counted."""

    sparse = True

    def __init__(self, file: ByteFile) -> None:
        self._file = file
        self.name = file.name

    def check(self) -> None:
        self._file.check()

    def rows(self, *, label: str = "") -> Iterator[Row]:
        for number, line in enumerate(self._file.lines(label=label), 1):
            line = line.removeprefix(_BOM) if number == 1 else line
            if not line.strip():
                continue
            try:
                values = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                yield Row(number, {"": _shown(line)}, f"not JSON: {error}")
                continue
            if not isinstance(values, dict):
                yield Row(number, {"": _shown(line)}, "not a JSON object")
            elif b"\\u0000" in line:
                yield Row(number, {"": _shown(line)}, _NUL)
            else:
                yield Row(number, values)

    def raw(self, row: Row) -> str:
        return row.values[""] if row.problem else json.dumps(row.values, ensure_ascii=False, default=str)


def _sniffed(header: str) -> str:
    unquoted = "".join(header.split('"')[::2])
    return max(",;\t|", key=unquoted.count)


def _shown(line: bytes) -> str:
    return line.decode(errors="backslashreplace").strip().replace("\0", "\\0")
