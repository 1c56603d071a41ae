"""A dataset with a period every hour goes the way of any other."""

import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

import jobs.datasets
from common.days import Hour, day_range, from_text
from common.orchestration.chain import run_chain
from common.orchestration.job import Line
from common.planning.plan import plan_dataset
from common.reader.cli import main as features
from common.reports.status import day_statuses
from common.training.build import build_training_set, check_leaks
from common.training.store import read_split
from common.training.training_set import Snapshot, Split, TrainingSet
from jobs.backfill import CHAIN
from jobs.online_check import ONLINE_CHECK
from jobs.publish import ONLINE
from tests.support.play_lake import PlayLake
from tests.support.readings import Record, as_csv, expected, write_readings

# By the hour of arrival; 13 crosses midnight with the 24 hours before it, and three readings come late.
LANDED: dict[str, list[Record]] = {
    "2026-01-04T14": [(1, "m1", "2026-01-04T14:05:00", "1.00"), (2, "m2", "2026-01-04T14:59:59", "2.00")],
    "2026-01-05T11": [(3, "m1", "2026-01-05T11:00:00", "4.00")],
    "2026-01-05T12": [(4, "m1", "2026-01-05T12:30:00", "8.00"), (5, "m2", "2026-01-05T10:15:00", "16.00")],
    "2026-01-05T13": [
        (6, "m1", "2026-01-05T13:59:59", "32.00"),
        (3, "m1", "2026-01-05T11:00:00", "4.50"),  # corrects what came two hours before
        (7, "m2", "2026-01-05T10:00:00", "64.00"),  # too late by an hour
        (8, "m2", "2026-01-05T14:00:00", "128.00"),  # of an hour that has not begun
    ],
    "2026-01-05T14": [(9, "m3", "2026-01-05T12:00:00", "256.00")],
}


WINDOWS = ("readings_3h", "amount_3h", "amount_24h")


@pytest.fixture
def readings(lake: PlayLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlayLake]:
    write_readings(tmp_path / "datasets")
    monkeypatch.setattr(jobs.datasets, "__path__", [*jobs.datasets.__path__, str(tmp_path / "datasets")])
    hourly = PlayLake(lake.root, "readings")
    for ds, records in LANDED.items():
        hourly.land_bytes(ds, as_csv(records).encode(), "readings.csv")
    yield hourly
    for module in [name for name in sys.modules if name.startswith("jobs.datasets.readings")]:
        del sys.modules[module]


def backfill(lake: PlayLake, *hours: str) -> dict[str, Line]:
    return {line["ds"]: line for line in run_chain(CHAIN, [lake.plan("backfill", ds) for ds in hours])}


def windows(lake: PlayLake, ds: str) -> dict[str, tuple[int, Decimal, Decimal]]:
    return {row["meter"]: tuple(row[name] for name in WINDOWS) for row in lake.feature_rows(ds)}  # type: ignore[misc]


