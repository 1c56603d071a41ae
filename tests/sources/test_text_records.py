"""Parsing text files into records, without Spark."""

import csv
import io
import json
import tempfile
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.contracts.column import Column
from common.sources.arrow_batches import plain_batch
from common.sources.files import text_records
from common.sources.files.csv_records import MOST_NAMES, WholeRecords, check_header, csv_batches, csv_header
from common.sources.files.json_records import json_batches, require_json_lines
from common.sources.files.parquet_batches import parquet_batches
from common.sources.files.text_records import RefusedFileError, TextFile, split_header
from common.sources.parsed_block import ParsedBlock
from common.sources.unknown_names import MOST_COUNTED, MOST_SHOWN

LONGEST = 200_000


def read_csv(content: bytes | str, wanted: tuple[str, ...] = ("a", "b"), encoding: str = "utf-8") -> ParsedBlock:
    """All blocks of a CSV file as one."""
    stream = io.BytesIO(content if isinstance(content, bytes) else content.encode(encoding))
    line, rest = split_header(TextFile(stream, encoding, LONGEST).blocks())
    assert line is not None
    return together(csv_batches(rest, csv_header(line, ","), wanted, ",", LONGEST))


def inspect_csv(content: bytes | str) -> int:
    """The lines below the header, or the file is refused."""
    file = TextFile(io.BytesIO(content if isinstance(content, bytes) else content.encode()), "utf-8", LONGEST)
    line, rest = split_header(file.blocks())
    records = WholeRecords(len(csv_header(line or "", ",")), ",")
    for _ in records.seen(rest):
        pass
    records.require_end(file.last_line_ends)
    return records.count


def read_json(content: str, wanted: tuple[str, ...] = ("a", "b")) -> ParsedBlock:
    lines = TextFile(io.BytesIO(content.encode()), "utf-8", LONGEST).blocks()
    return together(json_batches(lines, wanted, list, LONGEST, []))


def parquet_texts(batch: pa.RecordBatch, name: str, declared: Sequence[Column] = ()) -> list[str | None]:
    (whole,) = parquet_batches("f", batch, [name], declared, LONGEST)
    return whole.column(name).to_pylist()  # type: ignore[no-any-return]


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


cells = st.text(st.characters(exclude_characters="\r\x00", exclude_categories=["Cs"]), max_size=8)
quoted = st.text(st.sampled_from('ab,"\n ;'), max_size=12).filter(lambda text: text != "")
FORGED = "t9,999.00"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\n".join(["note"] * 500 + [FORGED]), id="more than 200 lines"),
        pytest.param(f"{'x' * 140_000}\n{FORGED}", id="more than 131,072 characters"),
        pytest.param(f"{'x' * LONGEST}\n{FORGED}", id="longer than a record may be"),
        pytest.param(f'two ""\n{FORGED}\n"" words', id="escaped quotes around it"),
    ],
)
@pytest.mark.parametrize("further", ["", ",and another field"], ids=["right width", "wrong width"])
def test_a_line_inside_quotes_never_becomes_a_record(text: str, further: str, chunk: int) -> None:
    block = read_csv(f'a,b\n"{text}",1{further}\n3,4\n')
    assert tuple(FORGED.split(",")) not in block.rows
    assert ("3", "4") in block.rows
    assert len(block.rows) + len(block.refused) == 2
    assert block.lines == text.count("\n") + 2


def test_a_record_beyond_the_declared_length_is_refused() -> None:
    for content in ("x" * (LONGEST + 1) + ",2", '"' + "x\n" * LONGEST + '",2'):
        block = read_csv(f"a,b\n{content}\n3,4\n")
        assert block.rows == [("3", "4")]
        ((problem, text),) = block.refused
        assert (problem, len(text)) == ("too_long", LONGEST)


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_file_that_ends_inside_quotes_is_refused(ending: str, chunk: int) -> None:
    with pytest.raises(RefusedFileError, match="ends inside quotes that were opened 2 lines below its header"):
        inspect_csv(f'a,b\n1,2\n"3,4\n5,6\n7,8{ending}')


