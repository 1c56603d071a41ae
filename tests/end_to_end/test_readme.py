"""Every command of the README does what it says."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from common.days import parse_days
from tests.support.job_line import line_of
from tests.support.play_lake import PlayLake
from tests.support.typed_here import Ended, typed, typed_without_java
from tests.support.warm_spark import warm_spark

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv/bin/python"
# The first is read top to bottom; the others go on from there.
READMES = [
    ROOT / "README.md",
    *sorted(
        path for folder in ("common", "conf", "dags", "jobs", "tests") for path in (ROOT / folder).rglob("README.md")
    ),
]
# Every block with its language; a block of commands names none.
BLOCKS = [block for path in READMES for block in re.findall(r"^```(\w*)\n(.*?)^```$", path.read_text(), re.S | re.M)]
TYPED = "\n".join(text for kind, text in BLOCKS if not kind)
COMMANDS = [command.strip() for command in re.findall(r"^(?:make|\.venv/bin/)[^#\n]*", TYPED, re.M)]
# Other tests run these: the demo, Airflow, the containers, the cluster and a warm Spark have their own, and tests are tests.
ELSEWHERE = re.compile(
    r"make (demo|mentions|test|airflow|backfill|up|down|cluster|cluster-down|warm|warm-down)\b|.* --env cluster\b|.* -m pytest\b"
)
# These have something to do each time.
ALWAYS_LOOKS = re.compile(r".*/(erase|leakcheck|reproduce)\.py")
Run = Callable[..., Ended]


@pytest.fixture
def lake(tmp_path: Path) -> PlayLake:
    return PlayLake(tmp_path)


@pytest.fixture(params=["here", *(pytest.param(spark, marks=pytest.mark.slow) for spark in ("warm", "cold"))])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Run]:
    """Runs a command in the tests' own Spark, as a process on the one of `make warm`, or as one that starts its own."""
    if request.param == "here":
        yield typed
    elif request.param == "cold":
        yield process
    else:
        with warm_spark(tmp_path / "server") as found:
            known = {**found.environment, "SPARK_REMOTE": found.address}
            yield lambda command, **environment: process(command, **known, **environment)


def test_readme_commands_run_and_a_second_run_changes_nothing(lake: PlayLake, spark: SparkSession, run: Run) -> None:
    for dataset in ("transactions", "churn"):
        sample = [f"jobs.datasets.{dataset}.sample", "--start", "2026-01-05", "--days", "2", "--rows", "200"]
        subprocess.run([PYTHON, "-m", *sample, "--out", lake.landing], cwd=ROOT, check=True, timeout=60)
    commands = [command for command in COMMANDS if not ELSEWHERE.match(command)]
    assert len(commands) >= 20
    places = {"LAKE": str(lake.lake_folder), "LANDING": str(lake.landing), "ONLINE": lake.online}
    for command in commands:
        code, printed, said = (process if command.startswith("make ") else run)(command, **places)
        assert code == 0, f"{command}\n{printed}\n{said}"
        if "spark-submit" in command:
            assert {"dataset", "ds"} <= line_of(printed).keys(), command
    assert len(lake.feature_rows("2026-01-05")) > 1
    assert len(lake.feature_rows("2026-01-06")) > 1
    made_again(lake)
    what_it_shows_in_python_and_sql_runs(lake, spark)
    before = lake.state()
    again = [command for command in commands if "spark-submit" in command and not ALWAYS_LOOKS.match(command)]
    for command, (code, printed, said) in zip(again, typed_without_java(again, **places), strict=True):
        assert (code, line_of(printed)["outcome"]) == (0, "nothing"), f"{command}\n{said}"
    assert lake.state() == before


def made_again(lake: PlayLake) -> None:
    """Everything that one of those runs published, from the sources that its publication names; a Spark of its own does it."""
    place = f"--lake {lake.lake_folder}"
    newest = json.loads(typed(f".venv/bin/features log transactions --json {place}")[1])["versions"][0]
    day, facts = sorted(newest["days"].items())[0]
    _, printed, said = process(f".venv/bin/features reproduce {facts['run_id'][:12]} {place}")
    said_so = f"transactions@v1 of {day}, published as version {newest['version']}: recomputed, identical"
    assert said_so in printed, said


def what_it_shows_in_python_and_sql_runs(lake: PlayLake, spark: SparkSession) -> None:
    """As it stands, but for the place of the lake."""
    code, queries = (
        [text.replace("data/lake", str(lake.root / "lake")) for kind, text in BLOCKS if kind == language]
        for language in ("python", "sql")
    )
    assert code
    assert queries
    for block in code:
        done = subprocess.run([PYTHON, "-c", block], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"{block}\n{done.stderr}"
    for query in queries:
        assert spark.sql(query).count() > 0, query


def process(command: str, **environment: str) -> Ended:
    done = subprocess.run(
        command.split(),
        check=False,
        cwd=ROOT,
        env={**os.environ, "SPARK_SUBMIT_OPTS": "-XX:TieredStopAtLevel=1", **environment},
        capture_output=True,
        text=True,
        timeout=900,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_first_airflow_backfill_finds_new_landed_days(tmp_path: Path) -> None:
    """Or a newcomer's first backfill waits half a day."""
    makefile = (ROOT / "Makefile").read_text()
    landed, ran = re.search(r"--days (\d+)", makefile), re.search(r"^DEMO_DAYS := (.*)$", makefile, re.M)
    (backfill,) = (command for command in COMMANDS if command.startswith("make backfill"))
    dataset, first, last = re.findall(r"=(\S+)", backfill)
    assert landed and ran
    assert first == str(parse_days(ran[1])[-1] + timedelta(days=1))
    sample = ["-m", f"jobs.datasets.{dataset}.sample", "--days", landed[1], "--rows", "2", "--out", tmp_path]
    subprocess.run([PYTHON, *sample], cwd=ROOT, check=True, timeout=60)
    for day in parse_days(f"{first}..{last}"):
        assert [*(tmp_path / dataset / f"ds={day}").iterdir()], day


def test_make_help_lists_every_target_by_use() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert phony
    assert re.findall(r"^  (\S+)", shown, re.M) == phony[1].split()
    assert re.findall(r"^(\S.*):$", shown, re.M) == [
        "Try it", "Develop", "Operate", "Airflow", "Cluster and containers",
    ]  # fmt: skip


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_readme_is_short_and_its_links_lead_somewhere(path: Path) -> None:
    text = path.read_text()
    assert len(text.split()) <= (900 if path == ROOT / "README.md" else 600)
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_readme_names_exists(path: Path) -> None:
    text = path.read_text()
    modules = re.findall(r"python -m ((?:common|jobs|tests)(?:\.\w+)+)", text)
    assert [name for name in modules if not (ROOT / f"{name.replace('.', '/')}.py").exists()] == []
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert targets
    assert set(re.findall(r"`make ([a-z0-9-]+)", text)) <= set(targets[1].split())
    files = re.findall(r"`((?:common|jobs|dags|conf|tests)/[\w/.-]+\.\w+)`", text)
    assert [name for name in files if not (ROOT / name).exists()] == []


def test_each_promise_has_its_test() -> None:
    promises = re.findall(r"`([\w/]+\.py)::(\w+)` \|", (ROOT / "tests/README.md").read_text())
    assert len(promises) > 15
    assert [name for path, name in promises if f"def {name}(" not in (ROOT / "tests" / path).read_text()] == []
