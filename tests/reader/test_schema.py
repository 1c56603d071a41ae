"""`--json` is an interface: each command prints what its published schema says, done or failed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from common.online.connect import open_store
from common.reader import cli, lineage_commands
from common.reader.shapes import JOB, SHAPES, WRITTEN, schema_of
from tests.support.play_lake import PlayLake
from tests.support.published_tables import publish

Capture = pytest.CaptureFixture[str]
ROWS = """
ds         | user_id | spend | mean | favourite
2026-01-01 | 1       | 10.00 | 1.5  | food
2026-01-02 | 2       | 12.00 | ?    | -
"""
COMMANDS = {
    "list": "list",
    "log": "log purchases",
    "show": "show purchases --entity 1",
    "get": "get purchases --out rows.parquet",
    "diff": "diff purchases 0 1",
    "pin": "pin model_1 purchases --version 0 --note kept",
    "pins": "pins",
    "verify": "verify model_1",
    "release": "release model_1",
    "vector": "vector purchases 1",
    "reproduce": "reproduce one",
    "plan": "plan --dataset churn",
}


def ask(capsys: Capture, words: str) -> Any:
    cli.main([*words.split(), "--json"])
    printed = json.loads(capsys.readouterr().out)
    schema = schema_of(words.split(maxsplit=1)[0])
    Draft202012Validator.check_schema(schema)
    assert [error.message for error in Draft202012Validator(schema).iter_errors(printed)] == []
    return printed


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    lake = tmp_path / "lake"
    publish(lake, ROWS, at="2026-02-01T06:00", run_id="one")
    publish(lake, ROWS.replace("12.00", "13.00"), at="2026-02-02T06:00", run_id="two")
    for name, value in {"LAKE": lake, "LANDING": tmp_path, "ONLINE": f"sqlite:///{tmp_path}/online.db"}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.chdir(tmp_path)
    rows = cli.Lake(str(lake)).features("purchases").at().arrow(ds="2026-01-01")
    open_store().load("purchases_v1", "user_id", rows.to_batches(), {"entity_type": "long"})
    submit = lambda *_, **__: SimpleNamespace(returncode=0)  # noqa: E731
    monkeypatch.setattr(lineage_commands.subprocess, "run", submit)
    return lake


def test_every_command_has_a_schema(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    commands = re.findall(r"^    ([a-z]+)\b", capsys.readouterr().out, re.MULTILINE)
    assert {*SHAPES, *WRITTEN} == {*commands} - {"schema"}
    assert JOB not in commands
    assert {*COMMANDS} == {*SHAPES, *WRITTEN} - {"why"}


def test_every_command_prints_what_its_schema_says(lake: Path, capsys: Capture) -> None:
    for name, words in COMMANDS.items():
        assert "error" not in ask(capsys, words), name


def test_why_prints_what_its_schema_says(churn: PlayLake, capsys: Capture) -> None:
    printed = ask(capsys, f"why churn --entity c000008 --ds 2026-01-05 --lake {churn.lake_folder}")
    assert len(printed["events"]) == 1


def test_a_failure_prints_what_the_schema_says(lake: Path, capsys: Capture) -> None:
    assert ask(capsys, "show nothing")["exit_code"] == 2
    assert ask(capsys, "verify nothing")["exit_code"] == 2


def test_a_field_that_nobody_declared_is_noticed(lake: Path, capsys: Capture) -> None:
    printed = ask(capsys, "show purchases")
    assert not Draft202012Validator(schema_of("show")).is_valid({**printed, "more": 1})


def test_the_command_shows_the_schema(lake: Path, capsys: Capture) -> None:
    assert cli.main(["schema", "pins"]) == 0
    assert json.loads(capsys.readouterr().out) == schema_of("pins")
    assert cli.main(["schema", "pinss"]) == 2
    assert "(did you mean pins?)" in capsys.readouterr().err