@pytest.mark.slow
def test_hours_are_what_plain_python_says_and_again_do_nothing(
    readings: PlayLake, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = backfill(readings, *LANDED)
    for ds in LANDED:
        assert windows(readings, ds) == expected(LANDED, ds)
    assert lines["2026-01-05T13"]["counts"]["clean_late"] == 1
    refused = {reason for row in readings.rows("quarantine", "ds = '2026-01-05T13'") for reason in row["reasons"]}
    assert refused == {"at:older_than_2_hours", "at:after_ds"}
    partitions = {
        str(file).split("event_date=")[1].split("/")[0] for file in readings.table("processed/readings").file_uris()
    }
    assert partitions == {"2026-01-04T14", "2026-01-05T10", "2026-01-05T11", "2026-01-05T12", "2026-01-05T13"}

    assert [day.ds for day in day_statuses(str(readings.lake_folder), "readings")] == [*LANDED]
    before = readings.state()
    assert {line["outcome"] for line in backfill(readings, *LANDED).values()} == {"nothing"}
    assert readings.state() == before

    # As known at an earlier hour: what came later does not change it, made again or read.
    known = readings.content()
    readings.features("2026-01-05T12", full_refresh=True)
    assert readings.content() == known
    assert readings.published.at().arrow(ds="2026-01-05T12", entities=["m1"])["amount_3h"].to_pylist() == [
        Decimal("12.00")
    ]

    # A late file of an earlier hour makes later ones stale: the windows that hold it.
    late: list[Record] = [*LANDED["2026-01-05T12"], (10, "m2", "2026-01-05T12:00:00", "512.00")]
    readings.land_bytes("2026-01-05T12", as_csv(late).encode(), "readings.csv")
    settings = readings.plan("plan", "2026-01-05T12").settings
    planned = plan_dataset("readings", settings, [from_text("2026-01-05T12")])
    assert {str(step.ds) for step in planned.steps} >= {"2026-01-05T12", "2026-01-05T13", "2026-01-05T14"}
    assert "2026-01-05T12" in [str(day) for first_last in planned.ranges() for day in first_last]
    again = backfill(readings, "2026-01-05T12")
    assert set(again) == {"2026-01-05T12", "2026-01-05T13", "2026-01-05T14"}
    for ds in LANDED:
        assert windows(readings, ds) == expected({**LANDED, "2026-01-05T12": late}, ds)

    assert features(["show", "readings", "--ds", "2026-01-05T13", "--lake", str(readings.lake_folder)]) == 0
    assert "2026-01-05T13" in capsys.readouterr().out
    assert features(["show", "readings", "--ds", "2026-01-05", "--lake", str(readings.lake_folder)]) == 2
    assert "YYYY-MM-DDTHH" in capsys.readouterr().err


@pytest.mark.slow
def test_hours_reach_training_sets_and_the_online_store(
    readings: PlayLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    backfill(readings, *LANDED)
    declared = TrainingSet(
        name="usage",
        description="",
        examples=Snapshot(table="readings@v1", label="amount_3h"),
        split=Split(train_until=Hour(2026, 1, 5, 12), val_until=Hour(2026, 1, 5, 13)),
    )
    runs = [readings.plan("training_set", str(hour)) for hour in day_range(Hour(2026, 1, 5, 14), before=24)]
    build_training_set(runs, declared, None)
    found = {
        split: {
            (row["meter"], f"{row['example_time']:%dT%H}"): tuple(row[name] for name in WINDOWS)
            for row in read_split(str(readings.lake_folder), "usage", split).to_pylist()
        }
        for split in ("train", "val", "test")
    }
    hours = {
        "train": {"04T15": "04T14", "05T12": "05T11", "05T13": "05T12"},
        "val": {"05T14": "05T13"},
        "test": {"05T15": "05T14"},
    }
    assert found == {
        split: {
            (meter, known): row for known, ds in of.items() for meter, row in expected(LANDED, f"2026-01-{ds}").items()
        }
        for split, of in hours.items()
    }
    before = readings.state()
    assert build_training_set(runs, declared, None)["outcome"] == "nothing"
    assert check_leaks(runs, declared, None)["leaks"] == 0
    assert readings.state() == before

    last = "2026-01-05T14"
    assert readings.run(ONLINE, last)["counts"]["online"] == 3
    assert readings.run(ONLINE_CHECK, last)["share"] == 1.0
    assert readings.run(ONLINE, last)["outcome"] == "nothing"
    ours = str(expected(LANDED, last)["m1"][1])
    out, lake = tmp_path / "got.csv", str(readings.lake_folder)
    assert features(["get", "readings", "--ds", f"2026-01-05T13..{last}", "--lake", lake, "--out", str(out)]) == 0
    assert [line.split(",")[0].strip('"') for line in out.read_text().splitlines()[1:]] == ["2026-01-05T13"] * 2 + [
        last
    ] * 3
    assert ours in out.read_text()
    capsys.readouterr()
    monkeypatch.setenv("ONLINE", readings.online)
    assert features(["vector", "readings", "m1", "--lake", lake]) == 0
    shown = capsys.readouterr().out
    assert last in shown and ours in shown
