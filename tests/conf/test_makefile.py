"""The Makefile's recipes in a project of stubs: what they remove, and that a value is never run."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STUB = """#!/bin/bash
printf '%s|' "$(basename "$0")" "LAKE=$LAKE" "LANDING=$LANDING" "LANDING_FOLDER=$LANDING_FOLDER" "$@" >>"$RECORD"
echo >>"$RECORD"
for word in "$@"; do [[ $word != --out=* ]] || mkdir -p -- "${word#--out=}"/{transactions,churn}; done
"""
HOSTILE = [
    "a folder",
    "x; touch ran #",
    "$(touch ran)",
    "`touch ran`",
    "$(shell touch ran)",
    'x" ; touch ran ; "',
    "-rf",
]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project folder whose programs write down how they were called."""
    folder = tmp_path / "project"
    for name in (".venv/bin/python", ".venv/bin/spark-submit", ".venv-airflow/bin/airflow", "docker", "python3.11"):
        program = folder / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(STUB)
        program.chmod(0o755)
    for name in (
        "data/lake/raw/kept",
        "data/cache/__pycache__/kept",
        "spark-warehouse/kept",
        "common/__pycache__/x.pyc",
        ".pytest_cache/x",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    shutil.copy(ROOT / "Makefile", folder)
    return folder


def make(
    project: Path, *words: str, stdin: int = subprocess.DEVNULL, **variables: str
) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if name not in ("LAKE", "LANDING", "CONFIRM")}
    own = {"PATH": f"{project}:/usr/bin:/bin", "RECORD": str(project / "record")}
    return subprocess.run(
        ["make", *words], cwd=project, env=outside | own | variables, stdin=stdin, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip


def calls(project: Path) -> str:
    return (project / "record").read_text()


def test_clean_removes_environments_and_caches_and_keeps_data(project: Path) -> None:
    assert make(project, "clean").returncode == 0
    made = (".venv", ".venv-airflow", "common/__pycache__", ".pytest_cache")
    assert not [name for name in made if (project / name).exists()]
    for name in ("data/lake/raw/kept", "data/cache/__pycache__/kept", "spark-warehouse/kept"):
        assert (project / name).exists(), name


def test_wipe_without_a_terminal_refuses_and_says_what_to_do(project: Path) -> None:
    done = make(project, "wipe")
    assert done.returncode == 2
    assert "the lake, landing files" in done.stderr
    assert "run CONFIRM=yes make wipe" in done.stderr
    assert (project / "data/lake/raw/kept").exists()


def test_a_confirmed_wipe_removes_data_alone(project: Path) -> None:
    assert make(project, "wipe", CONFIRM="yes").returncode == 0
    assert not (project / "data").exists()
    assert not (project / "spark-warehouse").exists()
    assert (project / ".venv").exists()


@pytest.mark.parametrize("name", ["data", "spark-warehouse"])
def test_a_wipe_does_not_take_a_link_for_what_it_leads_to(project: Path, name: str) -> None:
    """To remove the link and leave the data would be no wipe; what lies elsewhere may be more than ours."""
    (project / name).rename(project / "elsewhere")
    (project / name).symlink_to("elsewhere")
    done = make(project, "wipe", CONFIRM="yes")
    assert done.returncode == 2
    assert f"{name} is a link to {project / 'elsewhere'}: nothing was removed" in done.stderr
    assert any((project / "elsewhere").rglob("kept"))
    assert any((project / name).rglob("kept"))


@pytest.mark.parametrize("how", ["environment", "argument"])
def test_a_wipe_says_that_a_lake_elsewhere_stays(project: Path, tmp_path: Path, how: str) -> None:
    lake = str(tmp_path / "other lake")
    words, variables = ([f"LAKE={lake}"], {}) if how == "argument" else ([], {"LAKE": lake})
    assert "stays" not in make(project, "wipe").stderr
    done = make(project, "wipe", *words, CONFIRM="yes", **variables)
    assert (done.returncode, f"What lies elsewhere stays: {lake}" in done.stderr) == (0, True)


@pytest.mark.parametrize(("answer", "left"), [("no", True), ("y", True), ("", True), ("yes", False)])
def test_wipe_asks_at_a_terminal(project: Path, answer: str, left: bool) -> None:
    outer, inner = pty.openpty()
    os.write(outer, f"{answer}\n".encode())
    done = make(project, "wipe", stdin=inner)
    os.close(outer)
    os.close(inner)
    assert (project / "data").exists() == left
    assert done.returncode == (2 if left else 0)


@pytest.mark.parametrize("how", ["environment", "argument"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_folders_name_is_never_run(project: Path, name: str, how: str) -> None:
    places = {"LAKE": f"{name} lake", "LANDING": name}
    words = [f"{variable}={value}" for variable, value in places.items()] if how == "argument" else []
    for target in ("demo", "status", "up"):
        done = make(project, target, *words, **({} if words else places))
        assert done.returncode == 0, done.stderr
    assert not list(project.rglob("ran"))
    recorded = calls(project)
    assert recorded.count(f"|LAKE={name} lake|LANDING={name}|") == len(recorded.splitlines())
    assert f"|LANDING_FOLDER={project / name}|" in recorded
    assert (project / name / "transactions").is_dir()


@pytest.mark.parametrize("value", HOSTILE)
def test_what_names_a_dataset_or_a_day_is_never_run(project: Path, value: str) -> None:
    make(project, "quarantine", f"DATASET={value}", f"DS={value}")
    assert not list(project.rglob("ran"))
    assert f"|--dataset|{value}|--ds|{value}|" in calls(project)


def test_no_recipe_expands_a_typed_value() -> None:
    makefile = (ROOT / "Makefile").read_text()
    typed = re.search(r"^TYPED := (.*)$", makefile, re.M)
    assert typed
    recipes = "\n".join(line for line in makefile.splitlines() if line.startswith("\t"))
    names = "|".join(set(typed[1].split()) - {"COMPOSE"})  # a command of several words
    assert re.findall(rf"\$\((?:{names})\)", recipes) == []
