"""Whose rights a private file takes away, and whose not."""

import os
from pathlib import Path

import pytest

from common.runtime.private_files import close_to_others, keep_private


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_file_of_another_user_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "theirs"
    file.touch()
    file.chmod(0o644)
    os.chown(file, 1, 1)
    keep_private(file)
    assert file.stat().st_mode & 0o777 == 0o644


def test_a_file_that_is_not_there_is_left_out(tmp_path: Path) -> None:
    close_to_others(tmp_path / "nothing")
    assert list(tmp_path.iterdir()) == []
