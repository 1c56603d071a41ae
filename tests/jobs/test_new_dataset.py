"""A new dataset's folder is guessed from a file, to be read and edited."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

import jobs.datasets
from common.contracts import datasets
from common.contracts.aggregates import Count, Pick, Sum
from common.contracts.contract import LINE, Contract
from common.reports.check_dataset import faults_of
from common.sources.guessing.contract_text import contract_text
from common.sources.guessing.first_rows import Sample
from common.sources.guessing.guess import event_time_of, guess_columns, keys_of
from jobs.new_dataset import main
from tests.support.play_lake import PlayLake

ORDERS = """InvoiceNo;CustomerID;Country;Quantity;UnitPrice;InvoiceDate;Gift;email;Coupon
536365;17850;UK;6;2.55;01.12.2025 08:26;true;a@example.org;
536366;17850;UK;8;3.39;01.12.2025 08:28;false;b@example.org;
536367;13047;France;6;10.5;02.12.2025 09:00;false;;X1
536368;13047;UK;2;4.95;02.12.2025 09:01;true;c@example.org;
536369;13047;France;3;4.95;13.12.2025 10:15;true;c@example.org;
536370;12583;France;24;3.75;13.12.2025 11:45;false;d@example.org;
"""
WIDE = ",".join(f"n{number}" for number in range(40_000))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of datasets that the engine knows."""
    here = tmp_path / "datasets"
    here.mkdir()
    monkeypatch.setattr(jobs.datasets, "__path__", [*jobs.datasets.__path__, str(here)])
    yield here
    for module in [name for name in sys.modules if name.startswith("jobs.datasets.orders")]:
        del sys.modules[module]


def new(folder: Path, file: Path, name: str = "orders") -> Contract:
    main([name, "--from", str(file), "--out", str(folder)])
    return datasets.load(name).contract


def orders(tmp_path: Path) -> Path:
    file = tmp_path / "orders.csv"
    file.write_text(ORDERS)
    return file


def test_a_contract_is_guessed_from_a_csv(folder: Path, tmp_path: Path) -> None:
    contract = new(folder, orders(tmp_path))
    assert {column.name: (column.type, column.required) for column in contract.columns} == {
        "invoice_no": ("long", True),
        "customer_id": ("int", True),
        "country": ("string", True),
        "quantity": ("int", True),
        "unit_price": ("decimal(12,2)", True),
        "invoice_date": ("timestamp", True),
        "gift": ("boolean", True),
        "email": ("string", False),
        "coupon": ("string", False),
    }
    assert contract.key == ("invoice_no",)
    assert {column.source for column in contract.columns} >= {"InvoiceNo", "CustomerID", None}
    assert contract.event_time == "invoice_date"
    assert contract.source.delimiter == ";"
    assert contract.column("invoice_date").formats == ("d.M.yyyy H:mm",)
    assert contract.column("country").values == ("France", "UK")
    assert contract.column("quantity").minimum == 0
    assert [column.name for column in contract.columns if column.sensitive] == ["email"]
    assert contract.features.entity == "customer_id"
    assert {type(feature.rule) for feature in contract.features.columns} == {Count, Sum}
    text = (folder / "orders/contract.py").read_text()
    assert "# 5 different values, 2 to 24" in text
    assert "16.7% missing" in text


