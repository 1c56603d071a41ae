"""The locks of a remote lake lie where nobody else can take, read or redirect them."""

from pathlib import Path

import pytest

from common.errors import LakeNotWritableError, LockedError
from common.lake.storage import locks

LAKE = "s3://bucket/lake"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "feature-pipeline-locks"


def test_they_lie_in_a_folder_of_the_user_alone(state: Path) -> None:
    with locks.hold_here(LAKE, "raw/shop", 0):
        (lock,) = state.rglob("*.lock")
    assert state.stat().st_mode & 0o777 == 0o700
    assert lock.name == "raw.shop.lock"


def test_without_a_state_folder_they_lie_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with locks.hold_here(LAKE, "raw/shop", 0):
        assert list(tmp_path.rglob("raw.shop.lock"))


def test_two_lakes_have_locks_of_their_own(state: Path) -> None:
    with locks.hold_here(LAKE, "raw/shop", 0), locks.hold_here("s3://other/lake", "raw/shop", 0):
        assert len(list(state.rglob("raw.shop.lock"))) == 2


def link(state: Path) -> None:
    elsewhere = state.parent.parent / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    state.symlink_to(elsewhere)


@pytest.mark.parametrize(
    "put", [link, lambda state: state.mkdir(mode=0o755), lambda state: state.touch()], ids=["link", "open", "file"]
)
def test_a_folder_that_others_may_have_put_there_is_refused(state: Path, put: object) -> None:
    state.parent.mkdir()
    put(state)  # type: ignore[operator]
    with (
        pytest.raises(LakeNotWritableError, match="must be a folder of this user"),
        locks.hold_here(LAKE, "raw/shop", 0),
    ):
        pass


def test_a_folder_of_somebody_else_is_refused(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with locks.hold_here(LAKE, "raw/shop", 0):
        pass
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    with (
        pytest.raises(LakeNotWritableError, match="must be a folder of this user"),
        locks.hold_here(LAKE, "raw/shop", 0),
    ):
        pass


def test_a_remote_lake_is_locked_for_others(state: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def other() -> None:
        with locks.hold_here(LAKE, "raw/shop", 0):
            pass

    with locks.hold_here(LAKE, "raw/shop", 0), ThreadPoolExecutor(1) as threads, pytest.raises(LockedError):
        threads.submit(other).result()
