"""Rows from Parquet files and Excel workbooks."""

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import CalamineError, CalamineWorkbook
from tqdm import tqdm

from apps.catalog.importing.files import ByteFile, UnreadableFile
from apps.catalog.importing.rows import Row

_BATCH = 10_000


class ParquetTable:
    """A Parquet file, read in batches of 10,000 rows; memory is bounded by one row group's compressed pages."""

    sparse = False

    def __init__(self, file: ByteFile) -> None:
        self._file = file
        self.name = file.name

    def check(self) -> None:
        self._file.check()
        with self._file.seekable() as stream:
            self._opened(stream)

    def rows(self, *, label: str = "") -> Iterator[Row]:
        with self._file.seekable() as stream:
            parquet = self._opened(stream)
            total = parquet.metadata.num_rows
            number = 0
            with tqdm(total=total, desc=label, unit=" rows", unit_scale=True, disable=None, leave=False) as bar:
                batches = parquet.iter_batches(batch_size=_BATCH)
                while (batch := self._next_batch(batches, number)) is not None:
                    yield from _rows_of(batch, number)
                    number += batch.num_rows
                    bar.update(batch.num_rows)

    def raw(self, row: Row) -> str:
        return _as_json(row)

    def _opened(self, stream: Any) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(stream)
        except (pa.ArrowException, OSError) as error:
            raise UnreadableFile(f"{self.name} is not a Parquet file ({_first_line(error)}).") from None

    def _next_batch(self, batches: Iterator[pa.RecordBatch], number: int) -> pa.RecordBatch | None:
        try:
            return next(batches, None)
        except (pa.ArrowException, OSError) as error:
            raise UnreadableFile(f"{self.name} is damaged after row {number} ({_first_line(error)}).") from None


class XlsxTable:
    """An Excel workbook: all sheets that have the first sheet's header, one after the other, as one table.

    Row numbers go on counting from sheet to sheet. Memory: one sheet.
    """

    sparse = False

    def __init__(self, file: ByteFile) -> None:
        self._file = file
        self.name = file.name

    def check(self) -> None:
        self._file.check()
        with self._file.seekable() as stream:
            self._opened(stream)

    def rows(self, *, label: str = "") -> Iterator[Row]:
        with self._file.seekable() as stream:
            workbook = self._opened(stream)
            header: list[str] | None = None
            before = 0
            for name in workbook.sheet_names:
                sheet = workbook.get_sheet_by_name(name)
                cells = sheet.iter_rows()
                found = [str(cell).strip() for cell in next(cells, [])]
                if header is None:
                    header = found
                if found == header and any(header):
                    with tqdm(
                        total=sheet.total_height, desc=label, unit=" rows", unit_scale=True, disable=None, leave=False
                    ) as bar:
                        for number, row in enumerate(cells, before + 2):
                            bar.update(1)
                            if any(cell != "" for cell in row):
                                yield Row(number, dict(zip(header, row, strict=False)))
                before += sheet.total_height

    def _opened(self, stream: Any) -> CalamineWorkbook:
        try:
            return CalamineWorkbook.from_filelike(stream)
        except (CalamineError, OSError) as error:
            raise UnreadableFile(f"{self.name} is not an Excel workbook ({_first_line(error)}).") from None

    def raw(self, row: Row) -> str:
        return _as_json(row)


def _rows_of(batch: pa.RecordBatch, before: int) -> Iterator[Row]:
    bad: set[int] = set()
    columns = [_values(column, bad) for column in batch.columns]
    names = batch.schema.names
    for index, cells in enumerate(zip(*columns, strict=True)):
        row = Row(before + index + 1, dict(zip(names, cells, strict=True)))
        yield Row(row.line, {"": _as_json(row)}, "not UTF-8") if index in bad else row


def _values(column: pa.Array, bad: set[int]) -> list[Any]:
    """The column as Python values. Numbers of rows whose text is not UTF-8 are added to `bad`."""
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        column = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        binary = pa.large_binary() if pa.types.is_large_string(column.type) else pa.binary()
        cells: list[Any] = column.cast(binary).to_pylist()
        for index, cell in enumerate(cells):
            if cell is not None:
                try:
                    cells[index] = cell.decode()
                except UnicodeDecodeError:
                    cells[index] = cell.decode(errors="backslashreplace")
                    bad.add(index)
        return cells


def _as_json(row: Row) -> str:
    return str(row.values[""]) if row.problem else json.dumps(row.values, ensure_ascii=False, default=str)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
