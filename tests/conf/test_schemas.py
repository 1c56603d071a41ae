"""Editors complete and check the settings' files by JSON Schemas that are made from the code."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from common.runtime.settings import CONF
from dags.schemas import FOLDER, texts

FILES = sorted([*CONF.glob("*.yml"), *CONF.glob("airflow/*.yml")])


def named_in(file: Path) -> Path:
    """The schema that the file's first line names."""
    match = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", file.read_text().splitlines()[0])
    assert match, f"{file}: the first line names no schema"
    return (file.parent / match[1]).resolve()


def faults(file: Path, content: Any) -> list[str]:
    schema = json.loads(named_in(file).read_text())
    Draft202012Validator.check_schema(schema)
    return [error.message for error in Draft202012Validator(schema).iter_errors(content)]


def read(file: Path) -> Any:
    """As an editor does: dates are texts in JSON."""
    return json.loads(json.dumps(yaml.safe_load(file.read_text()), default=str))


def test_the_schemas_are_what_the_code_says() -> None:
    stored = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert stored == texts(), "run python -m dags.schemas"


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_every_file_names_its_schema_and_keeps_to_it(file: Path) -> None:
    assert named_in(file).parent == FOLDER
    assert faults(file, read(file)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("all", "retires"), 3),
        (("all", "retries"), -1),
        (("daily", "missing"), "ignore"),
        (("datasets", "any"), {"poll_secs": 1}),
        (("environments", "local"), {"dayly": {}}),
        (("maintenence",), {}),
        (("alerts", "email"), {"host": "mail"}),
    ],
)
def test_a_mistyped_setting_of_the_schedule_is_marked(path: tuple[str, ...], value: Any) -> None:
    file = CONF / "airflow" / "schedule.yml"
    content = read(file)
    part = content
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    assert faults(file, content)


def test_a_mistyped_setting_of_an_environment_is_marked() -> None:
    file = CONF / "local.yml"
    assert len(faults(file, {**read(file), "lock_wait_second": 3})) == 1
    assert len(faults(file, {**read(file), "large_file_mb": "big"})) == 1
    assert len(faults(file, {**read(file), "deliveries": {"Shop": {"kind": "csv", "path": "out"}}})) == 1


def test_parts_of_the_schedule_may_be_empty() -> None:
    assert (
        faults(CONF / "airflow" / "schedule.yml", {"all": None, "alerts": None, "environments": {"compose": None}})
        == []
    )
