"""The leak check passes on correct code and names leaks by column and entity."""

import json
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F

from common.clean import as_of
from common.contracts import datasets
from common.contracts.contract import Contract
from common.errors import ContractViolationError, InconclusiveCheckError, SourceMissingError
from common.features import leak_check
from common.orchestration.job import Job, run_day
from common.runtime.run import Run
from common.training import as_of_join, build
from common.training.fitting import fit
from common.training.steps import Impute, MinMax
from common.training.training_set import From
from jobs import leakcheck
from jobs.clean import CLEAN
from jobs.features import FEATURES
from jobs.ingest import INGEST
from jobs.leakcheck import LEAKCHECK
from tests.support.offers import OFFERS, labels
from tests.support.play_lake import PlayLake

DAY, NEXT = "2026-01-05", "2026-01-06"
NAME = "churn_baseline"


def of_a_week(contract: Contract) -> Contract:
    """The same with features of a week alone: a check makes each day anew that a window or a late row can hold."""
    columns = tuple(each for each in contract.features.columns if each.name in ("spend_7d", "purchases_7d"))
    return replace(contract, lateness_days=2, features=replace(contract.features, columns=columns))


PURCHASES = """
    transaction_id | user_id | purchase_amount | timestamp
    a              | 41      | 10.00           | 2026-01-04T10:00:00Z
    b              | 42      | 5.00            | 2026-01-04T10:00:00Z
    c              | 41      | 10.00           | 2026-01-05T10:00:00Z
    d              | 42      | 5.00            | 2026-01-05T10:00:00Z
"""


def cleaned(lake: PlayLake, text: str) -> PlayLake:
    """The check makes features by itself."""
    lake.land(DAY, text)
    lake.ingest(DAY)
    lake.clean(DAY)
    return lake


@pytest.fixture(scope="module")
def weekly_once(tmp_path_factory: pytest.TempPathFactory, spark: object) -> PlayLake:
    lake = PlayLake(tmp_path_factory.mktemp("weekly"))
    contract = of_a_week(lake.contract)
    return cleaned(lake.with_contract(lateness_days=contract.lateness_days, features=contract.features), PURCHASES)


@pytest.fixture
def weekly(weekly_once: PlayLake, tmp_path: Path) -> PlayLake:
    return weekly_once.copied(tmp_path)


def test_nothing_after_a_day_changes_its_features(weekly: PlayLake) -> None:
    require_no_leak(weekly)


@pytest.mark.slow
def test_nothing_after_a_day_changes_features_of_a_month(lake: PlayLake) -> None:
    require_no_leak(cleaned(lake, PURCHASES))


def require_no_leak(lake: PlayLake) -> None:
    before = lake.state()
    counts = lake.run(LEAKCHECK, DAY, training_set=None)["counts"]
    assert counts == {"rows": 2, "poisoned": 4, "taken_in": 4, "leaks": 0}
    assert lake.state() == before


