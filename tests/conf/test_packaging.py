"""What is installed: the reader by itself, Spark's environment, the tools on top of it, and the images."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.published_tables import publish

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / "conf" / "requirements"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
RUN_TIME = [
    *PROJECT["dependencies"],
    *EXTRAS["spark"],
    *EXTRAS["online"],
    *EXTRAS["sources"],
    *PYPROJECT["build-system"]["requires"],
]
TOOLS = [line for line in EXTRAS["dev"] if not line.startswith(PROJECT["name"])]
ROWS = "ds | user_id | spend\n2026-01-05 | 1 | 10.50\n2026-01-05 | 2 | 3.00"
# Without the places that the tests' own process may name.
OUTSIDE = {name: value for name, value in os.environ.items() if name not in ("LAKE", "ONLINE", "PYTHONPATH")}


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in requirements}


def asked_for(name: str) -> list[str]:
    """The requirements in an .in file, without comments."""
    lines = (line.partition("#")[0].strip() for line in (LOCKS / f"{name}.in").read_text().splitlines())
    return [line for line in lines if line and not line.startswith("-")]


def pins(name: str) -> dict[str, str]:
    """The versions in a lock."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^ ;]+)", (LOCKS / f"{name}.txt").read_text(), re.M)
    return {canonicalize_name(package): version for package, version in found}


@pytest.mark.parametrize(("name", "declared"), [("spark", RUN_TIME), ("dev", TOOLS)])
def test_the_lock_pins_allowed_versions_of_every_dependency(name: str, declared: list[str]) -> None:
    assert names(declared) == names(asked_for(name))
    locked = pins(name)
    for line in (*declared, *asked_for(name)):
        wanted = Requirement(line)
        assert wanted.specifier.contains(locked[canonicalize_name(wanted.name)]), line


@pytest.mark.parametrize("file", [*LOCKS.glob("*.in"), ROOT / "pyproject.toml"], ids=lambda file: file.name)
def test_a_version_that_is_held_back_says_why(file: Path) -> None:
    held_back = [line for line in file.read_text().splitlines() if re.match(r'^\s*"?[a-zA-Z_-]+[^#]*(==|<)', line)]
    assert [line for line in held_back if not re.search(r"  # \S+ \S+", line)] == []


def test_the_dev_extra_includes_the_others() -> None:
    (others,) = (Requirement(line) for line in EXTRAS["dev"] if line.startswith(PROJECT["name"]))
    # MLflow is for who names a server of it.
    assert others.extras == {*EXTRAS} - {"dev", "mlflow"}


@pytest.mark.parametrize(("name", "tools"), [("spark", "dev"), ("airflow", "airflow-dev")])
def test_run_time_locks_hold_no_tools_and_share_versions(name: str, tools: str) -> None:
    locked, added = pins(name), pins(tools)
    assert not names(asked_for(tools)) & {*locked}
    assert {package: added[package] for package in {*locked} & {*added}} == {
        package: locked[package] for package in {*locked} & {*added}
    }


def test_images_are_built_without_tools() -> None:
    dockerfile = (ROOT / "conf" / "docker" / "Dockerfile").read_text()
    built = re.findall(r"^RUN python3 conf/environments\.py ([a-z0-9 -]+)", dockerfile, re.M)
    assert {name for line in built for name in line.split()} == {"spark", "s3", "airflow", "archive"}


def test_the_image_has_the_modules_that_the_warm_up_imports(tmp_path: Path) -> None:
    dockerfile = (ROOT / "conf" / "docker" / "Dockerfile").read_text()
    before_the_code = dockerfile.partition("AS with-spark")[0]
    for line in re.findall(r"^COPY (.*)$", before_the_code, re.M):
        *sources, target = line.split()
        for source in sources:
            copy(ROOT / source, tmp_path / target)
    warm_up = (ROOT / "conf" / "spark" / "warm_up.py").read_text()
    imports = "\n".join(re.findall(r"^from common.*$", warm_up, re.M))
    assert imports
    code = f"{imports}\nload_settings('local')"
    assert python(Path(sys.executable), code, cwd=tmp_path).returncode == 0


def copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def test_hooks_run_the_linters_of_make_lint_offline() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"
    assert {hook["language"] for hook in local["hooks"]} == {"system"}
    hooks = {hook["entry"].removesuffix(" --force-exclude") for hook in local["hooks"]}
    makefile = (ROOT / "Makefile").read_text()
    recipe = re.search(r"^lint:.*\n\t@(.*)$", makefile, re.M)
    assert recipe
    assert hooks == {command.removesuffix(" .") for command in recipe[1].split(" && ")}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the project and its own dependencies alone, as `pip install .` leaves it, at pinned versions."""
    folder = tmp_path_factory.mktemp("installed")
    copied = folder / "project"
    copied.mkdir()
    shutil.copy(ROOT / "pyproject.toml", copied)
    for package in ("common", "jobs"):
        shutil.copytree(ROOT / package, copied / package, ignore=shutil.ignore_patterns("__pycache__"))
    uv, environment = Path(sys.executable).with_name("uv"), folder / "environment"
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, environment], check=True)
    locked = ["-c", LOCKS / "spark.txt", "--build-constraints", LOCKS / "spark.txt"]
    install = [uv, "pip", "install", "-q", "--python", environment / "bin" / "python", *locked, copied]
    offline = subprocess.run([*install, "--offline"], check=False, capture_output=True)
    if offline.returncode:
        subprocess.run(install, check=True)
    shutil.rmtree(copied)
    return environment / "bin"


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    publish(tmp_path / "lake", ROWS)
    return tmp_path / "lake"


def python(executable: Path, code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [executable, "-c", code], cwd=cwd, env=OUTSIDE, capture_output=True, text=True, check=False, timeout=60
    )


def features(installed: Path, cwd: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [installed / "features", *arguments],
        cwd=cwd, env=OUTSIDE | environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("package", ["pyspark", "great_expectations", "pandas", "sklearn", "pytest", "airflow"])
def test_the_bare_reader_has_no_spark_and_no_tools(installed: Path, tmp_path: Path, package: str) -> None:
    assert "ModuleNotFoundError" in python(installed / "python", f"import {package}", tmp_path).stderr


def test_the_bare_reader_reads_a_published_table_in_python(installed: Path, tmp_path: Path, lake: Path) -> None:
    code = (
        "from common.published import Lake; "
        "rows = Lake('lake').features('purchases@v1').at().arrow(ds='2026-01-05', columns=['user_id', 'spend']); "
        "print([[*map(str, row.values())] for row in rows.to_pylist()])"
    )
    done = python(installed / "python", code, tmp_path)
    assert done.stdout.strip() == "[['1', '10.50'], ['2', '3.00']]", done.stderr


def test_the_command_needs_no_conf_where_a_lake_is_named(installed: Path, tmp_path: Path, lake: Path) -> None:
    (listed,) = answer(features(installed, tmp_path, "list", "--lake", "lake", "--json"))["tables"]
    assert (listed["table"], listed["rows"], listed["last_day"]) == ("purchases@v1", 2, "2026-01-05")
    shown = answer(features(installed, tmp_path, "show", "purchases", "--json", LAKE=str(lake)))
    assert [row["spend"] for row in shown["rows"]] == ["10.50", "3.00"]
    pinned = answer(features(installed, tmp_path, "pin", "kept", "purchases", "--lake", "lake", "--json"))
    assert answer(features(installed, tmp_path, "verify", "kept", "--lake", "lake", "--json"))["hash"] == pinned["hash"]


def test_the_command_says_how_to_name_a_lake(installed: Path, tmp_path: Path) -> None:
    done = features(installed, tmp_path, "list")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no lake is named" in done.stderr
    assert "pass --lake PATH or set LAKE" in done.stderr


def test_what_needs_spark_says_so(installed: Path, tmp_path: Path, lake: Path) -> None:
    done = features(installed, tmp_path, "reproduce", "run", "--lake", "lake")
    assert done.returncode == 2
    assert "this command needs Spark" in done.stderr
