"""Every program that a person starts has the same command line: a version, help, advice, and one line for what went wrong."""

from __future__ import annotations

import os
import resource
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from common.errors import EXIT_CODES, UsageError, exit_on_error
from tests.house.test_imports import ROOT, modules

PROGRAMS = sorted(
    module
    for folder in ("common", "jobs")
    for module, path in modules(ROOT / folder).items()
    if 'if __name__ == "__main__":' in path.read_text()
)
# A process for each costs half a second; `make test-all` starts them all.
SOME = [pytest.param(module, marks=pytest.mark.slow if at % 5 else ()) for at, module in enumerate(PROGRAMS)]
Capture = pytest.CaptureFixture[str]


def run(monkeypatch: pytest.MonkeyPatch, capsys: Capture, module: str, *words: str) -> tuple[object, str, str]:
    """The exit code of a program, and what it prints and says."""
    monkeypatch.setattr(sys, "argv", [module, *words])
    monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    said = capsys.readouterr()
    return stopped.value.code or 0, said.out, said.err


def test_all_programs_are_known() -> None:
    assert len(PROGRAMS) > 25
    assert {"jobs.ingest", "jobs.new_dataset", "jobs.datasets.churn.baseline", "common.reports.status"} <= {*PROGRAMS}


@pytest.mark.parametrize("module", PROGRAMS)
def test_every_program_explains_itself(monkeypatch: pytest.MonkeyPatch, capsys: Capture, module: str) -> None:
    code, shown, _ = run(monkeypatch, capsys, module, "--help")
    usage, _, description = shown.partition("\n\n")
    assert (code, usage.split()[0]) == (0, "usage:")
    assert len(description.partition("\n\n")[0].split()) > 3, "what it does"
    assert all(f"  {code:<4}{meaning}" in shown for code, meaning in EXIT_CODES.items())
    *_, example = shown.partition("for example:\n  ")
    assert example.split()[0] in ("make", "features", ".venv/bin/python", ".venv/bin/spark-submit")


@pytest.mark.parametrize("module", PROGRAMS)
def test_every_program_knows_its_version(monkeypatch: pytest.MonkeyPatch, capsys: Capture, module: str) -> None:
    code, shown, _ = run(monkeypatch, capsys, module, "--version")
    assert (code, shown.split()[0]) == (0, "feature-pipeline")


@pytest.mark.parametrize("module", PROGRAMS)
def test_every_program_names_the_option_that_was_meant(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, module: str
) -> None:
    words = ["list"] * (module == "common.reader.cli")
    option = "--lkae" if words else "--verison"
    code, _, said = run(monkeypatch, capsys, module, *words, option)
    assert code == 2
    assert len(said.splitlines()) == 1
    assert f"{option} is not an option of this command (did you mean {'--lake' if words else '--version'}?)" in said


@pytest.mark.parametrize("word", ["a\udcff", "a\ufffd"], ids=["as Python keeps it", "as Java replaces it"])
@pytest.mark.parametrize("module", PROGRAMS)
def test_no_program_takes_bytes_that_are_not_utf8(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, module: str, word: str
) -> None:
    code, _, said = run(monkeypatch, capsys, module, word)
    assert code == 2
    (line,) = said.splitlines()
    assert "holds bytes that are not UTF-8" in line


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (UsageError("a\nb"), 2, r"a\nb"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (PermissionError(13, "Permission denied", "/x"), 1, "can't be used: [Errno 13] Permission denied: '/x'"),
    ],
)
def test_what_went_wrong_is_one_line(raised: BaseException, code: int, said: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as stopped, exit_on_error():
        raise raised
    (line,) = capsys.readouterr().err.splitlines()
    assert (stopped.value.code, said in line) == (code, True)


@pytest.mark.parametrize("module", SOME)
def test_a_wrong_option_costs_less_than_a_second(module: str) -> None:
    """Of a processor, which is the same on a busy machine; jobs cost less, because spark-submit looks first."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-m", module, "--bogus"], cwd=ROOT, capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 2
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1


@pytest.mark.parametrize("target", ["status", "docs", "features"])
def test_a_lake_with_escapes_in_its_name_is_refused_escaped(tmp_path: Path, target: str) -> None:
    module = {
        "status": ["common.reports.status"],
        "docs": ["common.reports.gx_docs"],
        "features": ["common.reader.cli", "list"],
    }[target]
    environment = {**os.environ, "LAKE": str(tmp_path / "a\x1b[2J\nb")}
    done = subprocess.run(
        [sys.executable, "-m", *module], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    (line,) = (done.stdout + done.stderr).splitlines()
    assert done.returncode == 2
    assert r"a\x1b[2J\nb" in line
