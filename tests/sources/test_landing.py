"""What ingest makes of a landing folder, without Spark."""

import gzip
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.contracts.aggregates import Pick
from common.contracts.contract import Column, Contract, Feature, Features, Files
from common.errors import ContractDeclarationError, SourceMissingError, UsageError
from common.runtime.settings import ROOT
from common.sources.files import completeness
from common.sources.files.landing import Landing, shares_of
from common.sources.files.landing_files import FORMATS, format_of, landed_files
from common.sources.files.parquet_batches import can_be, parquet_batches
from common.sources.guessing.first_rows import read_sample
from tests.support.landing import judged

DS = date(2026, 1, 5)
ROUNDED = "9.007199254740992e+15"
ORDERS = Contract(
    name="orders",
    description="Orders.",
    columns=(
        Column(name="invoice", source="InvoiceNo", type="string", description="Its number.", required=True),
        Column(name="country", type="string", description="Where to."),
    ),
    key=("invoice",),
    features=Features(version=1, entity="invoice", columns=(Feature("country", Pick("country")),)),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "orders" / f"ds={DS}"
    folder.mkdir(parents=True)
    (folder / "good.csv").write_text("InvoiceNo,country\n1,FR\n")
    return folder


def landing(folder: Path, **source: object) -> Landing:
    contract = replace(ORDERS, source=Files(**source))  # type: ignore[arg-type]
    return Landing(contract, str(folder.parents[1]), DS)


def refused(folder: Path) -> dict[str, str]:
    return {unit.name: unit.refused for unit in judged(landing(folder)).bad}


@pytest.mark.parametrize("ending", [*FORMATS, ".CSV.GZ", ".NDJSON", ".xlsx", ".parquet.gz", ".csv.zip"])
def test_a_contract_is_guessed_from_what_landing_reads_alone(folder: Path, ending: str) -> None:
    texts = {"csv": "InvoiceNo,country\n2,DE\n", "json": '{"InvoiceNo": 2, "country": "DE"}\n'}
    file, content = folder / f"more{ending}", texts.get(format_of(f"x{ending}"), "").encode()
    if ending == ".parquet":
        pq.write_table(pa.table({"InvoiceNo": ["2"], "country": ["DE"]}), file)
    else:
        file.write_bytes(gzip.compress(content) if ending.lower().endswith(".gz") else content)
    if format_of(file.name):
        assert read_sample(file).columns == {"InvoiceNo": ["2"], "country": ["DE"]}
        assert sorted(rows(folder)) == [("1", "FR"), ("2", "DE")]
    else:
        with pytest.raises(UsageError, match="ends in none of .csv, "):
            read_sample(file)
        assert "ends in none of .csv, " in refused(folder)[file.name]


def rows(folder: Path, **source: object) -> list[tuple[str | None, ...]]:
    """Invoice and country of every accepted record."""
    day = landing(folder, **source)
    assert judged(day).bad == []
    batches = [batch for file in day.files() for batch in day.reader.batches(file)]
    whole = pa.Table.from_batches(batches)
    good = whole.filter(pa.compute.is_null(whole["problem"]))
    return list(zip(good["invoice"].to_pylist(), good["country"].to_pylist(), strict=True))


def test_links_are_refused_and_never_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_text('{"InvoiceNo": "stolen"}')
    (folder / "passwd.jsonl").symlink_to(tmp_path / "secret.jsonl")
    (folder / "loop").symlink_to(folder)
    (folder / "dangling.csv").symlink_to(tmp_path / "nowhere")
    problems = refused(folder)
    assert sorted(problems) == ["dangling.csv", "loop", "passwd.jsonl"]
    assert all("it is a link, and links are not followed" in problem for problem in problems.values())


def test_links_are_not_followed_to_see_whether_a_day_has_changed(folder: Path) -> None:
    (folder / "a.csv").write_text("1234")
    for name in ("loop", "round"):
        (folder / name).symlink_to(folder)
    (folder / os.fsdecode(b"caf\xe9.csv")).write_text("12")
    assert completeness.sizes(str(folder)) == {"good.csv": 23, "a.csv": 4, "caf\\xe9.csv": 2}


def test_a_day_that_is_a_link_or_a_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.csv").write_text("1234")
    for day in (tmp_path / "linked", tmp_path / "file"):
        if day.name == "linked":
            day.symlink_to(tmp_path / "elsewhere")
        else:
            day.write_text("1234")
        (found,) = landed_files(str(day))
        assert (found.name, "expected a folder" in found.refused) == (day.name, True)
        assert completeness.sizes(str(day)) == {}


def test_what_is_no_file_is_refused_by_name(folder: Path) -> None:
    os.mkfifo(folder / "pipe.csv")
    (folder / "folder.csv").mkdir()
    (folder / "notes.txt").write_text("hello")
    problems = refused(folder)
    assert "it is a pipe" in problems["pipe.csv"]
    assert "a folder with the name of a file" in problems["folder.csv"]
    assert "ends in none of .csv" in problems["notes.txt"]


def test_a_name_that_is_not_utf_8_is_shown_escaped(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.csv")).write_text("InvoiceNo\n2\n")
    assert refused(folder) == {"caf\\xe9.csv": "its name is not UTF-8; rename it"}


def test_markers_and_files_being_written_are_left_out(folder: Path) -> None:
    for name in ("_SUCCESS", ".part.csv", "_spark_metadata/0.csv"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    assert [unit.name for unit in judged(landing(folder)).units] == ["good.csv"]


def test_a_file_that_may_not_be_read_is_refused_by_name() -> None:
    """Read as another user, since nothing is forbidden to root."""
    program = (
        "import os, sys; from pathlib import Path; from tests.sources.test_landing import landing, refused\n"
        "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "landing(Path(sys.argv[1])).fingerprint(); print(refused(Path(sys.argv[1])))"
    )
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, "orders", f"ds={DS}")
        folder.mkdir(parents=True)
        Path(root).chmod(0o755)
        (folder / "locked.csv").write_text("InvoiceNo\n2\n")
        (folder / "locked.csv").chmod(0)
        command = [sys.executable, "-c", program, str(folder)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    expected = {"locked.csv": "it may not be read by this user; change its permissions"}
    assert done.stdout.strip() == str(expected), done.stderr


def test_names_and_contents_are_told_apart_in_the_fingerprint(folder: Path) -> None:
    (folder / "a.csv").write_text("b.csvx")
    one = landing(folder).fingerprint()
    (folder / "a.csv").unlink()
    (folder / "a.csvb.csv").write_text("x")
    assert landing(folder).fingerprint() != one


def test_a_column_may_have_another_name_in_the_files(folder: Path) -> None:
    (folder / "more.jsonl").write_text('{"InvoiceNo": 2, "country": "DE", "x": {"y": 1}}\n')
    pq.write_table(pa.table({"InvoiceNo": ["3"], "country": ["IT"]}), folder / "more.parquet")
    assert rows(folder) == [("1", "FR"), ("2", "DE"), ("3", "IT")]


def test_names_match_in_any_case_where_it_is_declared(folder: Path) -> None:
    (folder / "good.csv").write_text("invoiceno,COUNTRY\n1,FR\n")
    (folder / "more.jsonl").write_text('{"INVOICENO": 2, "Country": "DE"}\n')
    assert rows(folder, any_case=True) == [("1", "FR"), ("2", "DE")]
    assert "lacks ['invoice']" in refused(folder)["good.csv"]


def test_of_a_wide_header_a_few_unknown_names_are_shown(folder: Path) -> None:
    (folder / "good.csv").write_text(",".join(["InvoiceNo", *(f"n{number:03}" for number in range(500))]) + "\n")
    (unit,) = judged(landing(folder)).good
    assert unit.extra == (*(f"n{number:03}" for number in range(20)), "… and 480 more")


def test_two_columns_never_come_from_one_source() -> None:
    column = Column(name="other", source="INVOICENO", type="string", description="Clash.")
    with pytest.raises(ContractDeclarationError, match="several columns come from"):
        replace(ORDERS, columns=(*ORDERS.columns, column), source=Files(any_case=True))


def test_dictionary_columns_of_parquet_are_read(folder: Path) -> None:
    (folder / "good.csv").unlink()
    country = pa.array(["FR", "DE", None, "FR"]).dictionary_encode()
    numbers = pa.array([1, 2, 3, 4]).dictionary_encode()
    pq.write_table(pa.table({"InvoiceNo": numbers, "country": country}), folder / "part.parquet")
    assert rows(folder) == [("1", "FR"), ("2", "DE"), ("3", None), ("4", "FR")]


def test_a_row_of_parquet_is_refused_beyond_the_longest_record(folder: Path) -> None:
    """As a line of text is, and with its beginning as the record."""
    (folder / "good.csv").unlink()
    countries = ["FR", "x" * 30, "\u00e9" * 29, "D\nE"]
    pq.write_table(pa.table({"InvoiceNo": [1, 2, 3, 4], "country": countries}), folder / "part.parquet")
    assert rows(folder, longest_record=30) == [("1", "FR"), ("3", "\u00e9" * 29), ("4", "D\nE")]
    day = landing(folder, longest_record=30)
    found = pa.Table.from_batches(day.reader.batches(day.files()[0])).to_pylist()
    refusals = [(row["problem"], row["record"]) for row in found if row["problem"]]
    assert refusals == [("too_long", '{"invoice": "2", "country": "xxxxxxxxxxx"}'[:30])]
    assert sum(row["lines"] for row in found) == judged(day).records == 4


@pytest.mark.parametrize(
    ("numbers", "texts"),
    [
        (pa.array([17850.0, None, 1e15, 17850.5, 2.0**53]), ["17850", None, "1" + "0" * 15, "17850.5", ROUNDED]),
        (pa.array([17850.0, -3.0, 1e20], pa.float32()), ["17850", "-3", "1e+20"]),
        (pa.array([Decimal("17850.00")]), ["17850.00"]),
    ],
)
def test_integral_columns_of_parquet_may_be_floats(numbers: pa.Array, texts: list[str | None]) -> None:
    """A whole number that the float may have rounded keeps its exponent, and is refused as not_long."""
    column = Column(name="a", type="long", description="A number.", integral=True)
    batch = pa.RecordBatch.from_arrays([numbers], names=["a"])
    (found,) = parquet_batches("f", batch, ["a"], [column], 1000)
    assert found.column("a").to_pylist() == texts
    assert can_be(numbers.type, column)
    assert not can_be(numbers.type, replace(column, integral=False))


def test_a_day_is_complete_once_its_marker_is_there(folder: Path) -> None:
    day = landing(folder, complete="_SUCCESS")
    with pytest.raises(SourceMissingError, match=r"is not complete: _SUCCESS \(1 missing\)") as error:
        day.holds()
    assert (error.value.exit_code, day.so_far()) == (4, None)
    (folder / "_SUCCESS").touch()
    assert ([unit.name for unit in judged(day).units], day.so_far() is not None) == (["good.csv"], True)


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (
            '{"files": [{"name": "good.csv", "size": 23}, {"name": "more.csv", "size": 9}]}',
            r"more.csv \(missing, expected 9",
        ),
        ('{"files": [{"name": "good.csv", "size": 25}]}', r"good.csv \(23 bytes, expected 25 bytes\)"),
        ('{"files": [{"name": "good.csv"}]}', "a manifest.json of the form"),
        ('{"files": 7}', "a manifest.json of the form"),
        ("[]", "a manifest.json of the form"),
        ('{"files": [{"name"', "a manifest.json of the form"),
        ('{"files": [{"name": "good.csv", "size": 23}]}', ""),
    ],
)
def test_a_manifest_names_every_file_with_its_size(folder: Path, manifest: str, said: str) -> None:
    day = landing(folder, complete="manifest.json")
    (folder / "manifest.json").write_text(manifest)
    if said:
        with pytest.raises(SourceMissingError, match=said):
            day.holds()
    else:
        assert [(unit.name, unit.refused) for unit in judged(day).units] == [("good.csv", "")]
    assert (day.so_far() is not None) == (not said)


def test_an_empty_day_has_nothing_to_complete(folder: Path) -> None:
    (folder / "good.csv").unlink()
    day = landing(folder, complete="_SUCCESS")
    assert (judged(day).units, day.so_far()) == ((), None)


@pytest.mark.parametrize("marker", ["", " ", "a/b", ".."])
def test_a_marker_is_the_name_of_a_file(marker: str) -> None:
    with pytest.raises(ContractDeclarationError, match="is not allowed; expected the name of a file"):
        Files(complete=marker)


def test_many_files_are_shared_out_by_size() -> None:
    sizes = {"large": 90 << 20, **{f"small {number}": 1 << 20 for number in range(50)}}
    shares = shares_of(sizes, 2)
    assert sorted(name for share in shares for name in share) == sorted(sizes)
    assert [len(share) for share in shares] == [3, 48]
    assert shares_of({"one": 1}, 8) == [["one"]]