def test_a_look_at_later_arrivals_is_caught_by_column_and_entity(
    weekly: PlayLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = weekly
    monkeypatch.setattr(as_of, "known_on", lambda ds: F.col("superseded").isNull())
    real = as_of.rows_known

    def all_that_is_stored(run, dates, on):  # type: ignore[no-untyped-def]
        return real(run, dates, date(2999, 1, 1))

    monkeypatch.setattr("common.features.partials.rows_known", all_that_is_stored)
    with pytest.raises(
        ContractViolationError,
        match=r"depend on data that arrived after that day: .*spend_7d of \d rows, e.g. 2026-01-05/4\d",
    ) as leak:
        lake.run(LEAKCHECK, DAY, training_set=None)
    assert leak.value.exit_code == 3
    assert "spend_7d" in {each["column"] for each in leak.value.failures}


def test_a_check_whose_poison_was_refused_is_inconclusive(lake: PlayLake) -> None:
    # Poison triples amounts: 157.00 does not fit the column, so the contract refuses it.
    narrow = lake.with_contract(columns=lake.columns("purchase_amount", type="decimal(4,2)", maximum=None))
    cleaned(narrow, "transaction_id | purchase_amount\na | 50.00")
    with pytest.raises(
        InconclusiveCheckError, match="none of the 1 poison rows .* was accepted .*'quarantined': 1"
    ) as vain:
        narrow.run(LEAKCHECK, DAY, training_set=None)
    assert vain.value.exit_code == 1
    with pytest.raises(SourceMissingError, match=r"no row of 2026-03-01\.\.2026-03-08"):
        narrow.run(LEAKCHECK, "2026-03-08", training_set=None)


def test_poison_has_new_events_for_numeric_keys_too(lake: PlayLake, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = datasets.load("transactions")
    key, *others = dataset.contract.columns
    numbered = replace(of_a_week(dataset.contract), columns=(replace(key, type="long"), *others))
    monkeypatch.setattr(datasets, "load", lambda name: replace(dataset, contract=numbered))
    cleaned(lake, "transaction_id | user_id\n7 | 1\n8 | 2\n9 | 3")
    landed = []

    def look(run: Run) -> None:
        (file,) = (Path(run.settings.landing) / "transactions" / f"ds={NEXT}").iterdir()
        landed.extend(json.loads(line) for line in file.read_text().splitlines())

    jobs = [partial(run_one, job) for job in (INGEST, CLEAN)]
    counts = leak_check.check_features(lake.plan("leakcheck", DAY), [look, *jobs], partial(run_one, FEATURES))
    assert (counts["poisoned"], counts["taken_in"]) == (3, 3)
    # A new event of tomorrow, a new late one, and a correction.
    said = [(each["transaction_id"], each["user_id"], each["timestamp"][:10]) for each in landed]
    assert said == [("10", "1", NEXT), ("11", "2", DAY), ("9", "3", DAY)]


def run_one(job: Job, run: Run) -> None:
    run_day(job, replace(run, job=job.name), quiet=True)


def test_nothing_outside_train_changes_what_is_fitted(churn: PlayLake) -> None:
    counts = leakcheck.check([churn.plan("leakcheck", ds, training_set=NAME, labels=None) for ds in (DAY, NEXT)]).counts
    assert counts["leaks"] == 0
    assert counts["changed_columns"] > 5


def test_a_scaler_that_was_fitted_on_all_rows_is_caught(churn: PlayLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        build,
        "fit_on_train",
        lambda rows, declared: fit((MinMax("tenure_days"),), rows.drop("split").toArrow()),
    )
    with pytest.raises(ContractViolationError, match="look at rows outside the train split") as leak:
        leakcheck.check([churn.plan("leakcheck", ds, training_set=NAME, labels=None) for ds in (DAY, NEXT)])
    assert leak.value.exit_code == 3


def test_a_leaking_step_is_named_by_its_column(churn: PlayLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        build,
        "fit_on_train",
        lambda rows, declared: fit(
            (MinMax("monthly_charges"), Impute("total_charges", by="mean", group="gender")),
            rows.drop("split").toArrow(),
        ),
    )
    with pytest.raises(
        ContractViolationError, match=r"span of MinMax of monthly_charges, .* of Impute of total_charges"
    ) as leak:
        leakcheck.check([churn.plan("leakcheck", ds, training_set=NAME, labels=None) for ds in (DAY, NEXT)])
    assert {"monthly_charges", "total_charges, gender"} == {each["column"] for each in leak.value.failures}


ASKED = """
customer_id | asked_at            | bought
c000001     | 2026-01-06T01:00:00 | 1
c000001     | 2026-01-06T13:00:00 | 0
c000002     | 2026-01-06T23:00:00 | 0
c000003     | 2026-01-06T01:00:00 | 1
nobody      | 2026-01-05T12:00:00 | 1
"""
BEHIND = replace(OFFERS, features=(*OFFERS.features, From(table="churn@v1", columns=("gender",), gap_hours=12)))


def check_offers(lake: PlayLake) -> dict[str, int]:
    return build.check_leaks([lake.plan("leakcheck", ds) for ds in (DAY, NEXT)], BEHIND, labels(lake, ASKED))


def test_no_example_changes_with_rows_after_its_label(churn: PlayLake) -> None:
    assert check_offers(churn) == {"changed_columns": 5, "leaks": 0, "examples": 5}


def newest(examples, features, entity, wanted, columns):  # type: ignore[no-untyped-def]
    """A leaking join: takes the newest row of the entity, whatever the label's time."""
    rows = features.groupBy(entity).agg(F.max_by(F.struct(*columns), "ds").alias("row"))
    values = [F.col(f"row.{name}").alias(named) for name, named in columns.items()]
    return examples.join(rows, entity, "left").select(*examples.columns, *values)


def without_gap(examples, features, entity, wanted, columns):  # type: ignore[no-untyped-def]
    return as_of_join.as_of(examples, features, entity, replace(wanted, gap_hours=0), columns)


@pytest.mark.parametrize(
    ("broken", "by", "said"),
    [
        pytest.param(
            "common.training.as_of_join.known_at",
            lambda ds, every: ds.cast("timestamp"),
            "tenure_days of 5 rows, e.g. c000001/2026-01-06 01",
            marks=pytest.mark.slow,
        ),
        ("common.training.build.as_of", newest, "tenure_days of 5 rows, e.g. c000001/2026-01-06 01"),
        ("common.training.build.as_of", without_gap, "gender of 1 rows, e.g. c000003/2026-01-06 01"),
    ],
)  # fmt: skip
def test_a_look_past_the_label_is_caught_by_column_and_entity(
    churn: PlayLake, monkeypatch: pytest.MonkeyPatch, broken: str, by: Any, said: str
) -> None:
    monkeypatch.setattr(broken, by)
    with pytest.raises(ContractViolationError, match=said) as leak:
        check_offers(churn)
    assert leak.value.exit_code == 3
