"""Every reader gives the same rows, numbered as an editor numbers them, and never stops at a bad one."""

import gzip
import random
import zipfile
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from apps.catalog.importing.files import UnreadableFile
from apps.catalog.importing.rows import Row
from apps.catalog.importing.tables import open_table
from apps.catalog.importing.values import text


def _rows(path: Path, **options: str) -> list[Row]:
    return list(open_table(str(path), **options).rows())


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_the_header_has_most_of(tmp_path: Path, delimiter: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text(delimiter.join(["id", '"a name, really"', "x"]) + "\n" + delimiter.join(["1", "Tee", "ü"]) + "\n")
    assert _rows(file) == [Row(2, {"id": "1", "a name, really": "Tee", "x": "ü"})]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes("id,title\n1,Größe 日本\n".encode("utf-8-sig"))
    assert _rows(file) == [Row(2, {"id": "1", "title": "Größe 日本"})]


def test_lines_are_counted_over_quoted_line_breaks_and_empty_lines(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('id,title\n1,"two\nlines"\n\n2,plain\r\n3,last')
    assert [(row.line, row.values["title"]) for row in _rows(file)] == [(2, "two\nlines"), (5, "plain"), (6, "last")]


def test_bad_rows_are_problems_and_the_rows_around_them_are_read(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"id,title\n1,ok\n2,caf\xe9\n3,nul\0\n4,too,many\n5\n6,ok\n")
    rows = _rows(file)
    assert [(row.line, row.problem) for row in rows] == [
        (2, ""),
        (3, "not UTF-8"),
        (4, "with a NUL character"),
        (5, "3 columns where the header has 2"),
        (6, "1 columns where the header has 2"),
        (7, ""),
    ]
    assert rows[1].values == {"": r"2,caf\xe9"}


def test_a_quote_that_is_never_closed_does_not_swallow_memory_or_the_rest_of_a_large_file(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('id,title\n1,ok\n2,"open\n' + "3,fine\n" * 60_000)
    rows = _rows(file)
    assert [row.line for row in rows if row.problem.startswith("not readable as CSV")]
    assert rows[0].values == {"id": "1", "title": "ok"}
    assert rows[-1] == Row(60_003, {"id": "3", "title": "fine"})


def test_bad_lines_are_named_right_beyond_the_first_block(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    lines = [b"id,title"] + [b"%d,%s" % (n, b"x" * 90) for n in range(2, 10_001)]
    for number in (3, 5_000, 9_999):
        lines[number - 1] = b"%d,\xff" % number
    file.write_bytes(b"\n".join(lines))
    rows = _rows(file)
    assert len(rows) == 9_999
    assert [row.line for row in rows if row.problem] == [3, 5_000, 9_999]
    assert all(int(row.values["id"]) == row.line for row in rows if not row.problem)


def test_json_lines_that_are_no_objects_are_problems(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"id": 1, "title": "\xc3\xbc"}\n\n[1]\n{"id":\n{"id": "\\u0000"}\n{"id": "\xff"}\n{"id": 2}\n')
    rows = _rows(file)
    assert [row.line for row in rows] == [1, 3, 4, 5, 6, 7]
    assert [bool(row.problem) for row in rows] == [False, True, True, True, True, False]
    assert rows[0].values == {"id": 1, "title": "ü"}


def test_parquet_rows_are_numbered_and_typed(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    when = pa.array([1_300_000_000_123_456_789, None], pa.timestamp("ns"))
    pq.write_table(pa.table({"id": [1, 2], "tags": [["a"], None], "at": when}), file)
    assert _rows(file) == [
        Row(1, {"id": 1, "tags": ["a"], "at": datetime(2011, 3, 13, 7, 6, 40, 123456)}),  # noqa: DTZ001
        Row(2, {"id": 2, "tags": None, "at": None}),
    ]


def test_a_parquet_text_that_is_not_utf8_spoils_its_row_only(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    broken = pa.Array.from_buffers(pa.string(), 3, pa.array([b"ok", b"\xff", b"fine"], pa.binary()).buffers())
    pq.write_table(pa.table({"title": broken}), file)
    assert [(row.line, row.problem) for row in _rows(file)] == [(1, ""), (2, "not UTF-8"), (3, "")]


def _workbook(path: Path, *sheets: list[list[str | float]]) -> Path:
    """The least that is an Excel workbook."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    package = "http://schemas.openxmlformats.org/package/2006"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    numbers = range(1, len(sheets) + 1)
    listed = "".join(f'<sheet name="S{n}" sheetId="{n}" r:id="r{n}"/>' for n in numbers)
    related = "".join(f'<Relationship Id="r{n}" Type="{office}/worksheet" Target="s{n}.xml"/>' for n in numbers)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{package}/content-types"/>')
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r" Type="{office}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{listed}</sheets></workbook>'
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{package}/relationships">{related}</Relationships>'
        )
        for number, sheet in zip(numbers, sheets, strict=True):
            rows = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in sheet)
            archive.writestr(
                f"xl/s{number}.xml", f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>'
            )
    return path


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
    return f"<c><v>{value}</v></c>"


def test_all_sheets_of_a_workbook_with_the_same_header_are_one_table(tmp_path: Path) -> None:
    header: list[str | float] = ["id", "title"]
    file = _workbook(tmp_path / "a.xlsx", [header, [536365, "Tee"]], [["notes"], ["x"]], [header, ["C1", "ü"]])
    rows = _rows(file)
    assert [row.values for row in rows] == [{"id": 536365, "title": "Tee"}, {"id": "C1", "title": "ü"}]
    assert text(rows[0].values["id"]) == "536365"


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_gzipped_file_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    plain = tmp_path / name
    if name.endswith("parquet"):
        pq.write_table(pa.table({"id": ["1", "2"]}), plain)
    else:
        plain.write_text("id\n1\n2\n" if name == "a.csv" else '{"id": "1"}\n{"id": "2"}\n')
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert _rows(packed) == _rows(plain)
    assert len(_rows(plain)) == 2


def test_the_format_option_beats_the_ending(tmp_path: Path) -> None:
    file = tmp_path / "export.data"
    file.write_text('{"id": 1}\n')
    assert _rows(file, format="jsonl") == [Row(1, {"id": 1})]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"", "no header line"),
        ("a.csv", b"\xff\xfei\0d\0", "UTF-16"),
        ("a.csv", b"id,caf\xe9\n", "not UTF-8"),
        ("a.csv", b"id,id\n", "more than once"),
        ("a.parquet", b"PAR1 not really", "not a Parquet file"),
        ("a.xlsx", b"PK not really", "not an Excel workbook"),
        ("a.xyz", b"id\n1\n", "unknown ending"),
    ],
)
def test_a_file_that_cannot_be_read_says_why_in_one_line(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(UnreadableFile, match=said) as caught:
        open_table(str(file))
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no such file"):
        open_table(str(tmp_path / "absent.csv"))
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UnreadableFile, match="is a folder"):
        open_table(str(tmp_path / "folder.csv"))


def test_a_gzip_file_cut_short_gives_its_rows_and_then_an_error(tmp_path: Path) -> None:
    file = tmp_path / "a.csv.gz"
    words = random.Random(1)
    whole = gzip.compress(b"id\n" + b"".join(b"%d\n" % words.randrange(10**9) for _ in range(200_000)))
    file.write_bytes(whole[: len(whole) // 2])
    rows = open_table(str(file)).rows()
    assert next(rows).line == 2
    with pytest.raises(UnreadableFile, match="damaged or cut short"):
        list(rows)
