"""An object store that answers and refuses, for real jobs: a clear error, nothing lost, and healed by the same command."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.errors import UsageError
from common.runtime.object_store import require_jars
from tests.end_to_end.test_object_store import DAYS, Place, land
from tests.support.refusing_store import DENIED, FULL, OVER_QUOTA, RefusingStore, never, refusing, writes
from tests.support.s3_server import s3_server

pytestmark = pytest.mark.slow
DAY = DAYS[0]


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[str]]]:
    """The landing files, and every row of every table that they make on a laptop."""
    try:
        require_jars()
    except UsageError as error:
        pytest.skip(str(error))
    files = tmp_path_factory.mktemp("laptop")
    place = Place(files, str(files / "lake" / "here"), str(files / "landing"), {})
    land(place)
    place.job("backfill", ds=DAY)
    return files / "landing", place.content("here")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RefusingStore]:
    with s3_server(tmp_path, "lake") as server, refusing(server) as found:
        yield found


def placed(store: RefusingStore, landing: Path) -> Place:
    return Place(store.server.folder, "s3a://lake/here", str(landing), store.environment)


@pytest.mark.parametrize(
    ("where", "answer", "error", "said"),
    [
        ("/processed/", DENIED, "StorageUnreachableError", "the object store refuses our credentials"),
        ("/features/", FULL, "LakeNotWritableError", "the object store is full"),
        ("/published/", OVER_QUOTA, "LakeNotWritableError", "the object store is full"),
    ],
)
def test_a_store_that_refuses_in_mid_run_is_told_and_heals(
    laptop: tuple[Path, dict[str, list[str]]],
    store: RefusingStore,
    where: str,
    answer: tuple[int, str, str],
    error: str,
    said: str,
) -> None:
    landing, content = laptop
    place = placed(store, landing)
    store.refuses, store.answer = writes(where), answer
    code, line, errors = place.ends("backfill", ds=DAY)
    assert (code, line["error"]) == (1, error), errors[-3000:]
    assert said in line["message"] and answer[1] in line["message"]
    assert "run the same command again" in line["message"]
    assert "Traceback" not in errors
    assert place.content("here")["raw/churn"] == content["raw/churn"]
    store.refuses = never
    place.job("backfill", ds=DAY)
    there = place.content("here")
    assert {path for path in content if there[path] != content[path]} == set()


def test_keys_that_may_only_read_end_a_job_before_it_starts(
    laptop: tuple[Path, dict[str, list[str]]], store: RefusingStore
) -> None:
    store.refuses = writes()
    code, line, errors = placed(store, laptop[0]).ends("ingest", ds=DAY)
    assert (code, line["error"]) == (2, "UsageError"), errors[-3000:]
    assert "churn.ingest" in line["message"] and "read, write and delete" in line["message"]
    assert [path for path in (store.server.folder / "lake").rglob("*") if path.is_file()] == []
    store.refuses = never
    placed(store, laptop[0]).job("ingest", ds=DAY)


def test_a_bucket_that_is_not_there_ends_a_job(laptop: tuple[Path, dict[str, list[str]]], store: RefusingStore) -> None:
    shutil.rmtree(store.server.folder / "lake")
    code, line, errors = placed(store, laptop[0]).ends("ingest", ds=DAY)
    assert (code, line["error"]) == (2, "UsageError"), errors[-3000:]
    assert "there is no bucket lake" in line["message"]
