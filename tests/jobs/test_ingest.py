"""landing -> raw: records arrive unchanged, unreadable ones are quarantined, none is lost."""

import gzip
import hashlib
import json
import re
from dataclasses import replace
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common.contracts.contract import Files
from common.errors import ContractViolationError, SourceMissingError, UnbalancedBooksError
from common.orchestration import run_log
from common.orchestration.job import describe, run_day
from common.runtime import plan_size
from common.sources.files import file_reader
from common.sources.files.landing import Landing
from common.sources.source import SourceListing
from jobs.ingest import INGEST
from tests.support.landing import PURCHASE
from tests.support.play_lake import PlayLake
from tests.support.tables_as_text import assert_rows

DAY = "2026-01-05"
HEADER = ",".join(PURCHASE)


def line(**changed: str) -> str:
    return ",".join({**PURCHASE, **changed}.values())


def test_every_format_is_stored_in_raw_as_its_text(lake: PlayLake) -> None:
    lake.land(DAY, "transaction_id | category\na | FOOD ", "1.csv")
    lake.land_bytes(DAY, gzip.compress(f"{HEADER}\n{line(transaction_id='b')}\n".encode()), "2.csv.gz")
    lake.land_bytes(DAY, json.dumps({**PURCHASE, "transaction_id": "c", "user_id": 7}).encode(), "3.jsonl")
    table = pa.table({**{name: [value] for name, value in PURCHASE.items()}, "transaction_id": ["d"], "user_id": [8]})
    pq.write_table(table, lake.folder(DAY) / "4.parquet")
    counts = lake.ingest(DAY)["counts"]
    assert_rows(
        lake.rows("raw"),
        """
        ds         | file     | transaction_id | user_id | purchase_amount | copies
        2026-01-05 | 1.csv    | a              | 1       | 10.00           | 1
        2026-01-05 | 2.csv.gz | b              | 1       | 10.00           | 1
        2026-01-05 | 3.jsonl  | c              | 7       | 10.00           | 1
        2026-01-05 | 4.parquet | d             | 8       | 10.00           | 1
        """,
    )
    assert counts == {"landed": 4, "accepted": 4, "quarantined": 0, "files": 4, "refused_files": 0}


def test_copies_are_counted_file_by_file(lake: PlayLake) -> None:
    lake.land(DAY, "transaction_id\na\na\nb", "1.csv")
    lake.land(DAY, "transaction_id\na", "2.csv")
    assert lake.ingest(DAY)["counts"]["accepted"] == 4
    assert_rows(lake.rows("raw"), "file | transaction_id | copies\n1.csv | a | 2\n1.csv | b | 1\n2.csv | a | 1")


def test_columns_map_by_name_and_unknown_ones_are_schema_drift(lake: PlayLake) -> None:
    names = [*reversed(PURCHASE), "colour"]
    values = [*reversed(PURCHASE.values()), "red"]
    lake.land_bytes(DAY, f"{','.join(names)}\n{','.join(values)}\n".encode())
    found = lake.ingest(DAY)
    assert found["drift"] == {"part.csv": ["colour"]}
    assert_rows(lake.rows("raw"), "transaction_id | payment_method\nt1 | card")


def test_an_unknown_name_in_json_is_drift_too(lake: PlayLake) -> None:
    lake.land(DAY, "transaction_id\na")
    record = json.dumps({**PURCHASE, "transaction_id": "b", "colour": "red", "size": "L"})
    lake.land_bytes(DAY, record.encode(), "more.jsonl")
    found = lake.ingest(DAY)
    assert found["drift"] == {"more.jsonl": ["colour", "size"]}
    assert found["counts"]["accepted"] == 2


def test_unreadable_records_go_to_quarantine_with_their_text(lake: PlayLake) -> None:
    broken = [line() + ",x", "t2,1", '"t3"x,1', ""]
    lake.land_bytes(DAY, "\n".join([HEADER, line(), *broken]).encode())
    counts = lake.ingest(DAY)["counts"]
    assert (counts["landed"], counts["accepted"], counts["quarantined"]) == (4, 1, 3)
    assert_rows(
        lake.rows("quarantine"),
        f"""
        job    | file     | reasons             | record
        ingest | part.csv | ['too_many_fields'] | {line()},x
        ingest | part.csv | ['too_few_fields']  | t2,1
        ingest | part.csv | ['broken_quoting']  | "t3"x,1
        """,
    )


