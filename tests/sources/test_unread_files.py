"""A day in landing is read again only if something of it may have changed since it was ingested."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from common.sources.files import landing
from common.sources.files.landing import Landing
from common.sources.source import UNREAD
from jobs.datasets.transactions.contract import CONTRACT
from tests.support.landing import judged

DS = date(2026, 1, 5)
HASH = "0" * 64


@pytest.fixture
def day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Landing:
    """Files count as settled at once."""
    monkeypatch.setattr(landing, "SETTLED_SECONDS", -60)
    day = Landing(CONTRACT, str(tmp_path), DS)
    Path(day.folder).mkdir(parents=True)
    for name in ("one.csv", "two.csv"):
        Path(day.folder, name).write_text("transaction_id\n7\n")
    return day


def ingested(day: Landing) -> Landing:
    """The day as it is asked for after its ingest, which says another hash than the files have: so reading them tells."""
    facts: dict[str, Any] = dict(judged(day).facts)
    landed = {name: [size, changed, HASH] for name, (size, changed, _) in facts["landed"].items()}
    return replace(day, taken={**facts, "landed": landed})


def files_read(day: Landing) -> str:
    hashed = {name: facts[2] for name, facts in judged(day).facts["landed"].items()}
    fingerprint = day.fingerprint()
    for read in ((), ("one.csv",), ("two.csv",), ("one.csv", "two.csv")):
        known = {name: hashed[name] if name in read else HASH for name in hashed}
        if fingerprint == landing.fingerprint_of(sorted(known.items())):
            return " ".join(read)
    return fingerprint


def test_files_that_nothing_has_touched_are_not_read(day: Landing) -> None:
    assert files_read(ingested(day)) == ""


def test_a_file_that_was_touched_is_read(day: Landing) -> None:
    """Whatever the time says that anybody may set."""
    again = ingested(day)
    os.utime(Path(day.folder, "two.csv"), (0, 0))
    assert files_read(again) == "two.csv"


def test_a_file_of_another_size_tells_by_itself(day: Landing) -> None:
    again = ingested(day)
    Path(day.folder, "two.csv").write_text("transaction_id\n77\n")
    assert again.fingerprint() == UNREAD


def test_a_further_file_tells_by_itself(day: Landing) -> None:
    again = ingested(day)
    Path(day.folder, "three.csv").write_text("transaction_id\n8\n")
    assert again.fingerprint() == UNREAD


def test_a_file_that_is_gone_tells(day: Landing) -> None:
    again = ingested(day)
    before = again.fingerprint()
    Path(day.folder, "two.csv").unlink()
    assert again.fingerprint() not in (before, UNREAD)


def test_a_file_that_has_just_changed_is_read(day: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have changed again at the very same time."""
    monkeypatch.setattr(landing, "SETTLED_SECONDS", 60)
    assert files_read(ingested(day)) == "one.csv two.csv"


def test_a_day_that_was_never_ingested_is_not_read(day: Landing) -> None:
    assert replace(day, taken={}).fingerprint() == UNREAD


def test_reading_tells_the_hash_that_asking_tells(day: Landing) -> None:
    """Whichever of the two comes first, an unchanged day is the same."""
    Path(day.folder, "note.txt").write_text("no data")
    Path(day.folder, "refused.csv").write_text("a,a\n")
    assert judged(day).fingerprint == day.fingerprint()
