"""Training sets of hours: what was known at each label's time, by DuckDB's ASOF join, and nothing of an open hour."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from common.days import Hour, days_between
from common.errors import ContractDeclarationError, ContractViolationError, UsageError
from common.lake import training_manifests
from common.training import as_of_join, build, store
from common.training.training_set import From, Labels, Snapshot, Split, TrainingSet
from tests.support.offers import labels
from tests.support.play_lake import PlayLake
from tests.support.published_tables import HOURLY, publish
from tests.support.tables_as_text import assert_rows

HOURS = days_between(Hour(2026, 1, 5, 10), Hour(2026, 1, 6, 2))
# Hours that cross midnight; user 2 has none for a while.
BY_HOUR = """
ds            | user_id | spend
2026-01-05T09 | 1       | 9.00
2026-01-05T12 | 1       | 12.00
2026-01-05T12 | 2       | 0.12
2026-01-05T13 | 1       | 13.00
2026-01-05T14 | 1       | 14.00
2026-01-05T23 | 1       | 23.00
2026-01-06T00 | 1       | 24.00
2026-01-06T01 | 2       | 0.25
"""
BY_DAY = """
ds         | user_id | mean
2026-01-03 | 1       | 3
2026-01-04 | 1       | 4
2026-01-05 | 1       | 5
2026-01-05 | 2       | 50
"""
ASKED = """
user_id | at                  | left
1       | 2026-01-05T10:00:00 | 0
1       | 2026-01-05T12:59:59 | 0
1       | 2026-01-05T13:00:00 | 1
1       | 2026-01-05T14:00:00 | 0
1       | 2026-01-05T15:30:00 | 0
1       | 2026-01-05T18:00:00 | 1
1       | 2026-01-06T00:00:00 | 1
1       | 2026-01-06T02:59:59 | 0
2       | 2026-01-05T13:30:00 | 0
2       | 2026-01-06T01:59:59 | 1
2       | 2026-01-06T02:00:00 | 1
3       | 2026-01-05T20:00:00 | 0
1       | 2026-01-05T09:59:59 | 0
1       | 2026-01-06T03:00:00 | 0
"""
SOURCES = (
    From(table="purchases@v1", columns=("spend",), gap_hours=1),
    From(table="purchases@v1", columns=("spend",), max_age_hours=3),
    From(table="visits@v1", columns=("mean",), max_age_days=1),
)
LEAVING = TrainingSet(
    name="leaving",
    description="",
    examples=Labels(entity="user_id", time="at", label="left"),
    split=Split(train_until=Hour(2026, 1, 5, 13), val_until=date(2026, 1, 5)),
    features=SOURCES,
)
SPENDING = TrainingSet(
    name="spending",
    description="",
    examples=Snapshot(table="purchases@v1", label="spend"),
    split=Split(train_until=Hour(2026, 1, 5, 12), val_until=Hour(2026, 1, 5, 22)),
)


@pytest.fixture
def tables(lake: PlayLake) -> PlayLake:
    publish(lake.lake_folder, BY_HOUR, schema=HOURLY)
    publish(lake.lake_folder, BY_DAY, table="visits/v1")
    return lake


@pytest.fixture(scope="module")
def built_once(tmp_path_factory: pytest.TempPathFactory, spark: object) -> PlayLake:
    lake = PlayLake(tmp_path_factory.mktemp("hours"))
    publish(lake.lake_folder, BY_HOUR, schema=HOURLY)
    publish(lake.lake_folder, BY_DAY, table="visits/v1")
    make(lake, LEAVING, labels(lake, ASKED))
    return lake


@pytest.fixture
def built(built_once: PlayLake, tmp_path: Path) -> PlayLake:
    """The same tables, and the training set of labels."""
    return built_once.copied(tmp_path)


def make(lake: PlayLake, declared: TrainingSet, given: str | None = None, hours: list[Any] = HOURS) -> dict[str, Any]:
    return build.build_training_set([lake.plan("training_set", str(hour)) for hour in hours], declared, given)


def splits(lake: PlayLake, name: str) -> dict[str, pa.Table]:
    return {split: store.read_split(str(lake.lake_folder), name, split) for split in ("train", "val", "test")}


def rows_of(lake: PlayLake, name: str) -> list[dict[str, Any]]:
    return [{"split": split, **row} for split, rows in splits(lake, name).items() for row in rows.to_pylist()]


def by_duckdb(file: Path) -> list[tuple[Any, ...]]:
    """The same by ASOF joins over the texts: the table of hours twice, with a gap and with an age, and that of days."""
    texts = {"by_hour": BY_HOUR, "by_day": BY_DAY}
    with duckdb.connect() as connection:
        for name, text in texts.items():
            clean = file.with_name(f"{name}.csv")
            clean.write_text("\n".join(",".join(c.strip() for c in r.split("|")) for r in text.strip().splitlines()))
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM read_csv('{clean}', all_varchar=true)")
        return connection.execute(
            f"""
            WITH asked AS (SELECT user_id::int AS who, "at"::timestamp AS at, "left"::int AS label
                           FROM read_csv('{file}', all_varchar=true)
                           WHERE "at"::timestamp >= '2026-01-05 10:00' AND "at"::timestamp < '2026-01-06 03:00'),
            hours AS (SELECT user_id::int AS who, spend::decimal(22,2) AS spend,
                      strptime(ds, '%Y-%m-%dT%H') + INTERVAL 1 HOUR AS known FROM by_hour),
            gap AS (SELECT *, known + INTERVAL 1 HOUR AS usable FROM hours),
            days AS (SELECT user_id::int AS who, mean::double AS mean, ds::timestamp + INTERVAL 1 DAY AS known FROM by_day)
            SELECT asked.at, asked.who, label, gap.spend,
                   CASE WHEN hours.known >= asked.at - INTERVAL 3 HOUR THEN hours.spend END,
                   CASE WHEN days.known >= asked.at - INTERVAL 1 DAY THEN days.mean END,
                   CASE WHEN asked.at < '2026-01-05 14:00' THEN 'train' WHEN asked.at < '2026-01-06' THEN 'val' ELSE 'test' END
            FROM asked ASOF LEFT JOIN gap ON asked.who = gap.who AND asked.at >= gap.usable
            ASOF LEFT JOIN hours ON asked.who = hours.who AND asked.at >= hours.known
            ASOF LEFT JOIN days ON asked.who = days.who AND asked.at >= days.known
            ORDER BY ALL"""
        ).fetchall()


def test_labels_of_hours_equal_duckdbs_asof_join(built: PlayLake) -> None:
    tables, given = built, labels(built, ASKED)
    manifest = training_manifests.manifest(str(built.lake_folder), "leaving")
    found = sorted(
        (
            row["example_time"].replace(tzinfo=None),
            *(row[name] for name in ("user_id", "left", "spend", "purchases_spend", "mean", "split")),
        )
        for row in rows_of(tables, "leaving")
    )
    assert found == by_duckdb(Path(given))
    assert {row[3] for row in found} > {None, Decimal("9.00"), Decimal("14.00")}
    assert manifest["inputs"]["days"] == ["2026-01-05T10", "2026-01-06T02"]
    assert manifest["counts"]["labels_outside"] == 2
    before = tables.state()
    assert make(tables, LEAVING, given)["outcome"] == "nothing"
    assert tables.state() == before


def test_only_hours_that_labels_can_meet_decide(built: PlayLake) -> None:
    """The last hour's row is known only after the range; the one before it is used."""
    tables = built
    later = BY_HOUR + "2026-01-06T02 | 1 | 26.00"
    publish(tables.lake_folder, later, schema=HOURLY)
    assert make(tables, LEAVING, labels(tables, ASKED))["version"] == 1
    publish(tables.lake_folder, later + "\n2026-01-06T01 | 1 | 25.00", schema=HOURLY)
    assert make(tables, LEAVING, labels(tables, ASKED))["version"] == 2