def test_a_newline_within_quotes_is_read_right(lake: PlayLake) -> None:
    lake.land_bytes(DAY, f'{HEADER}\n"two\nlines",1,30,10.00,{DAY},food,card\n'.encode())
    assert lake.ingest(DAY)["counts"]["accepted"] == 1
    assert [row["transaction_id"] for row in lake.rows("raw")] == ["two\nlines"]


BAD_FILES = {
    "truncated.csv.gz": (gzip.compress(f"{HEADER}\n{line()}\n".encode() * 50)[:-12], "truncated or corrupt"),
    "corrupt.csv.gz": (b"\x1f\x8b\x08\x00 this is no gzip", "truncated or corrupt"),
    "unreadable.parquet": (b"PAR1 this is no parquet", "can't be read"),
    "latin.csv": (
        f"{HEADER}\n{line(transaction_id='caf')}\n".encode().replace(b"caf", b"caf\xe9"),
        "byte .* is not utf-8",
    ),
    "missing.csv": (b"transaction_id,age\nt1,30\n", "lacks .*user_id.*found .*transaction_id.*expected"),
    "twice.csv": (f"{HEADER},age\n{line()},31\n".encode(), "'age'.* twice"),
    "notes.txt": (b"hello", "ends in none of"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_an_untrustworthy_file_stops_the_day_and_is_named(lake: PlayLake, name: str) -> None:
    content, said = BAD_FILES[name]
    lake.land(DAY, "transaction_id\na", "good.csv")
    lake.land_bytes(DAY, content, name)
    with pytest.raises(ContractViolationError, match=f"{name}: .*{said}") as refused:
        lake.ingest(DAY)
    failure = describe(refused.value)["failures"][0]
    assert failure["file"] == name
    assert re.search(said, failure["problem"]), "as the JSON line has it"
    assert lake.state() == {}


def test_a_changed_parquet_type_is_refused_with_the_difference(lake: PlayLake) -> None:
    table = pa.table({**{name: [value] for name, value in PURCHASE.items()}, "user_id": [1.5]})
    pq.write_table(table, lake.folder(DAY) / "part.parquet")
    with pytest.raises(ContractViolationError, match="user_id: found double, the contract says long"):
        lake.ingest(DAY)


def test_a_contract_may_send_bad_files_to_quarantine_instead(lake: PlayLake, caplog: pytest.LogCaptureFixture) -> None:
    """Its name and the reason stand in the log, in the JSON line and in the run log."""
    lake.land(DAY, "transaction_id\na", "good.csv")
    lake.land_bytes(DAY, b"\x1f\x8b broken", "bad.csv.gz")
    run = lake.plan("ingest", DAY)
    contract = replace(run.contract, source=Files(on_bad_file="quarantine"))
    line = run_day(INGEST, replace(run, dataset=replace(run.dataset, contract=contract)))
    assert (line["counts"]["accepted"], line["counts"]["refused_files"]) == (1, 1)
    assert_rows(lake.rows("quarantine"), "file | reasons\nbad.csv.gz | ['file_refused']")
    assert [*line["refused_files"]] == ["bad.csv.gz"]
    assert "truncated or corrupt" in line["refused_files"]["bad.csv.gz"]
    assert f"bad.csv.gz is refused: {line['refused_files']['bad.csv.gz']}" in caplog.text
    assert run_log.load(run).line["refused_files"] == line["refused_files"]


def test_a_missing_day_is_not_an_empty_day(lake: PlayLake) -> None:
    with pytest.raises(SourceMissingError, match="holds nothing for 2026-01-05"):
        lake.ingest(DAY)


@pytest.mark.parametrize("content", [b"", HEADER.encode(), f"{HEADER}\r\n\r\n".encode()])
def test_an_empty_day_is_its_own_outcome_and_wipes_no_good_one(lake: PlayLake, content: bytes) -> None:
    path = lake.land_bytes(DAY, content)
    assert lake.ingest(DAY)["outcome"] == "empty"
    path.unlink()
    lake.land(DAY, "transaction_id\na")
    lake.ingest(DAY)
    lake.land_bytes(DAY, content)
    before = lake.state()
    with pytest.raises(ContractViolationError, match="they were kept"):
        lake.ingest(DAY)
    assert lake.state() == before


def test_an_empty_file_beside_good_ones_removes_no_rows(lake: PlayLake) -> None:
    lake.land(DAY, "transaction_id\na", "1.csv")
    lake.land_bytes(DAY, HEADER.encode(), "never-any.csv")
    path = lake.land(DAY, "transaction_id\nb", "2.csv")
    lake.ingest(DAY)
    path.write_text(HEADER)
    before = lake.state()
    with pytest.raises(
        ContractViolationError, match=r"no rows in 2\.csv, but raw/transactions already holds rows.*they were kept"
    ):
        lake.ingest(DAY)
    assert lake.state() == before
    path.unlink()
    lake.ingest(DAY)
    assert_rows(lake.rows("raw"), "transaction_id\na")


def test_changed_landing_converges_and_old_rows_stay_readable(lake: PlayLake) -> None:
    lake.land(DAY, "transaction_id\na\nb", "1.csv")
    lake.land(DAY, "transaction_id\nc", "2.csv")
    first = lake.ingest(DAY)["written"]["raw/transactions"]
    lake.land(DAY, "transaction_id\na\nx", "1.csv")
    (lake.folder(DAY) / "2.csv").unlink()
    lake.ingest(DAY)
    assert_rows(lake.rows("raw"), "file | transaction_id\n1.csv | a\n1.csv | x")
    table = lake.table("raw/transactions")
    table.load_as_version(first)
    assert sorted(table.to_pyarrow_table()["transaction_id"].to_pylist()) == ["a", "b", "c"]


def test_ingest_twice_changes_nothing_at_all(lake: PlayLake) -> None:
    lake.land(DAY, "transaction_id\na\nb")
    lake.ingest(DAY)
    before = lake.state()
    assert lake.ingest(DAY)["outcome"] == "nothing"
    assert lake.ingest(DAY, full_refresh=True)["outcome"] == "nothing"
    assert lake.state() == before


def test_reading_less_than_the_source_counted_commits_nothing(lake: PlayLake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.land(DAY, "transaction_id\na\nb")
    honest = Landing.was_read

    def one_more(self: Landing, listing: SourceListing) -> SourceListing:
        units = tuple(replace(unit, records=(unit.records or 0) + 1) for unit in listing.units)
        return honest(self, replace(listing, units=units))

    monkeypatch.setattr(Landing, "was_read", one_more)
    with pytest.raises(UnbalancedBooksError, match="counted 3 records .* accounts for 2"):
        lake.ingest(DAY)
    assert lake.state() == {}


def test_the_driver_reads_no_file_of_a_large_day(lake: PlayLake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither to hash, nor to count, nor to judge it: the tasks that read its records do."""

    def refuse(uri: str) -> None:
        raise AssertionError(f"{uri} is read by the driver")

    lake.land(DAY, "transaction_id\na\nb")
    monkeypatch.setattr(file_reader, "locate", refuse)
    monkeypatch.setattr(plan_size, "FEW_BYTES", 0)
    assert lake.ingest(DAY)["counts"]["accepted"] == 2


def test_the_books_are_in_the_commit_itself(lake: PlayLake) -> None:
    lake.land(DAY, "transaction_id\na\nb")
    lake.ingest(DAY)
    (commit,) = lake.table("raw/transactions").history(1)
    books = json.loads(commit["userMetadata"])
    assert (books["job"], books["ds"], books["counts"]["accepted"]) == ("ingest", DAY, 2)
    assert books["sources"]["files"] == ["part.csv"]
    size, _, digest = books["sources"]["landed"]["part.csv"]
    content = (lake.landing / "transactions" / f"ds={DAY}" / "part.csv").read_bytes()
    assert (size, digest) == (len(content), hashlib.sha256(content).hexdigest())
    assert books["run_id"].startswith("run of ingest")
    assert "code" in books


def test_a_source_is_fingerprinted_by_content_not_by_time(lake: PlayLake) -> None:
    path = lake.land(DAY, "transaction_id\na")
    landing = Landing(lake.plan("ingest", DAY).contract, str(lake.landing), date.fromisoformat(DAY))
    before = landing.fingerprint()
    path.write_bytes(path.read_bytes())
    assert landing.fingerprint() == before
    path.write_bytes(path.read_bytes().replace(b"food", b"home"))
    assert landing.fingerprint() != before
