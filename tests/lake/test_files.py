from __future__ import annotations

from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from common.lake.storage.files import list_files, list_folders


@pytest.mark.parametrize("look", [lambda folder: list_files(folder, recursive=True), list_folders])
def test_a_folder_that_vanishes_while_listing_is_no_error(tmp_path: Path, look: Any) -> None:
    folder, enough = tmp_path / "ds=2026-01-05", Event()

    def come_and_go() -> None:
        while not enough.is_set():
            folder.mkdir()
            folder.rmdir()

    coming = Thread(target=come_and_go)
    coming.start()
    try:
        assert not any(look(str(folder)) for _ in range(20_000))
    finally:
        enough.set()
        coming.join()
