"""A path, a name or a setting that cannot be meant: exit 2, one line that names it, at once, for every command."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import jobs.datasets
from common.console import page
from common.errors import UsageError
from common.lake import pins, training_manifests
from common.online import feast_repo
from common.orchestration.cli import parser, run_job
from common.reader import cli
from common.reports import gx_docs, quarantine, status
from common.runtime.locations import require_present
from jobs import new_dataset
from jobs.datasets.churn import baseline, sample
from jobs.ingest import INGEST
from tests.support.published_tables import publish

PLACES = {
    "": "names nothing",
    "  ": "names nothing",
    "~nosuch/x": "the home folder of an unknown user",
    "javascript:alert(1)": "of a kind that is not supported",
    "foo://b": "of a kind that is not supported",
    "gs://bucket/lake": "of a kind that is not supported",
    "s3://": "names no bucket",
    "s3:///lake": "names no bucket",
    "s3://bucket:99999/lake": "has a bucket, host or port that is not possible",
    "s3://a bucket/lake": "has a bucket, host or port that is not possible",
    "s3://-bucket/lake": "has a bucket, host or port that is not possible",
    "s3://bucket/lake?region=x": "has a ? or #",
    "hdfs://host:port/lake": "has a bucket, host or port that is not possible",
    "gs://x:y": "of a kind that is not supported",
    "file://lake": "no absolute path",
    "/etc/passwd": "is a file",
    "file:///etc/passwd": "is a file",
    "/etc/passwd/lake": "can't be used (Not a directory)",
    "x" * 300: "can't be used (File name too long)",
    "la\x1b[2Jke": "holds control characters",
    "la\nke": "holds control characters",
    "s3://bucket/la\x7fke": "holds control characters",
    "lake\udcff": "bytes that are not UTF-8",
    "s3://bucket/\udcff": "bytes that are not UTF-8",
    "other\ufffd": "bytes that are not UTF-8",
}
COMMANDS: dict[str, tuple[Callable[[], object], list[str]]] = {
    "a job": (
        lambda: run_job(INGEST, parser("ingest"), sys.argv[1:]),
        ["--dataset", "churn", "--ds", "2026-01-05"],
    ),
    "features": (lambda: sys.exit(cli.main()), ["list"]),
    "status": (status.main, []),
    "console": (page.main, []),
    "quarantine": (quarantine.main, ["--dataset", "churn"]),
    "docs": (gx_docs.main, []),
    "baseline": (baseline.main, []),
}
READER = {
    "vector shop a --training-set ../../../../tmp/evil": "can't be the name of a training set",
    "vector ../shop a": "not the name of a table",
    "pin ../evil shop": "can't be the name of a pin",
    "verify ../evil": "can't be the name of a pin",
    "show shop --pin ../evil": "can't be the name of a pin",
    "show shop --limit 99999999999999999999": "not a whole number",
    "show shop --limit -1": "--limit",
    "show shop --version 99999999999999999999": "not a whole number",
    "diff shop 0 99999999999999999999": "not a whole number",
}
Capture = pytest.CaptureFixture[str]


def refused(monkeypatch: pytest.MonkeyPatch, capsys: Capture, main: Callable[[], object], *words: str) -> str:
    """Run a command that must exit with 2 at once; return its one line."""
    monkeypatch.setattr(sys, "argv", ["command", *words])
    started = time.monotonic()
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert time.monotonic() - started < 5, "nothing was asked over the network"
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place[:20] or "empty")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_lake_that_cannot_be_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, name: str, place: str
) -> None:
    main, words = COMMANDS[name]
    monkeypatch.setenv("LAKE", place)
    line = refused(monkeypatch, capsys, main, *words)
    assert "LAKE" in line
    assert PLACES[place] in line


@pytest.mark.parametrize("flag", ["--lake", "--landing"])
@pytest.mark.parametrize("place", [*PLACES, "a\0b"], ids=lambda place: place[:20] or "empty")
def test_the_flags_of_a_job_are_checked(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, flag: str, place: str
) -> None:
    main, words = COMMANDS["a job"]
    assert flag in refused(monkeypatch, capsys, main, *words, f"{flag}={place}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SPARK", "notjson"),
        ("SPARK", "[1]"),
        ("LOCK_WAIT_SECONDS", "soon"),
        ("LOCK_WAIT_SECONDS", "nan"),
        ("LOCK_WAIT_SECONDS", "inf"),
        ("KEEP_RESULTS_DAYS", "9" * 23),
        ("LARGE_FILE_MB", "9" * 23),
    ],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_setting_of_another_form_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, command: str, name: str, value: str
) -> None:
    main, words = COMMANDS[command]
    monkeypatch.setenv(name, value)
    assert name.lower() in refused(monkeypatch, capsys, main, *words)


def test_a_folder_of_datasets_must_exist(monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path) -> None:
    monkeypatch.setattr(jobs.datasets, "__path__", [*jobs.datasets.__path__, "/nowhere"])
    for main, words in (COMMANDS["a job"], COMMANDS["status"], (page.main, [f"--out={tmp_path}"])):
        assert "DATASETS names ['/nowhere']" in refused(monkeypatch, capsys, main, *words)


@pytest.mark.parametrize(
    "file", ["", "/nowhere/labels.csv", "~nosuch/x.csv", "javascript:x", "gs://b/x.csv", "a\0b", "x" * 300]
)
def test_a_file_of_labels_must_be_there(file: str) -> None:
    with pytest.raises(UsageError, match="--labels"):
        require_present("--labels", file)


@pytest.mark.parametrize("words", READER)
def test_names_and_numbers_of_the_reader_are_checked(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path, words: str
) -> None:
    publish(tmp_path / "lake", "ds | user_id | spend\n2026-01-01 | 1 | 10.00", "shop/v1")
    main, _ = COMMANDS["features"]
    assert READER[words] in refused(monkeypatch, capsys, main, *words.split(), f"--lake={tmp_path / 'lake'}")


@pytest.mark.parametrize("ds", ["2962-01-05", "2962-01-04..2962-01-05"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a job", ["--dataset=churn"]),
        ("quarantine", ["--dataset=churn"]),
        ("features", ["show", "shop"]),
        ("features", ["get", "shop", "--out=x.csv"]),
        ("features", ["diff", "shop", "0", "1"]),
        ("features", ["why", "shop", "--entity=1"]),
    ],
)
def test_a_day_in_the_future_is_refused_everywhere(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path, name: str, words: list[str], ds: str
) -> None:
    publish(tmp_path / "lake", "ds | user_id | spend\n2026-01-01 | 1 | 10.00", "shop/v1")
    monkeypatch.setenv("LAKE", str(tmp_path / "lake"))
    main, _ = COMMANDS[name]
    assert "2962-01-05 is in the future" in refused(monkeypatch, capsys, main, *words, f"--ds={ds}")


OUT = {
    "console": (page.main, []),
    "feast": (feast_repo.main, []),
    "sample": (lambda: sample.main("churn", sample.COLUMNS, sample.generate), ["--days=1", "--rows=1"]),
    "new dataset": (new_dataset.main, ["orders", "--from=/nowhere.csv"]),
}


@pytest.mark.parametrize(
    "place", ["", "  ", "s3://bucket/x", "javascript:x", "/etc/passwd", "/etc/passwd/x", "~nosuch/x", "x" * 300]
)
@pytest.mark.parametrize("name", OUT)
def test_a_folder_to_write_to_must_be_able_to_be_one(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path, name: str, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    main, words = OUT[name]
    line = refused(monkeypatch, capsys, main, *words, f"--out={place}")
    assert repr(place.strip())[1:-1] in line
    assert list(tmp_path.iterdir()) == []


def test_a_page_is_written_to_the_folder_where_one_is(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    monkeypatch.setenv("LAKE", str(tmp_path / "lake"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["console", "--out=."])
    page.main()
    assert (tmp_path / "index.html").exists()


def test_the_reader_shows_an_error_escaped(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("LAKE", "/etc/passwd")
    assert cli.main(["show", "a\x1b[2J"]) == 2
    assert cli.main(["show", "shop", "--lake=/nowhere/\x1b[2J"]) == 2
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../evil", "/etc", "a/b", "a b", "", ".", "A"])
def test_every_name_in_a_path_is_checked_alike(tmp_path: Path, name: str) -> None:
    for use in (
        lambda: training_manifests.place(str(tmp_path), name, 1),
        lambda: training_manifests.manifests(str(tmp_path), name),
        lambda: pins.pin(str(tmp_path), name, "published/shop/v1", 0),
        lambda: pins.find(str(tmp_path), name),
    ):
        with pytest.raises(UsageError, match="can't be the name of a"):
            use()
