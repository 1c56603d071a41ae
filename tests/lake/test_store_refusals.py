"""A store that answers and refuses: exit code 2, with what to set, before anything is touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from common.errors import UsageError
from common.lake.storage.files import list_files, write_json
from common.reader import cli
from tests.support.s3_server import S3Server, lake_server

GUESSED = "guessed-at"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    with lake_server(tmp_path, monkeypatch) as started:
        yield started


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_wrong_keys_are_told_with_what_to_set(server: S3Server, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, GUESSED)
    with pytest.raises(UsageError, match="refused to list s3.*: .* Set AWS_ACCESS_KEY_ID and") as refused:
        write_json("s3a://lake/here/runs/x.json", {})
    assert refused.value.exit_code == 2
    assert GUESSED not in str(refused.value)
    assert server.counts()["PUT"] == 0


def test_a_reader_without_keys_ends_with_code_2(
    server: S3Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert cli.main(["list", "--lake", "s3://lake/here"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "AWS_ACCESS_KEY_ID" in line


def test_a_bucket_that_is_not_there_is_named(server: S3Server) -> None:
    with pytest.raises(UsageError, match="there is no bucket lakes at http://127.0.0.1:.*; create it, or name another"):
        list_files("s3://lakes/here")


def test_an_address_that_is_no_address_is_refused(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "127.0.0.1:9000")
    with pytest.raises(UsageError, match="expected an address such as http://"):
        list_files("s3://lake/here")
