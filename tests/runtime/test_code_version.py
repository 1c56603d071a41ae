"""Without new data a day becomes stale only by the engine version, the contract or the dataset's code."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import jobs.datasets
from common.contracts import datasets
from common.runtime import code_version
from common.runtime.code_version import day_fingerprint, rows_fingerprint
from tests.support.datasets import spoil

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of a dataset under a name of its own, that a test may edit."""
    copy = tmp_path / "purchases"
    shutil.copytree(ROOT / "jobs/datasets/transactions", copy, ignore=shutil.ignore_patterns("__pycache__"))
    contract = copy / "contract.py"
    contract.write_text(contract.read_text().replace('name="transactions"', 'name="purchases"'))
    monkeypatch.setattr(jobs.datasets, "__path__", [*jobs.datasets.__path__, str(tmp_path)])
    yield copy
    for module in [name for name in sys.modules if name.startswith("jobs.datasets.purchases")]:
        del sys.modules[module]


def fingerprints() -> dict[str, str]:
    return {name: day_fingerprint(datasets.load(name)) for name in datasets.names()}


def changed_by(file: Path, old: str, new: str) -> set[str]:
    before = fingerprints()
    spoil(file, old, new)
    after = fingerprints()
    return {name for name in before if before[name] != after[name]}


def test_an_edited_transform_makes_its_own_dataset_stale(folder: Path) -> None:
    assert changed_by(folder / "transforms.py", ">= 5", ">= 6") == {"purchases"}


def test_an_edited_contract_makes_its_own_dataset_stale(folder: Path) -> None:
    assert changed_by(folder / "contract.py", "lateness_days=7", "lateness_days=6") == {"purchases"}


def test_a_module_that_the_transforms_import_counts_too(folder: Path) -> None:
    (folder / "rates.py").write_text("SATURDAY = 5\n")
    spoil(
        folder / "transforms.py",
        "from pyspark.sql import DataFrame",
        "from . import rates\nfrom pyspark.sql import DataFrame",
    )
    assert changed_by(folder / "rates.py", "5", "6") == {"purchases"}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("transforms.py", "def derive", "# A comment.\ndef derive"),
        ("transforms.py", "pure functions of rows", "functions that read rows alone"),
        ("sample.py", "0.06", "0.07"),
    ],
    ids=["a comment", "a docstring", "the sample"],
)
def test_edits_that_cannot_change_rows_make_nothing_stale(folder: Path, file: str, old: str, new: str) -> None:
    assert changed_by(folder / file, old, new) == set()


def test_code_outside_the_datasets_makes_nothing_stale() -> None:
    """A report may change every day, so the fingerprint does not read it."""
    read = {path for name in datasets.names() for path in _files_read(name)}
    assert {path.relative_to(ROOT).parts[:2] for path in read} == {("jobs", "datasets")}


def _files_read(name: str) -> list[Path]:
    from common.contracts.checking.source_code import modules_of

    dataset = datasets.load(name)
    return [*modules_of(dataset.contract_file), *modules_of(dataset.transforms_file)]


def test_a_raised_engine_version_makes_every_dataset_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprints()
    monkeypatch.setattr(code_version, "ENGINE_VERSION", code_version.ENGINE_VERSION + 1)
    assert not before.items() & fingerprints().items()


COUNTED = 'Feature("purchases_30d"'
READING = "\n\nNAMES = CONTRACT.features.columns\n"
IMPORTED = "\n\nfrom jobs.datasets.purchases.contract import CONTRACT\n"


def rows_change(folder: Path, old: str, new: str) -> bool:
    """Whether the steps before the features would run again."""
    before = rows_fingerprint(datasets.load("purchases"))
    spoil(folder / "contract.py", old, new)
    for name in [name for name in sys.modules if name.startswith("jobs.datasets.purchases")]:
        del sys.modules[name]
    return rows_fingerprint(datasets.load("purchases")) != before


def test_a_new_feature_makes_no_earlier_step_stale(folder: Path) -> None:
    assert not rows_change(folder, COUNTED, f'Feature("purchases_9d", Count(9)), {COUNTED}')


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (COUNTED, f'Feature("purchases_90d", Count(90)), {COUNTED}'),
        ("lateness_days=7", "lateness_days=6"),
        ('entity="user_id"', 'entity="transaction_id"'),
    ],
    ids=["a window that reaches further", "lateness", "the entity"],
)
def test_what_decides_rows_makes_the_earlier_steps_stale(folder: Path, old: str, new: str) -> None:
    assert rows_change(folder, old, new)


@pytest.mark.parametrize("file", ["contract.py", "transforms.py"])
def test_code_that_reads_the_feature_columns_depends_on_them(folder: Path, file: str) -> None:
    with (folder / file).open("a") as module:
        module.write(READING if file == "contract.py" else IMPORTED + READING)
    assert rows_change(folder, COUNTED, f'Feature("purchases_9d", Count(9)), {COUNTED}')
