"""Parsing text files into records, without Spark."""

import csv
import io
from datetime import datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.sources import text_records
from common.sources.arrow_batches import parquet_batch, plain_batch
from common.sources.json_records import json_batches
from common.sources.text_records import (
    ParsedBlock,
    RefusedFileError,
    check_header,
    csv_batches,
    csv_header,
    read_lines,
    split_header,
)


def read_csv(content: bytes | str, wanted: tuple[str, ...] = ("a", "b"), encoding: str = "utf-8") -> ParsedBlock:
    """All blocks of a CSV file as one."""
    stream = io.BytesIO(content if isinstance(content, bytes) else content.encode(encoding))
    line, rest = split_header(read_lines(stream, encoding))
    assert line is not None
    return together(csv_batches(rest, csv_header(line, ","), wanted, ","))


def read_json(content: str, wanted: tuple[str, ...] = ("a", "b")) -> ParsedBlock:
    return together(json_batches(read_lines(io.BytesIO(content.encode()), "utf-8"), wanted))


def together(batches: object) -> ParsedBlock:
    whole = ParsedBlock()
    for batch in batches:  # type: ignore[attr-defined]
        whole.rows += [tuple(row) for row in batch.rows]
        if batch.plain:
            cut = plain_batch("", batch, [str(place) for place, _ in enumerate(batch.places)]).columns[
                -len(batch.places) :
            ]
            whole.rows += zip(*(column.to_pylist() for column in cut), strict=True)
        whole.refused += batch.refused
        whole.lines += batch.lines
        whole.extra |= batch.extra
    return whole


@pytest.fixture(params=[7, 1 << 20])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Files are read in blocks; block boundaries must not matter."""
    monkeypatch.setattr(text_records, "CHUNK", request.param)
    return int(request.param)


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,2\n3,4\n",
        "a,b\r\n1,2\r\n3,4\r\n",
        "\ufeffa,b\n1,2\n3,4",
        "\n\na,b\n\n1,2\n\n3,4\n\n\n",
        '"a","b"\n"1",2\n3,"4"\n',
    ],
)
def test_bom_crlf_blank_lines_and_quotes_do_not_matter(content: str, chunk: int) -> None:
    assert read_csv(content).rows == [("1", "2"), ("3", "4")]


def test_columns_map_by_name_and_unknown_ones_are_left_out() -> None:
    assert read_csv("c,b,a\nx,2,1\n").rows == [("1", "2")]


def test_a_missing_optional_column_reads_as_null() -> None:
    assert read_csv("a\n1\n").rows == [("1", None)]


def test_unparsable_records_are_refused_with_their_text(chunk: int) -> None:
    found = read_csv('a,b\n1\n1,2,3\n"x"y,2\n5,6\n')
    assert found.rows == [("5", "6")]
    assert found.refused == [("too_few_fields", "1"), ("too_many_fields", "1,2,3"), ("broken_quoting", '"x"y,2')]


def test_a_newline_within_quotes_belongs_to_its_field(chunk: int) -> None:
    found = read_csv('a,b\n"one\n\ntwo, ""three""",2\n3,4\n')
    assert found.rows == [('one\n\ntwo, "three"', "2"), ("3", "4")]
    assert (found.refused, found.lines) == ([], 3)


def test_a_stray_quote_spoils_only_its_own_line(chunk: int) -> None:
    found = read_csv('a,b\n1,2\n"3,4\n5,6\n7,8\n')
    assert found.rows == [("1", "2"), ("5", "6"), ("7", "8")]
    assert found.refused == [("broken_quoting", '"3,4')]
    assert found.lines == 4


def test_an_unclosed_quote_does_not_swallow_a_long_file() -> None:
    lines = ['a,b\n"3,4\n', *(f"{n},{n}\n" for n in range(1000))]
    found = read_csv("".join(lines))
    assert (len(found.rows), len(found.refused), found.lines) == (1000, 1, 1001)


def test_undecodable_bytes_are_refused_with_their_position(chunk: int) -> None:
    with pytest.raises(RefusedFileError, match="byte 11 is not utf-8"):
        read_csv(b"a,b\n1,2\n3,4\xff\n")


def test_a_declared_encoding_is_used(chunk: int) -> None:
    assert read_csv("a,b\nné,2\n", encoding="latin-1").rows == [("né", "2")]


