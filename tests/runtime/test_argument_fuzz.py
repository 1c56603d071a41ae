"""Whatever is typed: one of the documented exit codes, no trace, and nothing in the lake is touched."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.errors import EXIT_CODES
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
VERBS = ("show", "get", "diff", "log", "why", "vector", "pin", "verify", "release", "reproduce")
words = st.one_of(st.text(max_size=12), st.sampled_from(HOSTILE), st.sampled_from(OPTIONS), st.sampled_from(VERBS))


@pytest.mark.parametrize("name", ["a job", "features", "status", "report", "quarantine"])
def test_arbitrary_arguments_end_in_a_known_way(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fuzz(COMMANDS[name][0], 40, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a job", "features", "status", "report", "quarantine"])
def test_many_arbitrary_arguments_end_in_a_known_way(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fuzz(COMMANDS[name][0], 1_000, tmp_path, monkeypatch)


def _fuzz(main: Callable[[], object], examples: int, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE", str(lake))
    monkeypatch.setenv("LANDING", str(lake / "landing"))
    monkeypatch.chdir(lake)

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(words, max_size=6))
    def check(arguments: list[str]) -> None:
        output = io.StringIO()
        with mock.patch("sys.argv", ["command", *arguments]), redirect_stderr(output), redirect_stdout(output):
            try:
                main()
                code: object = 0
            except SystemExit as stopped:
                code = stopped.code or 0
        assert code in EXIT_CODES.keys() - {1}, output.getvalue()
        assert "Traceback" not in output.getvalue()
        assert list(lake.rglob("_delta_log")) == []

    check()
