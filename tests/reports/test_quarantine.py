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


def test_reasons_are_listed_by_day_most_frequent_first() -> None:
    rows = [row("age:over_120"), row("user_id:missing", copies=3), row("age:over_120", ds=date(2026, 1, 4))]
    found = [(ds, reason, count) for ds, reason, count, _ in quarantine.by_reason(rows, CONTRACT)]
    assert found == [
        ("2026-01-04", "age:over_120", 1),
        ("2026-01-05", "user_id:missing", 3),
        ("2026-01-05", "age:over_120", 1),
    ]


def test_a_record_with_two_reasons_is_listed_under_both() -> None:
    found = quarantine.by_reason([row("age:over_120", "user_id:missing")], CONTRACT)
    assert [(reason, count) for _, reason, count, _ in found] == [("age:over_120", 1), ("user_id:missing", 1)]


def test_a_few_records_are_shown_with_their_file() -> None:
    rows = [row("age:over_120", record=f"record {number}") for number in range(9)] + [row("age:over_120", file=None)]
    ((_, _, count, shown),) = quarantine.by_reason(rows, CONTRACT)
    assert (count, len(shown)) == (10, quarantine.EXAMPLES)
    assert shown[0] == "a.csv record 0"


def test_sensitive_values_are_not_shown() -> None:
    columns = tuple(replace(each, sensitive=each.name == "age") for each in CONTRACT.columns)
    rows = [
        row("age:over_120"),
        row("wrong_number_of_fields", record="200,torn"),
        row("file_refused", record="not utf-8"),
    ]
    found = quarantine.by_reason(rows, replace(CONTRACT, columns=columns))
    assert [shown for *_, shown in found] == [['a.csv {"age":"(masked)"}'], ["a.csv not utf-8"], ["a.csv (masked)"]]
    unmasked = quarantine.by_reason(rows, replace(CONTRACT, columns=columns), unmasked=True)
    assert [shown for *_, shown in unmasked][::2] == [['a.csv {"age":"200"}'], ["a.csv 200,torn"]]


def test_the_report_shows_the_table_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quarantine.show_refused("transactions", None, str(tmp_path))
    assert "Nothing of transactions is in quarantine" in capsys.readouterr().out
    rows = pa.Table.from_pylist([{**row("age:over_120"), "job": "clean"}])
    write_deltalake(str(tmp_path / "quarantine/transactions"), rows, partition_by=["ds", "job"])
    quarantine.show_refused("transactions", "2026-01-05", str(tmp_path))
    assert "age:over_120" in capsys.readouterr().out


def test_values_are_shown_without_running_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = pa.Table.from_pylist([{**row("torn", record="[red]x[/red]\x1b[2J :bomb:", file="z\na.csv"), "job": "clean"}])
    write_deltalake(str(tmp_path / "quarantine/transactions"), rows, partition_by=["ds", "job"])
    quarantine.show_refused("transactions", None, str(tmp_path))
    shown = "".join(capsys.readouterr().out.split())
    assert r"z\na.csv[red]x[/red]\x1b[2J:bomb:" in shown
