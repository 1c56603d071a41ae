"""Rows of a real PostgreSQL and a real MariaDB: nothing lost, nothing changed, one moment, and mistakes told."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from common.contracts.aggregates import Pick
from common.contracts.contract import Column, Contract, Feature, Features
from common.errors import ContractViolationError, SourceMissingError, SourceUnreachableError, UsageError
from common.orchestration.job import Line
from common.sources.databases.jdbc import Jdbc, OpenedTable
from common.sources.opening import open_period
from common.sources.source import Period
from tests.support.disturbed import disturbed
from tests.support.play_lake import PlayLake
from tests.support.servers import Database, database

DAY = "2026-01-05"
YESTERDAY = str(datetime.now(UTC).date() - timedelta(days=1))
PURCHASES = """CREATE TABLE purchases (
    transaction_id VARCHAR(20) PRIMARY KEY, user_id BIGINT, age INT, purchase_amount DECIMAL(12,2), {timestamp},
    category VARCHAR(20), payment_method VARCHAR(20), updated_at {moment}
)"""
CHANGES = Jdbc(database="shop", table="purchases", watermark="updated_at")


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> Iterator[Database]:
    with database(request.param) as started:
        yield started


@pytest.fixture
def shop(server: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    postgres = server.kind == "postgresql"
    monkeypatch.setenv("SHOP_DATABASE", server.address)
    named = '"timestamp" timestamptz' if postgres else "`timestamp` TIMESTAMP NULL"
    server.run("DROP TABLE IF EXISTS purchases")
    server.run(PURCHASES.format(timestamp=named, moment="timestamptz" if postgres else "TIMESTAMP NULL"))
    yield server


def sold(shop: Database, *rows: tuple[str, str]) -> None:
    """Of an id, and the time in UTC at which the row was changed last."""
    zone = "+00" if shop.kind == "postgresql" else ""
    start = "" if shop.kind == "postgresql" else "SET time_zone = '+00:00'; "
    values = [f"('{name}', 1, 30, 10.00, '{DAY} 10:00:00{zone}', 'food', 'card', '{at}{zone}')" for name, at in rows]
    shop.run(f"{start}INSERT INTO purchases VALUES {', '.join(values)}")


def ingest(lake: PlayLake, source: Jdbc, ds: str = DAY, **options: Any) -> Line:
    return lake.with_contract(source=source).ingest(ds, **options)


def test_a_period_holds_what_was_changed_in_it(lake: PlayLake, shop: Database) -> None:
    times = (
        "2026-01-04 23:49:59",
        "2026-01-04 23:50:00",
        "2026-01-05 00:00:00",
        "2026-01-05 23:59:59",
        "2026-01-06 00:00:00",
    )
    sold(shop, *zip("abcde", times, strict=True))
    found = ingest(lake, CHANGES)
    assert sorted(row["transaction_id"] for row in lake.rows("raw")) == ["b", "c", "d"]
    assert found["drift"] == {"purchases": ["updated_at"]}
    facts = lake.ingested(DAY)
    assert (facts["range"], facts["one_moment"], facts["repeatable"]) == (
        ["2026-01-04 23:50:00+00:00", "2026-01-06 00:00:00+00:00"], True, False,
    )  # fmt: skip
    shop.run("DELETE FROM purchases")
    assert ingest(lake, CHANGES)["outcome"] == "nothing"


@pytest.mark.slow
def test_a_day_goes_to_features_and_its_overlap_counts_once(lake: PlayLake, shop: Database) -> None:
    sold(shop, ("a", "2026-01-05 23:55:00"), ("b", "2026-01-06 08:00:00"))
    ours = lake.with_contract(source=CHANGES)
    ours.day(DAY)
    line = ours.day("2026-01-06")
    assert (line["ingest"]["counts"]["accepted"], line["clean"]["counts"]["duplicates"]) == (2, 1)
    assert lake.feature_rows("2026-01-06")[0]["purchases_7d"] == 2


@pytest.mark.slow
def test_parallel_reads_hold_every_row_once(lake: PlayLake, shop: Database) -> None:
    sold(shop, *[(f"t{number:02}", f"{DAY} 10:00:{number:02}") for number in range(40)])
    shop.run("UPDATE purchases SET user_id = NULL WHERE transaction_id = 't00'")
    shop.run("UPDATE purchases SET user_id = 7 + age WHERE transaction_id > 't20'")
    for divided_by in ("user_id", "updated_at", "purchase_amount"):
        source = replace(CHANGES, parallel=3, parallel_by=divided_by)
        assert ingest(lake, source, full_refresh=True)["counts"]["landed"] == 40
        assert len(lake.rows("raw")) == 40
    assert lake.ingested(DAY)["one_moment"] == (shop.kind == "postgresql")


@pytest.mark.slow
def test_an_empty_period_is_missing_or_empty_as_declared(lake: PlayLake, shop: Database) -> None:
    with pytest.raises(SourceMissingError, match=f"purchases of shop holds nothing for {DAY}"):
        ingest(lake, CHANGES)
    assert ingest(lake, replace(CHANGES, on_empty="accept"))["outcome"] == "empty"


@pytest.mark.slow
def test_a_day_that_is_not_over_is_not_read(lake: PlayLake, shop: Database) -> None:
    with pytest.raises(SourceMissingError, match="is not over before"):
        ingest(lake, CHANGES, str(datetime.now(UTC).date()))
    with pytest.raises(SourceMissingError, match="is not over before"):
        ingest(lake, replace(CHANGES, settle_minutes=24 * 60 + 1), YESTERDAY)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"table": "purchase"}, "can't answer: .*purchase"),
        ({"table": "other.purchases"}, "other"),
        (
            {"watermark": "update_at"},
            r"watermark 'update_at' is not a column of purchases \(did you mean updated_at\?\)",
        ),
        ({"watermark": "age"}, "watermark 'age' of purchases is not a date or time"),
        ({"parallel": 2, "parallel_by": "category"}, "parallel_by 'category' of purchases is not a whole number"),
    ],
)
def test_a_wrong_declaration_is_a_usage_error(
    lake: PlayLake, shop: Database, change: dict[str, Any], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        ingest(lake, replace(CHANGES, **change))
    assert lake.state() == {}


@pytest.mark.slow
def test_a_changed_type_is_refused_and_what_is_lacking_too(lake: PlayLake, shop: Database) -> None:
    sold(shop, ("a", f"{DAY} 10:00:00"))
    shop.run("ALTER TABLE purchases DROP COLUMN age")
    shop.run("ALTER TABLE purchases ADD COLUMN age TIMESTAMP NULL")
    with pytest.raises(
        ContractViolationError, match="its types have changed .age: found timestamp, the contract says int"
    ):
        ingest(lake, CHANGES)
    shop.run("ALTER TABLE purchases DROP COLUMN user_id")
    with pytest.raises(ContractViolationError, match=r"it lacks the columns \['user_id'\]"):
        ingest(lake, CHANGES)
    assert lake.state() == {}
    aside = ingest(lake, replace(CHANGES, on_bad_file="quarantine"))
    assert (aside["outcome"], aside["counts"]["refused_files"], len(lake.rows("quarantine"))) == ("empty", 1, 1)


def test_a_wrong_login_and_a_silent_server_are_told_apart(
    lake: PlayLake, shop: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_DATABASE", shop.address.replace("ours:hush", "nobody:guess"))
    with pytest.raises(UsageError, match="refuses the login: .* Correct SHOP_DATABASE, or the file it names") as wrong:
        ingest(lake, CHANGES)
    assert "guess" not in str(wrong.value)
    host = shop.address.partition("@")[2].partition("/")[0]
    monkeypatch.setenv("SHOP_DATABASE", shop.address.replace(host, "127.0.0.1:1"))
    with pytest.raises(SourceUnreachableError, match="can't be reached: .*run again later"):
        ingest(lake, CHANGES)


@pytest.mark.slow
def test_a_snapshot_is_the_table_without_what_was_deleted(lake: PlayLake, shop: Database) -> None:
    sold(shop, ("a", f"{DAY} 10:00:00"), ("b", "2020-01-01 00:00:00"))
    whole = replace(CHANGES, watermark=None)
    with pytest.raises(SourceMissingError, match=f"purchases as it was on {DAY} can no longer be read"):
        ingest(lake, whole)
    assert ingest(lake, whole, YESTERDAY)["counts"]["landed"] == 2
    shop.run("ALTER TABLE purchases ADD COLUMN gone_at TIMESTAMP NULL")
    shop.run("ALTER TABLE purchases ADD COLUMN gone BOOLEAN")
    shop.run(f"UPDATE purchases SET gone_at = '{DAY} 12:00:00', gone = true WHERE transaction_id = 'a'")
    for column in ("gone_at", "gone"):
        assert ingest(lake, replace(whole, deleted=column), YESTERDAY, full_refresh=True)["counts"]["landed"] == 1
    assert lake.ingested(YESTERDAY)["range"] == "whole table"


COLUMNS = ["exact", "whole", "floating", "single", "naive", "moment", "bytes", "words", "yes", "day", "doc"]
THINGS = Contract(
    name="things",
    description="Values of every type.",
    source=replace(CHANGES, table="things", watermark=None),
    columns=(
        Column(name="id", type="long", required=True, description="The thing"),
        *(Column(name=name, type="string", description=name) for name in COLUMNS),
    ),
    key=("id",),
    features=Features(version=1, entity="id", columns=(Feature("words", Pick("words")),)),
)
TYPES = {
    "postgresql": """numeric, numeric(38,0), double precision, real, timestamp, timestamptz, bytea, text, boolean, date, int[]""",
    "mariadb": """DECIMAL(38,30), DECIMAL(38,0), DOUBLE, FLOAT, DATETIME(6), TIMESTAMP(6) NULL, VARBINARY(200), LONGTEXT,
        BOOLEAN, DATE, JSON""",
}
VALUES = {
    "postgresql": """decode(repeat('00ff', 100), 'hex'), '', true, 'infinity', '{1,null}'""",
    "mariadb": """UNHEX(REPEAT('00ff', 100)), '', true, '0000-00-00', '[1, null]'""",
}
# What differs: a float of 32 bits is written with all the digits of its 64 bits, and a moment with all its zeros.
TEXTS = {
    "postgresql": ("0.1", "2026-01-05 08:00:00.5Z", "true", "infinity"),
    "mariadb": ("0.10000000149011612", "2026-01-05 08:00:00.500000Z", "1", "0000-00-00"),
}


@pytest.mark.slow
def test_values_of_every_type_become_text_without_loss(spark: Any, shop: Database) -> None:
    types = [each.strip() for each in TYPES[shop.kind].replace("38,", "38;").split(",")]
    named = ", ".join(f"{name} {type_}" for name, type_ in zip(COLUMNS, types, strict=True)).replace(";", ",")
    settings = {"mariadb": "SET NAMES utf8mb4; SET sql_mode = ''; SET time_zone = '+02:00'; ", "postgresql": ""}[
        shop.kind
    ]
    shop.run(f"DROP TABLE IF EXISTS things; CREATE TABLE things (id BIGINT PRIMARY KEY, {named})")
    zone = "+02" if shop.kind == "postgresql" else ""
    shop.run(
        f"{settings}INSERT INTO things VALUES (1, 0.000000000000000000000000000001, {'9' * 38}, 0.30000000000000004, 0.1, "
        f"'2026-01-05 10:00:00.123456', '2026-01-05 10:00:00.5{zone}', {VALUES[shop.kind]})"
    )
    shop.run(f"{settings}INSERT INTO things (id, words) VALUES (2, '\u00fc\u20ac\U0001f600')")
    source = open_period(Period(THINGS, date.fromisoformat(YESTERDAY), session=lambda: spark))
    with closing(source):
        one, two = sorted(source.read(spark, source.holds()).select("id", *COLUMNS).collect())
    single, moment, yes, day = TEXTS[shop.kind]
    assert one.asDict() == {
        "id": "1",
        "exact": "0.000000000000000000000000000001",
        "whole": "9" * 38,
        "floating": "0.30000000000000004",
        "single": single,
        "naive": "2026-01-05 10:00:00.123456",
        "moment": moment,
        "bytes": b64encode(bytes.fromhex("00ff" * 100)).decode(),
        "words": "",
        "yes": yes,
        "day": day,
        "doc": "[1, null]",
    }
    assert two.asDict() == {"id": "2", **dict.fromkeys(COLUMNS), "words": "\u00fc\u20ac\U0001f600"}


@pytest.mark.slow
def test_a_moment_without_a_zone_is_in_that_of_the_contract(lake: PlayLake, shop: Database) -> None:
    sold(shop, ("a", "2026-01-04 23:30:00"), ("b", "2026-01-05 23:30:00"))
    shop.run("ALTER TABLE purchases ADD COLUMN local_at " + ("timestamp" if shop.kind == "postgresql" else "DATETIME"))
    shop.run("UPDATE purchases SET local_at = '2026-01-05 00:30:00' WHERE transaction_id = 'a'")
    shop.run("UPDATE purchases SET local_at = '2026-01-06 01:30:00' WHERE transaction_id = 'b'")
    source = replace(CHANGES, watermark="local_at", overlap_minutes=60)
    lake.with_contract(source=source, zone="Europe/Berlin").ingest(DAY)
    assert [row["transaction_id"] for row in lake.rows("raw")] == ["a"]


@pytest.mark.slow
def test_rows_that_come_while_it_is_read_belong_to_no_part(lake: PlayLake, shop: Database) -> None:
    if shop.kind != "postgresql":
        pytest.skip("MariaDB gives several connections no common moment; raw says so")
    sold(shop, ("a", f"{DAY} 10:00:00"), ("b", f"{DAY} 10:00:00"))

    def meanwhile() -> None:
        sold(shop, ("c", f"{DAY} 11:00:00"))
        shop.run("DELETE FROM purchases WHERE transaction_id = 'a'")

    source = disturbed(replace(CHANGES, parallel=2, parallel_by="updated_at"), OpenedTable, meanwhile)
    ingest(lake, source)
    assert sorted(row["transaction_id"] for row in lake.rows("raw")) == ["a", "b"]


@pytest.mark.slow
def test_a_clock_five_minutes_off_loses_no_row(lake: PlayLake, shop: Database) -> None:
    """A row is dated before midnight by a clock that is late, and committed after the day was read."""
    sold(shop, ("a", f"{DAY} 10:00:00"))
    ingest(lake, CHANGES)
    sold(shop, ("late", f"{DAY} 23:56:00"), ("b", "2026-01-06 00:03:00"))
    ingest(lake, CHANGES, "2026-01-06")
    assert [row["transaction_id"] for row in lake.rows("raw", f"ds = '{DAY}'")] == ["a"]
    assert sorted(row["transaction_id"] for row in lake.rows("raw", "ds = '2026-01-06'")) == ["b", "late"]


@pytest.mark.slow
def test_a_watermark_that_goes_back_changes_no_day_read(lake: PlayLake, shop: Database) -> None:
    """By a few minutes, the next day takes the row as it is now; by more, it keeps the state that was read."""
    sold(shop, ("a", f"{DAY} 10:00:00"), ("b", f"{DAY} 10:00:00"))
    ingest(lake, CHANGES)
    before = lake.rows("raw", f"ds = '{DAY}'")
    zone = "+00" if shop.kind == "postgresql" else ""
    for name, moment in (("a", f"{DAY} 23:55:00"), ("b", "2026-01-03 10:00:00")):
        shop.run(f"UPDATE purchases SET age = 31, updated_at = '{moment}{zone}' WHERE transaction_id = '{name}'")
    for ds in (DAY, "2026-01-06"):
        ingest(lake, CHANGES, ds)
    assert lake.rows("raw", f"ds = '{DAY}'") == before
    assert [(row["transaction_id"], row["age"]) for row in lake.rows("raw", "ds = '2026-01-06'")] == [("a", "31")]


@pytest.mark.slow
def test_a_table_that_answers_too_slowly_ends_the_day(
    lake: PlayLake, shop: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold(shop, ("a", f"{DAY} 10:00:00"))
    postgres = shop.kind == "postgresql"
    slowly = ", (SELECT pg_sleep(5)) slept" if postgres else " WHERE SLEEP(5) = 0"
    monkeypatch.setenv("SHOP_DATABASE", f"{shop.address}?socketTimeout={1 if postgres else 1000}")
    shop.run(f"CREATE VIEW slow AS SELECT purchases.* FROM purchases{slowly}")
    try:
        with pytest.raises(SourceUnreachableError, match="can't be reached: .*run again later"):
            ingest(lake, replace(CHANGES, table="slow"))
    finally:
        shop.run("DROP VIEW slow")
    assert lake.state() == {}


@pytest.mark.slow
def test_a_server_that_goes_while_it_is_read_ends_the_day(lake: PlayLake, shop: Database) -> None:
    sold(shop, ("a", f"{DAY} 10:00:00"))
    if shop.kind == "postgresql":
        gone = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ingest'"
    else:
        gone = "ALTER USER ours@'%' ACCOUNT LOCK"
    try:
        with pytest.raises(
            SourceUnreachableError, match="purchases of shop could not be read to its end: .*; run again"
        ):
            ingest(lake, disturbed(CHANGES, OpenedTable, lambda: shop.run(gone)))
    finally:
        if shop.kind == "mariadb":
            shop.run("ALTER USER ours@'%' ACCOUNT UNLOCK")
    assert lake.state() == {}
    assert ingest(lake, CHANGES)["outcome"] == "done"
