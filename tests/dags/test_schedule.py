"""The schedule configuration: defaults, per environment and per dataset; wrong values are refused at once."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import yaml

from common.errors import UsageError
from dags.schedule import FILE, read

SAID: dict[str, Any] = yaml.safe_load(FILE.read_text())
NAMES = ["churn", "mentions", "transactions"]


def said(**changes: Any) -> dict[str, Any]:
    return {**deepcopy(SAID), **changes}


def test_dataset_beats_defaults_and_environment_beats_both() -> None:
    given = said(
        environments={
            "cluster": {
                "all": {"retries": 5, "spark": {"spark.executor.memory": "2g", "spark.cores.max": 4}},
                "daily": {"pool_slots": 2, "wait_minutes": 1440, "max_active_runs": 8},
                "datasets": {"churn": {"poll_seconds": 5}},
                "alerts": {"webhook": True},
            }
        },
        datasets={"churn": {"schedule": "0 4 * * *", "missing": "skip", "spark": {"spark.executor.memory": "8g"}}},
    )
    found = read(given, NAMES, "cluster")
    churn, transactions = found.datasets["churn"], found.datasets["transactions"]
    assert churn.spark == {"spark.executor.memory": "8g", "spark.cores.max": 4}
    assert transactions.spark["spark.executor.memory"] == "2g"
    assert (churn.schedule, transactions.schedule) == ("0 4 * * *", "0 0 * * *")
    assert (churn.missing, churn.retries, churn.poll_seconds) == ("skip", 5, 5)
    assert (transactions.pool_slots, transactions.wait_minutes, transactions.max_active_runs) == (2, 1440, 8)
    assert (found.alerts.webhook, found.alerts.log) == (True, SAID["alerts"]["log"])
    assert (found.maintenance.retries, found.maintenance.schedule) == (5, SAID["maintenance"]["schedule"])
    elsewhere = read(given, NAMES, "local")
    assert (elsewhere.datasets["transactions"].retries, elsewhere.alerts.webhook) == (3, False)


def test_a_late_day_is_alerted_before_its_run_times_out() -> None:
    for daily in read(SAID, NAMES, "local").datasets.values():
        assert daily.late_after_minutes is not None
        assert daily.late_after_minutes < daily.wait_minutes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"datasets": {"sales": {}}}, "datasets names"),
        ({"poools": {}}, "the file names"),
        ({"datasets": {"churn": {"retrys": 1}}}, "retrys"),
        ({"datasets": {"churn": {"schedule": "daily-ish"}}}, "not a cron expression"),
        ({"datasets": {"churn": {"remote": "sc://localhost:1/;token=x"}}}, "without a token"),
        ({"datasets": {"churn": {"schedule": "61 * * * *"}}}, "not a cron expression"),
        ({"datasets": {"churn": {"missing": "ignore"}}}, "missing"),
        ({"datasets": {"churn": {"timeout_minutes": 0}}}, "timeout_minutes"),
        ({"datasets": {"churn": {"max_active_runs": 0}}}, "max_active_runs"),
        ({"training_sets": {"x": {"dataset": "nowhere", "days": 3}}}, "training_sets names"),
        ({"alerts": {"webhook": "http://x"}}, "webhook"),
        ({"environments": {"prod": {}}}, r"environments names \['prod'\].*expected one of: cluster, compose, local"),
        (
            {"environments": {"cluster": {"retries": 5}}},
            r"environments.cluster names \['retries'\].*expected one of: al",
        ),
        ({"environments": {"local": {"all": {"retrys": 5}}}}, "retrys"),
        ({"daily": [1]}, "daily is a list, a mapping expected"),
        ({"all": None}, "start: Field required"),
        ({"daily": None}, "wait_minutes: Field required"),
    ],
)
def test_a_wrong_value_is_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(said(**changes), NAMES, "local")


def test_an_empty_file_is_refused_with_what_it_lacks() -> None:
    for empty in (None, {}):
        with pytest.raises(UsageError, match="retries: Field required"):
            read(empty, NAMES, "local")
