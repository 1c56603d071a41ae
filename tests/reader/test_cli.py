"""The command `features`: its output, files and exit codes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from common.lake import content_hash
from common.online.connect import open_store
from common.published.export import without_formulas
from common.reader import cli, commands, lineage_commands
from tests.support.published_tables import pack, publish, rows_of, vacuum
from tests.support.tables_as_text import assert_rows

FIRST = """
ds         | user_id | spend | mean | favourite
2026-01-01 | 1       | 10.00 | 1.5  | food
2026-01-02 | 1       | 11.00 | 1.5  | -
2026-01-02 | 2       | 12.00 | ?    | [red]food
"""
SECOND = "ds | user_id | spend | mean\n2026-01-02 | 1 | 99.00 | 1.5\n2026-01-02 | 3 | 30.00 | -"
ROOT = Path(__file__).resolve().parents[2]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    lake = tmp_path / "lake"
    publish(lake, FIRST, at="2026-02-01T06:00")
    publish(lake, SECOND, at="2026-02-02T06:00")
    monkeypatch.setenv("LAKE", str(lake))
    return lake


def ask(capsys: Capture, *words: object) -> dict[str, Any]:
    assert cli.main([*map(str, words), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def lines(capsys: Capture, *words: object) -> list[str]:
    assert cli.main([*map(str, words)]) == 0
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def refused(capsys: Capture, code: int, *words: object) -> str:
    assert cli.main([*map(str, words)]) == code
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


def test_list_shows_every_table(lake: Path, capsys: Capture) -> None:
    publish(lake, FIRST, "visits/v2", at="2026-02-03T06:00")
    assert lines(capsys, "list") == [
        "table version from to rows of the last day published at",
        "purchases@v1 1 2026-01-01 2026-01-02 2 2026-02-02T06:00:00.000Z",
        "visits@v2 0 2026-01-01 2026-01-02 2 2026-02-03T06:00:00.000Z",
    ]
    assert [each["table"] for each in ask(capsys, "list")["tables"]] == ["purchases@v1", "visits@v2"]


def test_a_lake_where_nothing_is_published_says_so(tmp_path: Path, capsys: Capture) -> None:
    assert lines(capsys, "list", "--lake", tmp_path) == [f"Nothing is published in {tmp_path} yet."]
    assert ask(capsys, "list", "--lake", tmp_path) == {"tables": []}


def test_log_prints_a_line_for_each_version(lake: Path, capsys: Capture) -> None:
    pack(lake)
    assert lines(capsys, "log", "purchases") == [
        "version published at ds rows run code validation left out",
        "1 2026-02-02T06:00:00.000Z 2026-01-02 2 run of publi 0ddba11 14/15, 1 warned",
        "0 2026-02-01T06:00:00.000Z 2026-01-01..2026-01-02 3 run of publi 0ddba11 28/30, 2 warned",
    ]


def test_log_shows_what_made_each_version(lake: Path, capsys: Capture) -> None:
    seen = lines(capsys, "log", "purchases@v1", "--long")
    assert "version 1, 2026-02-02T06:00:00.000Z, run run of publish, revision 0ddba11, lock c0ffee" in seen
    assert "definition feedbeef, by user_id, validation 14/15, 1 warned" in seen
    assert "spend decimal128(22, 2) sum of amount over the last 7 days" in seen
    assert any(
        line.startswith("2026-01-01 1 7 run of featu processed/purchases@4 events=3 features=1 ") for line in seen
    )
    assert "amount decimal(12,2)" in seen
    assert seen[seen.index("def measure(rows):") + 1] == "return rows.withColumn('weekend', [red]1)"
    versions = ask(capsys, "log", "purchases@v1")["versions"]
    assert [each["version"] for each in versions] == [1, 0]
    assert versions[0]["days"]["2026-01-02"]["sources"] == {"processed/purchases": 4}


def test_show_prints_rows_as_they_are(lake: Path, capsys: Capture) -> None:
    assert lines(capsys, "show", "purchases@v1", "--version", 0, "--ds", "2026-01-02") == [
        "ds user_id spend mean favourite",
        "2026-01-02 1 11.00 1.5 -",
        "2026-01-02 2 12.00 nan [red]food",
        "2 of 2 rows, purchases@v1 version 0, published 2026-02-01T06:00:00.000Z",
    ]


def test_show_takes_the_newest_day_or_all_days_of_an_entity(lake: Path, capsys: Capture) -> None:
    assert {row["ds"] for row in ask(capsys, "show", "purchases")["rows"]} == {"2026-01-02"}
    found = ask(capsys, "show", "purchases", "--entity", 1, "--columns", "spend")["rows"]
    assert_rows(found, "ds | user_id | spend\n2026-01-01 | 1 | 10.00\n2026-01-02 | 1 | 99.00")
    found = ask(capsys, "show", "purchases", "--ds", "2026-01-01..2026-01-02", "--limit", 1)
    assert (len(found["rows"]), found["of"]) == (1, 3)


def test_show_finds_a_version_by_time_and_by_pin(lake: Path, capsys: Capture) -> None:
    assert ask(capsys, "show", "purchases", "--as-of", "2026-02-01T12:00")["version"] == 0
    ask(capsys, "pin", "january", "purchases", "--version", 0)
    assert ask(capsys, "show", "purchases", "--pin", "january")["version"] == 0


def test_rows_of_packed_files_are_shown_with_their_publication(lake: Path, capsys: Capture) -> None:
    publish(lake, "ds | user_id\n2026-01-05 | 1")
    publish(lake, "ds | user_id\n2026-01-05 | 2", mode="append", at="2099-02-03T06:00")
    assert pack(lake) == 4
    said = lines(capsys, "show", "purchases")[-1]
    assert said == "2 of 2 rows, purchases@v1 version 4, published as version 3 2099-02-03T06:00:00.000Z"


def test_json_has_no_nan(lake: Path, capsys: Capture) -> None:
    cli.main(["show", "purchases", "--version", "0", "--json"])
    text = capsys.readouterr().out
    assert [row["mean"] for row in json.loads(text, parse_constant=lambda _: pytest.fail(text))["rows"]] == [1.5, "nan"]


def test_control_characters_do_not_reach_the_terminal(lake: Path, capsys: Capture) -> None:
    publish(lake, "ds | user_id | favourite\n2026-01-02 | 1 | a\x1b[2Jb")
    assert "a\\x1b[2Jb" in " ".join(lines(capsys, "show", "purchases"))


def test_no_figure_is_cut_on_a_narrow_screen(lake: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    assert "2026-01-02 1 99.00 1.5 -" in lines(capsys, "show", "purchases")


@pytest.mark.parametrize("suffix", ["parquet", "csv", "arrow"])
def test_get_writes_all_rows_of_the_version(lake: Path, capsys: Capture, suffix: str) -> None:
    out = lake.parent / "new" / f"x.{suffix}"
    found = ask(capsys, "get", "purchases", "--version", 0, "--out", out)
    read = {
        "parquet": lambda: pq.read_table(out).to_pylist(),
        "csv": lambda: polars.read_csv(out, infer_schema=False).to_dicts(),
        "arrow": lambda: pa.ipc.open_file(out).read_all().to_pylist(),
    }[suffix]
    assert_rows(read(), FIRST.replace("?", "nan").replace("nan ", "nan"))
    assert (found["rows"], found["version"], found["changed"]) == (3, 0, [])
    assert [file.name for file in out.parent.iterdir()] == [out.name]


def test_no_text_in_a_csv_is_a_formula(lake: Path, capsys: Capture) -> None:
    publish(
        lake, "ds | user_id | spend | favourite\n2026-01-03 | 1 | -1.00 | =1+1\n2026-01-03 | 2 | 2.00 | a=1", "shop/v1"
    )
    out = lake.parent / "x.csv"
    ask(capsys, "get", "shop", "--out", out)
    read = polars.read_csv(out, infer_schema=False)
    assert read["favourite"].to_list() == ["'=1+1", "a=1"]
    assert read["spend"].to_list() == ["-1.00", "2.00"]
    ask(capsys, "get", "shop", "--out", out, "--keep-formulas")
    assert polars.read_csv(out, infer_schema=False)["favourite"].to_list() == ["=1+1", "a=1"]
    ask(capsys, "get", "shop", "--out", out.with_suffix(".parquet"))
    assert pq.read_table(out.with_suffix(".parquet"))["favourite"].to_pylist() == ["=1+1", "a=1"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＠"])
def test_a_text_that_starts_like_a_formula_is_guarded(start: str) -> None:
    rows = pa.table({"text": [f"{start}1", f"a{start}1", "", None], "number": [-1, -2, -3, -4]})
    guarded = without_formulas(rows)
    assert guarded["text"].to_pylist() == [f"'{start}1", f"a{start}1", "", None]
    assert guarded["number"].equals(rows["number"])


def test_get_writes_the_named_days_with_their_types(lake: Path, capsys: Capture) -> None:
    out = lake.parent / "x.parquet"
    found = ask(capsys, "get", "purchases@v1", "--ds", "2026-01-02..2026-01-09", "--out", out)
    schema = pq.read_schema(out)
    assert schema.equals(rows_of(SECOND).schema)
    assert schema.metadata[b"table"] == b"purchases@v1"
    assert found["days"] == {"2026-01-02": content_hash.hash_rows(rows_of(SECOND))}
    assert duckdb.sql(f"SELECT count(*) FROM '{out}'").fetchall() == [(2,)]


def test_get_of_the_same_rows_writes_the_same_bytes(lake: Path, capsys: Capture) -> None:
    one, other = (lake.parent / f"{name}.parquet" for name in "ab")
    for out in (one, other):
        ask(capsys, "get", "purchases", "--out", out)
        os.utime(out, (0, 0))
    assert one.read_bytes() == other.read_bytes()


def test_get_reports_days_changed_by_other_programs(lake: Path, capsys: Capture) -> None:
    write_deltalake(f"{lake}/published/purchases/v1", rows_of("ds | user_id\n2026-01-01 | 9"), mode="append")
    assert cli.main(["get", "purchases", "--out", str(lake.parent / "x.csv")]) == 0
    said = capsys.readouterr()
    assert "the rows of 2026-01-01 are not those that were published" in said.err
    assert "2026-01-02 are" not in said.err


def test_a_failed_get_leaves_the_existing_file(lake: Path, capsys: Capture) -> None:
    out = lake.parent / "out" / "x.parquet"
    ask(capsys, "get", "purchases", "--version", 0, "--out", out)
    before = out.read_bytes()
    damaged, *_ = (lake / "published/purchases/v1/ds=2026-01-02").iterdir()
    for file in (lake / "published/purchases/v1/ds=2026-01-02").iterdir():
        file.write_bytes(damaged.read_bytes()[:40])
    assert "a file of 2026-01-02 can't be read" in refused(capsys, 1, "get", "purchases", "--out", out)
    assert out.read_bytes() == before
    assert [file.name for file in out.parent.iterdir()] == [out.name]


def test_get_reports_what_it_can_not_write(lake: Path, capsys: Capture) -> None:
    assert "expected one of .parquet, .csv, .arrow" in refused(capsys, 2, "get", "purchases", "--out", "x.xlsx")
    (lake.parent / "file").touch()
    assert "can't be written" in refused(capsys, 1, "get", "purchases", "--out", lake.parent / "file" / "x.csv")
    lists = rows_of(FIRST).append_column("tags", pa.array([["a"], [], None]))
    write_deltalake(f"{lake}/published/purchases/v1", lists, mode="overwrite", schema_mode="overwrite")
    assert "can't hold tags" in refused(capsys, 2, "get", "purchases", "--out", lake.parent / "x.csv")
    assert not (lake.parent / "x.csv").exists()


def test_diff_counts_and_shows_the_largest(lake: Path, capsys: Capture) -> None:
    assert lines(capsys, "diff", "purchases", 0, 1) == [
        "purchases@v1 version 0 -> 1: 1 rows added, 1 rows removed, 1 rows changed",
        "days with other files: 2026-01-02",
        "",
        "column changed rows",
        "spend 1",
        "",
        "user_id ds column before after",
        "1 2026-01-02 spend 11.00 99.00",
    ]
    found = ask(capsys, "diff", "purchases@v1", 0, 1, "--ds", "2026-01-02")
    assert (found["columns"], found["largest"][0]["after"], found["days"]) == ({"spend": 1}, "99.00", ["2026-01-02"])
    assert ask(capsys, "diff", "purchases@v1", 0, 1, "--ds", "2026-01-01")["days"] == []


def test_a_version_is_pinned_shown_verified_and_released(lake: Path, capsys: Capture) -> None:
    made = ask(capsys, "pin", "january", "purchases@v1", "--version", 0, "--note", "for [bold]March")
    assert made["note"] == "for [bold]March"
    row = lines(capsys, "pins")[1]
    assert row.startswith("january published/purchases/v1 0 2 3 ")
    assert row.endswith("for [bold]March")
    assert lines(capsys, "verify", "january")[0].startswith("january is unchanged: published/purchases/v1 version 0")
    assert ask(capsys, "release", "january") == made
    assert lines(capsys, "pins") == [f"Nothing is pinned in {lake}."]


def test_a_differing_pin_exits_with_3_and_names_the_days(lake: Path, capsys: Capture) -> None:
    ask(capsys, "pin", "january", "purchases", "--version", 0)
    file, *_ = (lake / "published/purchases/v1/ds=2026-01-01").iterdir()
    found = pq.read_table(file)
    pq.write_table(found.set_column(0, "user_id", pa.array([5])), file)
    assert "differs from what was pinned on 2026-01-01" in refused(capsys, 3, "verify", "january")
    assert cli.main(["verify", "january", "--json"]) == 3
    said = json.loads(capsys.readouterr().out)
    assert (said["exit_code"], [each["day"] for each in said["failures"]]) == (3, ["2026-01-01"])


def test_a_missing_pinned_version_exits_with_4(lake: Path, capsys: Capture) -> None:
    ask(capsys, "pin", "january", "purchases", "--version", 0)
    vacuum(lake)
    assert "its files were removed" in refused(capsys, 4, "verify", "january")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("show visits", 2, "is not published in"),
        ("show ../../etc", 2, "is not the name of a table"),
        ("show purchases --version 9", 4, "There are 0..1"),
        ("show purchases --as-of 2020-01-01", 4, "was published by"),
        ("show purchases --as-of soon", 2, "can't be read"),
        ("show purchases --ds soon", 2, "is not a date"),
        ("show purchases --ds 2025-01-01", 4, "has nothing for"),
        ("show purchases --pin nope", 2, "there is no pin nope; there are: none"),
        ("show purchases --entity x", 2, "can't be read as int64"),
        ("verify nope", 2, "there is no pin"),
        ("diff purchases 0 9", 4, "no version 9"),
    ],
)
def test_each_error_has_its_message_and_exit_code(
    lake: Path, capsys: Capture, words: str, code: int, said: str
) -> None:
    assert said in refused(capsys, code, *words.split())


def test_a_damaged_log_is_reported_as_damaged(lake: Path, capsys: Capture) -> None:
    (lake / "published/purchases/v1/_delta_log" / f"{1:020}.json").write_text("{no json")
    for words in ("list", "log purchases", "show purchases", "show purchases --version 0", "diff purchases 0 1"):
        said = refused(capsys, 1, *words.split())
        assert "its log can't be read" in said, words
        assert "Restore it from a backup." in said, words


def ran(name: str) -> str:
    """A run id in the usual format."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]


