"""The quarantine report: every reason with its count and a few records."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from common.contracts import datasets
from common.reports import quarantine

CONTRACT = datasets.load("transactions").contract
DAY = date(2026, 1, 5)


def row(*reasons: str, **changed: Any) -> dict[str, Any]:
    return {"ds": DAY, "reasons": [*reasons], "record": '{"age":"200"}', "copies": 1, "file": "a.csv", **changed}


def test_reasons_are_listed_most_frequent_first_with_their_days() -> None:
    rows = [row("age:over_120"), row("user_id:missing", copies=3), row("age:over_120", ds=date(2026, 1, 4))]
    found = quarantine.by_reason(rows, CONTRACT)
    assert [refusal.words for refusal in found] == [
        "user_id:missing  3 records, 2026-01-05",
        "age:over_120  2 records, 2 days, 2026-01-04..2026-01-05",
    ]


def test_rows_landed_a_day_too_early_name_the_right_day() -> None:
    (refusal,) = quarantine.by_reason([row("timestamp:after_ds")], CONTRACT)
    assert refusal.words.endswith("1 record, 2026-01-05  (land a row under the day, in UTC, of its event time)")


@pytest.mark.parametrize(
    ("time", "zone", "day"),
    [
        ("2026-01-05T23:30:00-02:00", "UTC", "2026-01-06"),
        ("2026-01-05 20:30:00", "America/New_York", "2026-01-06"),
        ("9999-12-31T00:00:00Z", "UTC", ""),
        ("6.1.2026", "UTC", ""),
    ],
)
def test_an_event_after_its_day_names_the_day_to_land_it_under(time: str, zone: str, day: str) -> None:
    record = row("timestamp:after_ds", record=f'{{"timestamp":"{time}"}}')
    ((refusal),) = quarantine.by_reason([record], replace(CONTRACT, zone=zone))
    advice = f", land it under {day}" if day else ""
    assert refusal.examples[0].words == f"2026-01-05  a.csv  timestamp = '{time}'{advice}"


def test_a_record_with_two_reasons_is_listed_under_both() -> None:
    found = quarantine.by_reason([row("age:over_120", "user_id:missing")], CONTRACT)
    assert [(refusal.reason, refusal.records) for refusal in found] == [("age:over_120", 1), ("user_id:missing", 1)]


def shown(reason: str, record: str) -> str:
    ((refusal),) = quarantine.by_reason([row(reason, record=record)], CONTRACT)
    return refusal.examples[0].words


def test_an_example_names_file_field_and_value() -> None:
    assert shown("age:over_120", '{"age":"200","user_id":"7"}') == "2026-01-05  a.csv  age = '200'"
    assert shown("age:not_int", '{"age":" 2\\u001b[31m"}') == "2026-01-05  a.csv  age = ' 2\\x1b[31m'"
    assert shown("user_id:missing", '{"age":"200","user_id":null}') == "2026-01-05  a.csv  user_id = nothing"


def test_a_record_without_fields_is_shown_as_it_came() -> None:
    assert shown("too_few_fields", "t1,200") == "2026-01-05  a.csv  t1,200"
    assert shown("file_refused", "its header lacks user_id") == "2026-01-05  a.csv  its header lacks user_id"
    assert shown("too_few_fields", "\x1b[31mred") == "2026-01-05  a.csv  \\x1b[31mred"
    assert shown("age:over_120", "torn") == "2026-01-05  a.csv  torn"


def test_a_few_different_records_are_shown() -> None:
    rows = [row("too_few_fields", record=f"record {number % 5}") for number in range(9)]
    (refusal,) = quarantine.by_reason([*rows, row("too_few_fields", file=None)], CONTRACT)
    assert (refusal.records, len(refusal.examples)) == (10, quarantine.EXAMPLES)


def test_sensitive_values_are_not_shown() -> None:
    columns = tuple(replace(each, sensitive=each.name == "age") for each in CONTRACT.columns)
    rows = [
        row("age:over_120"),
        row("too_few_fields", record="200,torn"),
        row("file_refused", record="not utf-8"),
    ]
    found = quarantine.by_reason(rows, replace(CONTRACT, columns=columns))
    assert {refusal.reason: refusal.examples[0].words.rpartition("  ")[2] for refusal in found} == {
        "age:over_120": "age = (masked)",
        "too_few_fields": "(masked)",
        "file_refused": "not utf-8",
    }
    unmasked = quarantine.by_reason(rows, replace(CONTRACT, columns=columns), unmasked=True)
    assert {refusal.reason: refusal.examples[0].words.rpartition("  ")[2] for refusal in unmasked} == {
        "age:over_120": "age = '200'",
        "too_few_fields": "200,torn",
        "file_refused": "not utf-8",
    }


def test_the_report_shows_the_table_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quarantine.show_refused("transactions", None, str(tmp_path), str(tmp_path))
    assert "Nothing of transactions is in quarantine" in capsys.readouterr().out
    rows = pa.Table.from_pylist([{**row("age:over_120"), "job": "clean"}])
    write_deltalake(str(tmp_path / "quarantine/transactions"), rows, partition_by=["ds", "job"])
    landed = tmp_path / "transactions" / f"ds={DAY}" / "a.csv"
    landed.parent.mkdir(parents=True)
    landed.write_text("age\n30\n200\n")
    quarantine.show_refused("transactions", "2026-01-05", str(tmp_path), str(tmp_path))
    assert capsys.readouterr().out.splitlines()[:2] == [
        "age:over_120  1 record, 2026-01-05",
        "  2026-01-05  a.csv:3  age = '200'",
    ]


def test_values_are_shown_without_running_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = pa.Table.from_pylist([{**row("torn", record="[red]x[/red]\x1b[2J :bomb:", file="z\na.csv"), "job": "clean"}])
    write_deltalake(str(tmp_path / "quarantine/transactions"), rows, partition_by=["ds", "job"])
    quarantine.show_refused("transactions", None, str(tmp_path), str(tmp_path))
    shown = "".join(capsys.readouterr().out.split())
    assert r"z\na.csv[red]x[/red]\x1b[2J:bomb:" in shown