@pytest.mark.parametrize("last", ["t9", '"t9"', '"t\n9"', "t9\r"])
def test_a_file_cut_in_its_last_record_is_refused(last: str, chunk: int) -> None:
    with pytest.raises(RefusedFileError, match="last record has 1 of 2 fields and no line end"):
        inspect_csv(f"a,b\n1,2\n{last}")
    assert inspect_csv(f"a,b\n1,2\n{last}\n") == 2 + last.count("\n")


@pytest.mark.parametrize("last", ["3,4", "3,", '3,"4"', "3,4\r", "\r", ""])
def test_a_file_without_a_last_newline_is_accepted(last: str, chunk: int) -> None:
    assert inspect_csv(f"a,b\n1,2\n{last}") == 1 + (last not in ("", "\r"))


@given(st.text(alphabet='ab,"\n\r', max_size=60))
@example(content=',\na",\n')  # rows without quotes come behind the others of their block
def test_records_are_those_of_python_duckdb_and_arrow(content: str) -> None:
    """What other readers of RFC 4180 agree on is what is read, or the record is refused whole."""
    try:
        inspect_csv(f"x,y\n{content}")
    except RefusedFileError:
        return
    block = read_csv(f"x,y\n{content}", ("x", "y"))
    theirs = csv.reader((f"{line}\n" for line in content.split("\n")), delimiter=",")
    try:
        expected = [tuple(row) for row in theirs]
    except csv.Error:  # a carriage return outside quotes
        return
    assert (
        sorted(row for row in expected if len(row) == 2 and row in block.rows) == sorted(block.rows) or "\r" in content
    )
    assert len(block.rows) + len(block.refused) == len([row for row in expected if row]) or "\r" in content


@given(st.lists(st.tuples(quoted, quoted), min_size=1, max_size=6))
def test_quoted_content_is_read_as_duckdb_and_arrow_do(rows: list[tuple[str, str]]) -> None:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([("x", "y"), *rows])
    content = file.getvalue().encode()
    options = pa_csv.ParseOptions(newlines_in_values=True)
    as_text = pa_csv.ConvertOptions(column_types={"x": pa.string(), "y": pa.string()}, strings_can_be_null=False)
    arrow = pa_csv.read_csv(io.BytesIO(content), parse_options=options, convert_options=as_text)
    with tempfile.NamedTemporaryFile(suffix=".csv") as landed:
        Path(landed.name).write_bytes(content)
        duck = duckdb.execute(
            "select * from read_csv(?, header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"', "
            "auto_detect = false, columns = {'x': 'varchar', 'y': 'varchar'}, force_not_null = ['x', 'y'])",
            [landed.name],
        ).fetchall()
    ours = read_csv(content, ("x", "y"))
    assert ours.rows == duck == list(zip(*arrow.to_pydict().values(), strict=True))
    assert (inspect_csv(content), ours.refused) == (ours.lines, [])


def test_a_line_without_end_refuses_its_file_in_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_records, "CHUNK", 1000)
    monkeypatch.setattr(text_records, "LONGEST_LINE", 4000)

    class Endless(io.RawIOBase):
        given_out = 0

        def read(self, size: int = -1) -> bytes:
            self.given_out += size
            return b"x" * size

    endless = Endless()
    with pytest.raises(RefusedFileError, match="line 1 has more than 4000 characters"):
        list(TextFile(endless, "utf-8", 10).blocks())  # type: ignore[arg-type]
    assert endless.given_out == 5000


def test_a_header_of_too_many_names_is_refused_at_once() -> None:
    with pytest.raises(RefusedFileError, match=f"has 400000 names; expected .*at most {MOST_NAMES}"):
        check_header([f"n{number}" for number in range(400_000)], ["a"], ["a"])


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


def test_an_unknown_nested_json_value_is_left_out() -> None:
    block = read_json('{"a": 1, "b": 2, "more": {"x": [1]}, "tags": []}')
    assert (block.rows, block.extra, block.refused) == ([("1", "2")], {"more", "tags"}, [])


