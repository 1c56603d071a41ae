"""The moments between two writes of a run, found by the run itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from common.lake import commit_metadata, files


@contextmanager
def boundaries(actions: dict[int, Callable[[str], None]]) -> Iterator[list[str]]:
    """Calls an action before the nth commit or side file that is written inside the block; yields what was written.

    A commit says what it is before it is made, so its signature is the last moment before it.
    """
    seen: list[str] = []
    signature, write_json = commit_metadata.signature, files.write_json

    def reached(what: str) -> None:
        seen.append(what)
        if action := actions.pop(len(seen), None):
            action(what)

    def sign(run: Any) -> dict[str, Any]:
        reached(f"a commit of {run.job}")
        return signature(run)

    def write(uri: str, content: dict[str, Any]) -> None:
        reached(uri.rpartition("/lake/")[2])
        write_json(uri, content)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(commit_metadata, "signature", sign)
        for module in ("common.orchestration.run_log", "common.quality.gate"):
            patched.setattr(f"{module}.write_json", write)
        yield seen
