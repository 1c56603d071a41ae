"""Addresses of online stores: files for the user alone, servers, and passwords that stay unseen."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.errors import PipelineError, SourceMissingError, UsageError
from common.online import store as store_module
from common.online.connect import open_store
from tests.support.online_rows import rows, spends
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]


def test_sqlite_is_for_the_user_alone(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/online.db")
    store.load("sales_v1", "user_id", spends(1), {})
    assert (tmp_path / "online.db-wal").exists()
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


def test_an_sqlite_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/online.db"
    open_store(address).load("sales_v1", "user_id", spends(1), {})
    for file in tmp_path.iterdir():
        file.chmod(0o666)
    open_store(address).load("sales_v1", "user_id", spends(2), {})
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}


def test_the_address_comes_from_online_where_none_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ONLINE", f"sqlite:///{tmp_path}/there.db")
    open_store().load("sales_v1", "user_id", [rows("1:1")], {})
    assert (tmp_path / "there.db").exists()
    monkeypatch.delenv("ONLINE")
    assert open_store().path == ROOT / "data/online.db"  # type: ignore[attr-defined]


def test_reading_an_absent_file_creates_none(tmp_path: Path) -> None:
    with pytest.raises(SourceMissingError):
        open_store(f"sqlite:///{tmp_path}/online.db").get("sales_v1", 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", ["mongodb://me:hush@there/x", "sqlite:online.db", "hush"])
def test_an_address_of_unknown_kind_is_a_usage_error(address: str) -> None:
    with pytest.raises(UsageError, match="of an unknown kind; expected sqlite:///") as error:
        open_store(address)
    assert error.value.exit_code == 2
    assert "hush" not in str(error.value)


@pytest.mark.parametrize(
    ("address", "install"),
    [("redis://there:1/0", "pip install redis"), ("postgresql://there/x", "pip install 'psycopg[binary]'")],
)
def test_a_store_whose_library_is_absent_says_what_to_install(
    address: str, install: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(store_module.importlib, "import_module", absent)
    with pytest.raises(UsageError) as error:
        open_store(address)
    assert str(error.value) == f"the online store needs a library that is not installed: {install}"


@pytest.mark.parametrize("scheme", ["redis", "postgresql"])
def test_an_unreachable_server_is_named_without_its_password(scheme: str) -> None:
    if not importlib.util.find_spec({"redis": "redis", "postgresql": "psycopg"}[scheme]):
        pytest.skip("its library is not installed")
    port = free_port()
    with pytest.raises(PipelineError, match=f"{scheme}://127.0.0.1:{port}/0 can't be reached") as error:
        open_store(f"{scheme}://me:hu%24h@127.0.0.1:{port}/0").load("sales_v1", "user_id", [], {})
    assert "hu" not in str(error.value).replace("that", "")


SECRETS: list[tuple[Callable[[], str], str]] = [
    (lambda: store_module.without_credentials("redis://me:hush@there:6379/0?password=hush"), "redis://there:6379/0"),
    (lambda: store_module.without_credentials("postgresql://me:h@ush@there/x#hush"), "postgresql://there/x"),
    (lambda: repr(open_store("sqlite:////tmp/online.db")), "SqliteStore(sqlite:////tmp/online.db)"),
    (lambda: str(store_module.unreachable("redis://me:h%24sh@there", ValueError("h$sh h%24sh"))), "(*** ***)"),
]


@pytest.mark.parametrize(("say", "expected"), SECRETS)
def test_a_password_is_never_shown(say: Callable[[], str], expected: str) -> None:
    assert expected in say()
    assert "hush" not in say()
