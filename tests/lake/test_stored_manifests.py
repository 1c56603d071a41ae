"""The manifests of training sets on an object store are found, so that the next build does not replace the first."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import PipelineError, SourceMissingError
from common.lake.storage.files import write_json
from common.lake.training_manifests import manifest, manifests, place
from tests.support.s3_server import lake_server

LAKE = "s3://lake/here"


def test_every_version_that_was_built_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lake_server(tmp_path, monkeypatch):
        with pytest.raises(SourceMissingError, match="there are: none"):
            manifest(LAKE, "set")
        for version in (1, 2, 10):
            write_json(f"{place(LAKE, 'set', version)}/manifest.json", {"version": version})
        write_json(f"{place(LAKE, 'set', 11)}/unfinished.json", {"version": 11})
        assert [found["version"] for found in manifests(LAKE, "set")] == [1, 2, 10]
        assert manifest(LAKE, "set")["version"] == 10
        assert manifest(LAKE, "set", 1)["version"] == 1


@pytest.mark.parametrize(
    "damaged",
    [{"version": []}, {"version": "1"}, {"version": 1, "fitted": "{"}, {"version": 1, "inputs": 3}, {"name": "x"}],
)
def test_a_damaged_manifest_is_named(tmp_path: Path, damaged: dict[str, object]) -> None:
    folder = place(str(tmp_path), "set", 1)
    write_json(f"{folder}/manifest.json", damaged)
    with pytest.raises(PipelineError, match=rf"{folder}/manifest.json is no manifest; bring it back"):
        manifests(str(tmp_path), "set")