@pytest.fixture
def submitted(lake: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would be submitted for a table with one day published three times by one run."""
    row = "ds | user_id | spend\n2026-01-04 | 1 | {}.00"
    for number, (spend, run) in enumerate([(1, "one"), (2, "two"), (3, "three")]):
        publish(lake, row.format(spend), "visits/v1", run_id=ran(run), at=f"2026-02-0{number + 1}T00:00")
    publish(lake, row.format(4), "visits/v2", run_id=ran("one"))
    found: list[list[str]] = []

    def submit(command: list[str], **_: object) -> SimpleNamespace:
        found.append(command[command.index("--dataset") :])
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(lineage_commands.subprocess, "run", submit)
    return found


def test_a_run_is_found_by_the_beginning_of_its_id(submitted: list[list[str]], capsys: Capture) -> None:
    shown = {line.split()[4] for line in lines(capsys, "log", "visits@v1")[1:]}
    assert shown == {ran(name)[:12] for name in ("one", "two", "three")}
    said = lines(capsys, "reproduce", ran("one")[:12])
    assert said == [
        "visits@v1 of 2026-01-04, published as version 0: recomputed, identical",
        "visits@v2 of 2026-01-04, published as version 0: recomputed, identical",
    ]
    day = ["--dataset", "visits", "--ds", "2026-01-04", "--feature-version"]
    assert submitted == [[*day, "1", "--publication", "0"], [*day, "2", "--publication", "0"]]


def test_an_unknown_or_ambiguous_run_is_refused(submitted: list[list[str]], capsys: Capture) -> None:
    assert "was made by run 'nobody'" in refused(capsys, 4, "reproduce", "nobody")
    assert "was made by run ''" in refused(capsys, 4, "reproduce", "")
    said = refused(capsys, 2, "reproduce", "run of ")
    assert "'run of ' is ambiguous: run of features, run of publish; give more of its id" in said
    assert submitted == []


@pytest.mark.parametrize(("code", "ends"), [(2, 2), (3, 3), (4, 4), (1, 1), (-9, 1)])
def test_a_failed_reproduction_exits_as_the_job_does(
    submitted: list[list[str]], capsys: Capture, monkeypatch: pytest.MonkeyPatch, code: int, ends: int
) -> None:
    monkeypatch.setattr(lineage_commands.subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=code))
    said = refused(capsys, ends, "reproduce", ran("two"))
    assert f"visits@v1 of 2026-01-04, published as version 1 could not be reproduced (exit {code}, see above)" in said


def test_a_vector_needs_a_valid_entity(lake: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONLINE", f"sqlite:///{lake}/online.db")
    open_store().load("purchases_v1", "user_id", rows_of(FIRST).to_batches(), {"entity_type": "long"})
    assert ask(capsys, "vector", "purchases", 2)["spend"] == "12.00"
    assert "user_id 'abc' can't be read as int64" in refused(capsys, 2, "vector", "purchases", "abc")
    assert "user_id 9 has no row" in refused(capsys, 4, "vector", "purchases", 9)


def test_the_first_row_costs_little_more_than_its_imports(lake: Path) -> None:
    """Compares CPU times of fresh processes, the better of two, so that a slow or busy machine does not matter."""
    imports = [sys.executable, "-c", "import deltalake, pyarrow.dataset, pydantic_settings, rich.console"]
    first_row = [sys.executable, "-m", "common.reader.cli", "show", "purchases", "--limit", "1"]
    bare, whole = zip(*[(_cpu_seconds(imports), _cpu_seconds(first_row, "1 of 2 rows")) for _ in range(2)], strict=True)
    assert min(whole) < 2 * min(bare)


def _cpu_seconds(command: list[str], output: str = "") -> float:
    before = os.times()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert output in done.stdout
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


@pytest.mark.parametrize("words", ["", "show", "show x --limit -1", "show x --version 1 --pin p", "get x", "diff x 1"])
def test_invalid_commands_exit_with_2(lake: Path, capsys: Capture, words: str) -> None:
    said = refused(capsys, 2, *words.split())
    assert said.startswith("features")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("shw purchases", "show"),
        ("show purchases --limt 3", "--limit"),
        ("show purchase@v1", "purchases@v1"),
        ("show purchases --columns spent", "spend"),
    ],
)
def test_a_mistyped_word_names_the_one_that_was_meant(lake: Path, capsys: Capture, words: str, meant: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        sys.exit(cli.main(words.split()))
    assert stopped.value.code == 2
    assert f"did you mean {meant}?" in capsys.readouterr().err


def test_ctrl_c_ends_with_one_line(lake: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "list_tables", interrupt)
    assert refused(capsys, 130, "list").splitlines() == ["interrupted; a file or a pin is written whole or not at all"]
    assert cli.main(["list", "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["exit_code"] == 130
