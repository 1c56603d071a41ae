"""A changed feature definition is refused under the same version number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from common.contracts.contract import Column, Contract
from common.contracts.datasets import Dataset
from common.features import definition
from common.orchestration.chain import check_declarations
from common.runtime.run import Run
from jobs.backfill import CHAIN
from tests.support.play_lake import PlayLake
from tests.support.published_tables import commit, rows_of

DAY = "2026-01-05"
TRANSFORMS = '''
"""What is particular."""

from jobs.datasets.transactions.contract import CONTRACT
from jobs.datasets.transactions.rates import RATE
from pyspark.sql import functions as F


def derive(rows):
    return rows


def measure(rows):
    """Adds what is measured."""
    return rows.withColumn("weekend", F.col("payment_method") == RATE)  # so far
'''
RATES = "from . import limits\n\nRATE = limits.LOW\n"
LIMITS = "LOW: float = 1.5\n"


@dataclass(frozen=True)
class Elsewhere(Dataset):
    """A dataset whose transforms are in a given folder."""

    folder: Path = Path()

    @property
    def transforms_file(self) -> Path:
        return self.folder / "transforms.py"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "transactions"
    folder.mkdir()
    for name, text in {
        "transforms": TRANSFORMS,
        "rates": RATES,
        "limits": LIMITS,
        "contract": "CONTRACT = 1\n",
    }.items():
        (folder / f"{name}.py").write_text(text)
    return folder


@pytest.fixture
def run(tmp_path: Path, folder: Path) -> Run:
    """A features run whose earlier day was made by the present definition."""
    planned = PlayLake(tmp_path).plan("features", DAY)
    run = replace(planned, dataset=Elsewhere(planned.contract, planned.dataset.package, folder))
    books = {"job": "features", "ds": DAY, **definition.define(run.dataset).facts}
    commit(f"{run.settings.lake}/features/transactions/v1", rows_of(f"ds | user_id\n{DAY} | 1"), [DAY], books)
    return run


def declared(run: Run, **changed: Any) -> Run:
    return replace(run, dataset=replace(run.dataset, contract=replace(run.contract, **changed)))


def with_column(contract: Contract, name: str, **changed: Any) -> tuple[Column, ...]:
    return tuple(replace(each, **changed) if each.name == name else each for each in contract.columns)


def refused(run: Run) -> str:
    with pytest.raises(definition.DefinitionChangedError, match="Declare version=2") as said:
        definition.require_unchanged(run)
    assert said.value.exit_code == 2
    return str(said.value)


def test_an_unchanged_definition_is_accepted(run: Run) -> None:
    assert definition.require_unchanged(run).version == 1


@pytest.mark.parametrize(
    ("file", "before", "after", "said"),
    [
        ("transforms", "== RATE", ">= RATE", "the code of measure changed in the transforms"),
        ("transforms", "def derive", "LIMIT = 3\n\ndef derive", "LIMIT is new"),
        ("rates", "limits.LOW", "limits.LOW * 2", "the code of rates.RATE changed in the transforms"),
        ("limits", "1.5", "1.6", "the code of limits.LOW changed in the transforms"),
    ],
)
def test_a_changed_transform_is_refused(run: Run, folder: Path, file: str, before: str, after: str, said: str) -> None:
    text = (folder / f"{file}.py").read_text()
    assert before in text
    (folder / f"{file}.py").write_text(text.replace(before, after))
    assert said in refused(run)


def test_a_chain_finds_a_changed_definition_before_it_runs(run: Run) -> None:
    check_declarations(CHAIN, [run])
    with pytest.raises(definition.DefinitionChangedError, match="Declare version=2"):
        check_declarations(CHAIN, [declared(run, zone="Europe/Berlin")])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  # so far", ""),
        ("Adds what is measured.", "Measures."),
        ('F.col("payment_method")', "F.col(\n        'payment_method'\n    )"),
    ],
)
def test_comments_layout_and_docstrings_change_no_definition(run: Run, folder: Path, before: str, after: str) -> None:
    assert before in TRANSFORMS
    (folder / "transforms.py").write_text(TRANSFORMS.replace(before, after))
    definition.require_unchanged(run)


def test_a_changed_winner_key_zone_or_lateness_is_refused(run: Run) -> None:
    assert 'winner was "timestamp", is "timestamp, age"' in refused(declared(run, winner=("timestamp", "age")))
    assert 'zone was "UTC", is "Europe/Berlin"' in refused(declared(run, zone="Europe/Berlin"))
    assert 'lateness_days was "7", is "3"' in refused(declared(run, lateness_days=3))
    assert 'key was "transaction_id", is' in refused(declared(run, key=("transaction_id", "user_id")))


def test_leaving_out_rows_without_an_entity_is_a_new_definition(run: Run) -> None:
    nullable = declared(run, columns=with_column(run.contract, "user_id", required=False), null_entity="drop")
    assert "null_entity is new" in refused(nullable)


def test_a_changed_column_that_features_read_is_refused(run: Run) -> None:
    wider = declared(run, columns=with_column(run.contract, "category", values=("food", "sports")))
    assert 'category was "string; lower case; one of electronics' in refused(wider)
    # Only the transforms read it.
    upper = declared(run, columns=with_column(run.contract, "payment_method", lower=False))
    assert 'payment_method was "string; lower case; one of' in refused(upper)
    weekend, *_ = run.contract.features.measures
    more = (weekend, replace(weekend, name="night", type="long"))
    assert "measure night is new" in refused(declared(run, features=replace(run.contract.features, measures=more)))


def test_unread_columns_and_allowed_values_may_change(run: Run) -> None:
    shop = Column(name="shop", type="string", description="Where")
    definition.require_unchanged(declared(run, columns=(*run.contract.columns, shop)))
    dearer = with_column(run.contract, "purchase_amount", maximum=200_000, description="The price")
    definition.require_unchanged(declared(run, columns=dearer))


def test_the_commit_holds_the_code_of_a_feature_version(run: Run) -> None:
    facts = definition.define(run.dataset).facts
    assert facts["transforms"] == {
        "derive": "def derive(rows):\n    return rows",
        "measure": "def measure(rows):\n    return rows.withColumn('weekend', F.col('payment_method') == RATE)",
        "rates.RATE": "RATE = limits.LOW",
        "limits.LOW": "LOW: float = 1.5",
    }