@pytest.mark.parametrize("first", ["[", '[{"a": 1},', '[{"a": 1}]', "{", '{"a": 1,', '{"a":', '{"a": "'])
def test_a_json_value_over_several_lines_refuses_its_file(first: str) -> None:
    with pytest.raises(RefusedFileError, match="expected JSON lines, one object a line"):
        require_json_lines(first)


@pytest.mark.parametrize("first", ['{"a": [1, 2]}', "oops", '{"a": oops}', "7", '{"a": 1} x'])
def test_a_first_line_that_is_only_wrong_refuses_itself(first: str) -> None:
    require_json_lines(first)


def test_unknown_json_names_are_reported() -> None:
    assert read_json('{"a": 1, "z": 2}').extra == {"z"}


def test_of_many_unknown_json_names_a_few_are_shown() -> None:
    lines = [json.dumps({f"n{number:05}": 1, "a": 2}) for number in range(MOST_COUNTED + 100)]
    for count, number in ((20, ""), (30, "… and 10 more"), (len(lines), "… and at least 4,980 more")):
        names = [f"n{place:05}" for place in range(MOST_SHOWN)]
        assert sorted(read_json("\n".join(lines[:count])).extra) == [*names, *filter(None, [number])]


def test_a_long_unknown_json_name_is_cut() -> None:
    assert read_json(json.dumps({"a": 1, "z" * 50_000: 2})).extra == {"z" * 100}


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
            count = inspect_csv(b"a,b\n" + content)
        except RefusedFileError:
            return
        assert read_csv(b"a,b\n" + content).lines == count


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
    found = read_csv('a,b\n"1"\n3,4\n"x"y,2\n"1"\n')
    assert sorted(found.refused) == [
        ("broken_quoting", '"x"y,2'),
        ("too_few_fields", '"1"'),
        ("too_few_fields", '"1"'),
    ]


def test_a_number_gets_the_decimal_mark_that_its_column_declares() -> None:
    """Only a text is written in the source's format: 12.345 with a decimal comma would be read as 12345."""
    declared = [Column(name="a", type="decimal(9,3)", description="An amount", decimal=",", thousands=".")]
    lines = TextFile(io.BytesIO(b'{"a": 12.345, "b": 1.5}\n{"a": "1.234,5"}\n'), "utf-8", LONGEST).blocks()
    assert together(json_batches(lines, ("a", "b"), list, LONGEST, declared)).rows == [
        ("12,345", "1.5"),
        ("1.234,5", None),
    ]
    for numbers in (pa.array([12.345]), pa.array([Decimal("12.345")])):
        batch = pa.RecordBatch.from_arrays([numbers], names=["a"])
        assert parquet_texts(batch, "a", declared) == ["12,345"]


@pytest.mark.parametrize("content", ["a,b\n1,2\r3,4\n", "a,b\n1\r,2\n", "a,b\n1,2\r\r\n"])
def test_a_carriage_return_within_a_record_refuses_it(content: str) -> None:
    block = read_csv(content)
    assert (block.rows, [problem for problem, _ in block.refused]) == ([], ["carriage_return"])


def test_a_file_with_carriage_returns_alone_is_refused() -> None:
    with pytest.raises(RefusedFileError, match="header holds a carriage return.*LF or CRLF"):
        inspect_csv("a,b\r1,2\r3,4\r")


def test_times_of_parquet_read_as_those_of_text() -> None:
    at = datetime(2026, 1, 5, 10, 0, 0, 250_000)
    for type_, text in (
        (pa.timestamp("us"), "2026-01-05 10:00:00.250000"),
        (pa.timestamp("ns"), "2026-01-05 10:00:00.250000"),
        (pa.timestamp("us", "Europe/Paris"), "2026-01-05 10:00:00.250000Z"),
        (pa.timestamp("ms"), "2026-01-05 10:00:00.250"),
    ):
        batch = pa.RecordBatch.from_arrays([pa.array([at, None], type_)], names=["at"])
        assert parquet_texts(batch, "at") == [text, None], type_
    finer = pa.RecordBatch.from_arrays([pa.array([1], pa.timestamp("ns"))], names=["at"])
    assert parquet_texts(finer, "at") == ["1970-01-01 00:00:00.000000001"]