def test_a_header_with_duplicate_or_missing_columns_is_refused() -> None:
    with pytest.raises(RefusedFileError, match=r"\['a'\] twice"):
        check_header(["a", "a", "b"], ["a", "b"], ["a"])
    with pytest.raises(RefusedFileError, match=r"lacks \['b'\]; found \['a'\], expected \['a', 'b'\]"):
        check_header(["a"], ["a", "b"], ["a", "b"])


def test_json_values_keep_their_text() -> None:
    found = read_json('{"a": 1.10, "b": 1e400}\n\n{"a": "x", "b": null}\r\n{"a": true, "b": NaN}\n')
    assert found.rows == [("1.10", "1e400"), ("x", None), ("true", "NaN")]


def test_json_that_is_no_flat_object_is_refused_with_its_text() -> None:
    lines = ["{", "[1]", '{"a": 1, "a": 2}', '{"a": {"x": 1}}', '{"a": [1]}']
    found = read_json("\n".join(lines))
    problems = ["not_json", "not_an_object", "name_twice", "nested_value", "nested_value"]
    assert found.refused == list(zip(problems, lines, strict=True))


def test_unknown_json_names_are_reported() -> None:
    assert read_json('{"a": 1, "z": 2}').extra == {"z"}


cells = st.text(st.characters(exclude_characters="\r\x00", exclude_categories=["Cs"]), max_size=8)


@given(st.lists(st.tuples(cells, cells), max_size=20))
def test_whatever_a_csv_writer_writes_is_read_back(rows: list[tuple[str, str]]) -> None:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([("a", "b"), *rows])
    found = read_csv(file.getvalue())
    assert found.rows == rows
    assert found.refused == []


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_are_counted_line_by_line_or_refused_whole(content: bytes, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_records, "CHUNK", size)
        try:
            expected = text_records.count_lines(read_lines(io.BytesIO(content), "utf-8"))
            found = read_csv(b"a,b\n" + content.removeprefix(b"\xef\xbb\xbf"))
        except RefusedFileError:
            return
        assert found.lines == text_records.count_lines(
            read_lines(io.BytesIO(content.removeprefix(b"\xef\xbb\xbf")), "utf-8")
        )
        assert expected in (found.lines, found.lines + 1)


def test_a_line_of_blanks_is_no_json_and_counted(chunk: int) -> None:
    found = read_json('{"a": 1}\n  \n\n')
    assert (found.refused, found.lines) == ([("not_json", "  ")], 2)


def test_a_lone_surrogate_is_refused_and_a_pair_is_not() -> None:
    found = read_json('{"a": "\\ud800"}\n{"\\udfff": 1}\n{"a": "\\ud83d\\ude00"}\n')
    assert [problem for problem, _ in found.refused] == ["half_a_character"] * 2
    assert found.rows == [("\U0001f600", None)]


@pytest.mark.parametrize("odd", ["\x85", "\u2028", "\x0c"])
def test_only_a_newline_ends_a_line(odd: str, chunk: int) -> None:
    assert read_csv(f'a,b\n"1",x{odd}y\n').rows == [("1", f"x{odd}y")]


def test_a_line_is_refused_for_the_same_reason_at_any_position(chunk: int) -> None:
    found = read_csv('a,b\n"1"\n3,4\n"open,2\n"1"\n')
    assert sorted(found.refused) == [
        ("broken_quoting", '"open,2'),
        ("too_few_fields", '"1"'),
        ("too_few_fields", '"1"'),
    ]


def test_times_of_parquet_read_as_those_of_text() -> None:
    at = datetime(2026, 1, 5, 10, 0, 0, 250_000)
    for type_, text in (
        (pa.timestamp("us"), "2026-01-05 10:00:00.250000"),
        (pa.timestamp("ns"), "2026-01-05 10:00:00.250000"),
        (pa.timestamp("us", "Europe/Paris"), "2026-01-05 10:00:00.250000Z"),
        (pa.timestamp("ms"), "2026-01-05 10:00:00.250"),
    ):
        batch = pa.RecordBatch.from_arrays([pa.array([at, None], type_)], names=["at"])
        assert parquet_batch("f", batch, ["at"]).column("at").to_pylist() == [text, None], type_
    finer = pa.RecordBatch.from_arrays([pa.array([1], pa.timestamp("ns"))], names=["at"])
    assert parquet_batch("f", finer, ["at"]).column("at").to_pylist() == ["1970-01-01 00:00:00.000000001"]