def test_what_is_written_has_no_faults_and_is_formatted(folder: Path, tmp_path: Path) -> None:
    new(folder, orders(tmp_path))
    assert faults_of("orders") == []
    ruff = [sys.executable, "-m", "ruff"]
    for check in (["format", "--check"], ["check", "--ignore", "INP001"]):
        done = subprocess.run([*ruff, *check, str(folder / "orders")], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_file_without_times_is_a_whole_table_a_day(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "customers.jsonl.gz"
    lines = [
        json.dumps({"customer": f"c{n:03}", "plan": "abc"[n % 3], "bill": 1.5 * n, "left": n == 3}) for n in range(12)
    ]
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    contract = new(folder, file)
    assert (contract.event_time, contract.key, contract.features.entity) == (None, ("customer",), "customer")
    assert contract.column("plan").values == ("a", "b", "c")
    assert {type(feature.rule) for feature in contract.features.columns} == {Pick}
    assert contract.column("bill").type == "decimal(12,1)"


def test_a_day_runs_on_a_contract_as_it_was_guessed(folder: Path, lake: PlayLake, tmp_path: Path) -> None:
    file = lake.landing / "orders/ds=2026-01-05/orders.csv"
    file.parent.mkdir(parents=True)
    file.write_text(
        "order_id,user_id,amount,at\n1,7,2.50,2026-01-05T10:00:00Z\n2,7,1.25,2026-01-05T11:00:00Z\n3,8,,2026-01-05\n"
    )
    new(folder, file)
    lines = PlayLake(tmp_path, "orders").day("2026-01-05")
    assert lines["clean"]["counts"]["accepted"] == 3
    assert lines["features"]["counts"]["features"] == 2


def test_a_parquet_file_is_read_too(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "orders.parquet"
    parquet.write_table(pa.table({"id": [1, 2, 3], "ds": ["2026-01-05"] * 3, "big": [1.0, 2.5, None]}), file)
    columns = {column.name: column.type for column in new(folder, file).columns}
    assert columns == {"id": "long", "column_ds": "date", "big": "decimal(12,1)"}


def test_whole_numbers_with_a_fraction_of_zero_are_integral(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "orders.json"
    file.write_text('{"id": 1, "customer": 17850.0}\n{"id": 2, "customer": null}\n')
    columns = {column.name: (column.type, column.integral) for column in new(folder, file).columns}
    assert columns == {"id": ("long", False), "customer": ("long", True)}


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_sample_with_a_very_long_field_is_read(folder: Path, tmp_path: Path, ending: str) -> None:
    """The contract declares a longest record in which the sample can be ingested."""
    note = "x" * 1_200_000
    file = tmp_path / f"orders.{ending}"
    file.write_text(f"id,note\n1,{note}\n2,y\n" if ending == "csv" else json.dumps({"id": 1, "note": note}))
    contract = new(folder, file)
    assert 1_200_000 < contract.source.longest_record < 3_000_000
    assert contract.column("note").type == "string"


def test_two_columns_together_can_be_the_key() -> None:
    columns = guess_columns(Sample({"shop": ["1", "1", "2"], "line": ["1", "2", "1"], "note": ["a", "a", "a"]}))
    assert keys_of(columns) == [("shop", "line")]
    assert event_time_of(columns) is None


def test_events_that_nothing_identifies_are_known_by_their_line(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "visits.csv"
    file.write_text("visitor,at\nann,2026-01-05\nann,2026-01-05\nbob,2026-01-06\n")
    contract = new(folder, file)
    assert (contract.key, contract.event_time, contract.features.entity) == (LINE, "at", "visitor")
    assert faults_of("orders") == []


@pytest.mark.parametrize(
    ("texts", "type_"),
    [
        (["007", "012"], "string"),
        (["1", "2", "2"], "int"),
        (["12345678901", "1"], "long"),
        (["17850.0", "13047", None], "long"),
        (["1.5", "20"], "decimal(12,1)"),
        (["2.00", "1.00"], "decimal(12,2)"),
        (["1e5", "2.5"], "double"),
        (["2026-01-05", "2026-01-06"], "date"),
        (["2026-01-05T10:00:00Z", "2026-01-06 11:00"], "timestamp"),
        (["05.01.2026", "31.12.2025"], "date"),
        (["12/31/2025"], "date"),
        (["True", "false"], "boolean"),
        ([None, None], "string"),
    ],
)
def test_the_type_fits_all_texts(texts: list[str | None], type_: str) -> None:
    [column] = guess_columns(Sample({"a": texts}))
    assert column.type == type_


def test_an_existing_dataset_is_never_overwritten(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new(folder, orders(tmp_path))
    (folder / "orders/contract.py").write_text("edited")
    with pytest.raises(SystemExit) as ended:
        main(["orders", "--from", str(tmp_path / "orders.csv"), "--out", str(folder)])
    assert ended.value.code == 2
    assert "exists already and was not changed" in capsys.readouterr().err
    assert (folder / "orders/contract.py").read_text() == "edited"


@pytest.mark.parametrize(
    ("day", "told"), [("12/1/2010 8:26", True), ("12/31/2010 8:26", False), ("31/12/2010 8:26:30", False)]
)
def test_a_date_that_can_be_read_in_two_ways_is_told(folder: Path, tmp_path: Path, day: str, told: bool) -> None:
    (tmp_path / "orders.csv").write_text(f"id,at\n1,{day}\n2,{day}\n")
    new(folder, tmp_path / "orders.csv")
    text = (folder / "orders/contract.py").read_text()
    assert 'type="timestamp"' in text
    assert ("dates of M/d/yyyy H:mm too: ask the sender which it is" in text) is told


@pytest.mark.parametrize(
    ("name", "file", "content", "expected"),
    [
        ("Orders", "a.csv", b"id\n1\n", "'Orders' is not allowed as a name"),
        ("../orders", "a.csv", b"id\n1\n", "is not allowed as a name"),
        ("orders", "a.xlsx", b"", "ends in none of .csv, "),
        ("orders", "a.csv", b"", "has no columns"),
        ("orders", "a.jsonl", b"nonsense\n", "can't be read"),
        ("orders", "a.jsonl", b"7\n", "no JSON objects"),
        ("orders", "a.json", b'[\n{"id": 1}\n]\n', "expected JSON lines"),
        ("orders", "a.parquet", b"nonsense", "can't be read"),
        ("orders", "a.csv", "id\n1\n".encode("utf-16"), "it holds NUL bytes, as UTF-16 does; convert it to UTF-8"),
        ("orders", "a.csv", WIDE.encode() + b"\n", "it has 40,000 columns; expected at most 5,000"),
        ("orders", "a.json", json.dumps(dict.fromkeys(WIDE.split(","), 1)).encode(), "it has 40,000 columns"),
    ],
)
def test_what_cannot_be_guessed_from_is_told(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    file: str,
    content: bytes,
    expected: str,
) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        main([name, "--from", str(tmp_path / file), "--out", str(folder)])
    assert ended.value.code == 2
    assert expected in capsys.readouterr().err
    assert not [*folder.iterdir()]


CELLS = st.none() | st.text(max_size=6) | st.sampled_from(["1", "2026-01-05"])
COLUMNS = st.dictionaries(st.text(max_size=40), st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=4)


@given(COLUMNS)
def test_whatever_a_file_holds_the_contract_can_be_declared(columns: dict[str, list[str | None]]) -> None:
    module: dict[str, object] = {}
    exec(contract_text("orders", "a.csv", Sample(columns)), module)
    assert isinstance(module["CONTRACT"], Contract)
