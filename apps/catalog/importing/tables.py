"""The choice of a reader for a file."""

from typing import Any

from apps.catalog.importing.binary_tables import ParquetTable, XlsxTable
from apps.catalog.importing.files import STDIN, ByteFile, UnreadableFile
from apps.catalog.importing.rows import Table
from apps.catalog.importing.text_tables import CsvTable, JsonLinesTable

_TABLES: dict[str, type[Any]] = {"csv": CsvTable, "jsonl": JsonLinesTable, "parquet": ParquetTable, "xlsx": XlsxTable}
FORMATS = tuple(_TABLES)
_ENDINGS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".xlsx": "xlsx",
}


def open_table(path: str, *, format: str | None = None) -> Table:
    """A reader for the file at `path` ('-': standard input), by `format` or else by the path's ending.

    A further `.gz` is allowed. Raises UnreadableFile for an ending nobody knows or a file that cannot be read.
    """
    format = format or _format_of(path)
    if format not in _TABLES:
        raise UnreadableFile(f"no reader for the format {format!r}. Known: {', '.join(FORMATS)}.")
    table: Table = _TABLES[format](ByteFile(path))
    table.check()
    return table


def _format_of(path: str) -> str:
    if path == STDIN:
        raise UnreadableFile("standard input has no ending: add --format csv or --format jsonl.")
    name = path.lower().removesuffix(".gz")
    for ending, format in _ENDINGS.items():
        if name.endswith(ending):
            return format
    raise UnreadableFile(f"{path}: unknown ending. Name the file .csv, .jsonl, .parquet or .xlsx, or add --format.")
