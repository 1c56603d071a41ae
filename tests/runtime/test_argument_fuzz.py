"""Whatever is typed: one of the documented exit codes, no trace, and nothing in the lake is touched."""

from __future__ import annotations

import io
import re
import runpy
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import EXIT_CODES
from tests.house.test_commands import PROGRAMS
from tests.runtime.test_bad_settings import COMMANDS

# What is typed in place of a value, besides arbitrary text.
HOSTILE = (
    "../../etc",
    "'; drop table x --",
    "$(id)",
    "`id`",
    "%00",
    "{{ ds }}",
    "-1",
    "--",
    "-h5",
    "\x1b[2J",
    "a" * 5000,
)
OPTIONS = (
    "--ds",
    "--dataset",
    "--lake",
    "--env",
    "--days",
    "--version",
    "--pin",
    "--out",
    "--table",
    "--limit",
    "--json",
)
# Given no wrong argument, these start servers.
SERVING = {"jobs.datasets.mentions.demo", "jobs.datasets.mentions.lexicon_service"}
FUZZED = [module for module in PROGRAMS if module not in SERVING]
VERBS = ("show", "get", "diff", "log", "why", "vector", "pin", "verify", "release", "reproduce")
typed = st.text(st.characters(exclude_characters="\x00"), max_size=12)  # no argument can hold a NUL
words = st.one_of(typed, st.sampled_from(HOSTILE), st.sampled_from(OPTIONS), st.sampled_from(VERBS))


@pytest.mark.parametrize("name", ["a job", "features", "status", "console", "quarantine"])
def test_arbitrary_arguments_end_in_a_known_way(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fuzz(COMMANDS[name][0], 40, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a job", "features", "status", "console", "quarantine"])
def test_many_arbitrary_arguments_end_in_a_known_way(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fuzz(COMMANDS[name][0], 1_000, tmp_path, monkeypatch)


@pytest.mark.parametrize("module", FUZZED)
def test_arbitrary_texts_as_arguments_of_every_program(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fuzz_program(module, 15, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("module", FUZZED)
def test_many_texts_as_arguments_of_every_program(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fuzz_program(module, 500, tmp_path, monkeypatch)


def _fuzz_program(module: str, examples: int, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own options, each with a text or without, and texts where none is expected."""

    def main() -> None:
        sys.modules.pop(module, None)
        runpy.run_module(module, run_name="__main__", alter_sys=True)

    output = io.StringIO()
    with mock.patch("sys.argv", [module, "--help"]), redirect_stdout(output), pytest.raises(SystemExit):
        main()
    options = sorted({*re.findall(r"--[a-z][a-z-]+", output.getvalue())} - {"--help", "--version"})
    texts = st.one_of(typed, st.sampled_from(HOSTILE))
    own = st.sampled_from(options) if options else texts
    words = st.lists(st.one_of(texts, own, st.tuples(own, texts).map("=".join)), min_size=1, max_size=8)
    # So far that the other arguments are looked at, and never so far that a day runs.
    started = st.sampled_from(
        [["--dataset", "churn", "--ds", "2999-01-01"]] * ({"--dataset", "--ds"} <= {*options}) + [[]]
    )
    words = st.tuples(started, words).map(lambda parts: [*parts[0], *parts[1]])
    _fuzz(main, examples, lake, monkeypatch, words)


def _fuzz(
    main: Callable[[], object],
    examples: int,
    lake: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: st.SearchStrategy[list[str]] | None = None,
) -> None:
    monkeypatch.setenv("LAKE", str(lake))
    monkeypatch.setenv("LANDING", str(lake / "landing"))
    monkeypatch.chdir(lake)

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(words, max_size=6) if lines is None else lines)
    def check(arguments: list[str]) -> None:
        output = io.StringIO()
        with mock.patch("sys.argv", ["command", *arguments]), redirect_stderr(output), redirect_stdout(output):
            try:
                main()
                code: object = 0
            except SystemExit as stopped:
                code = stopped.code or 0
        assert code in EXIT_CODES, output.getvalue()
        if code == 1:  # a place of 5,000 letters
            assert "can't be used: [Errno 36] File name too long" in output.getvalue()
        assert "Traceback" not in output.getvalue()
        assert list(lake.rglob("_delta_log")) == []

    check()