def check(lake: PlayLake) -> dict[str, int]:
    return build.check_leaks([lake.plan("leakcheck", str(hour)) for hour in HOURS], LEAVING, labels(lake, ASKED))


def test_a_row_of_an_open_hour_reaches_no_label(tables: PlayLake, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check(tables) == {"changed_columns": 6, "leaks": 0, "examples": 12}
    monkeypatch.setattr(as_of_join, "known_at", as_of_join.period_columns.start)
    with pytest.raises(ContractViolationError, match="not known by the time of their label"):
        check(tables)


def test_rows_of_hours_are_split_by_their_own_hour(tables: PlayLake) -> None:
    manifest = make(tables, SPENDING)
    assert_rows(
        [{**row, "known": f"{row['example_time']:%dT%H:%M}"} for row in rows_of(tables, "spending")],
        """
        split | user_id | spend | known
        train | 1       | 12.00 | 05T13:00
        train | 2       | 0.12  | 05T13:00
        val   | 1       | 13.00 | 05T14:00
        val   | 1       | 14.00 | 05T15:00
        test  | 1       | 23.00 | 06T00:00
        test  | 1       | 24.00 | 06T01:00
        test  | 2       | 0.25  | 06T02:00
        """,
    )
    assert manifest["counts"]["examples"] == 7
    assert make(tables, SPENDING)["outcome"] == "nothing"
    times = pc.unique(splits(tables, "spending")["train"]["example_time"]).to_pylist()
    assert times == [datetime(2026, 1, 5, 13, tzinfo=UTC)]


def test_a_days_rows_are_not_split_by_an_hour(tables: PlayLake) -> None:
    declared = TrainingSet(
        name="seen", description="", examples=Snapshot(table="visits@v1", label="mean"), split=SPENDING.split
    )
    with pytest.raises(UsageError, match=r"ends at 2026-01-05T12, 2026-01-05T22, but .* visits@v1 are of days"):
        make(tables, declared, hours=[date(2026, 1, 5)])


def test_a_moment_is_no_end_of_a_split_and_two_ages_are_one_too_many() -> None:
    with pytest.raises(ContractDeclarationError, match=r"are moments; expected days, or hours such as Hour\("):
        Split(train_until=datetime(2026, 1, 5, 13, 30), val_until=date(2026, 1, 6))
    with pytest.raises(ContractDeclarationError, match="is after val_until"):
        Split(train_until=date(2026, 1, 5), val_until=Hour(2026, 1, 5, 22))
    with pytest.raises(ContractDeclarationError, match="both max_age_days 1 and max_age_hours 3"):
        From(table="t", max_age_days=1, max_age_hours=3)
    with pytest.raises(ContractDeclarationError, match="max_age_hours 3 leaves nothing beyond gap_hours 3"):
        From(table="t", max_age_hours=3, gap_hours=3)


@pytest.mark.parametrize(
    ("source", "every", "reach"),
    [
        (From(table="t"), "hour", ("1970-01-01T00", "2026-01-06T01")),
        (From(table="t", gap_hours=1, max_age_hours=3), "hour", ("2026-01-05T06", "2026-01-06T00")),
        (From(table="t", max_age_days=1), "hour", ("2026-01-04T09", "2026-01-06T01")),
        (From(table="t", max_age_days=1), "day", ("2026-01-04", "2026-01-05")),
        (From(table="t", gap_hours=4, max_age_hours=48), "day", ("2026-01-03", "2026-01-04")),
    ],
)
def test_labels_of_hours_reach_what_is_known_by_then(source: From, every: str, reach: tuple[str, str]) -> None:
    assert tuple(map(str, source.reach(HOURS[0], HOURS[-1], every))) == reach


def test_what_was_built_before_hours_came_keeps_its_fingerprint() -> None:
    """The text of a declaration is part of it, so a new field must not show where it is not used."""
    assert (
        "max_age_hours"
        not in TrainingSet(
            name="a", description="", examples=LEAVING.examples, split=Split(seed="s"), features=(From(table="t@v1"),)
        ).identity
    )
    assert "max_age_hours=3" in LEAVING.identity
