"""Config, not code: what is declared for all, for an environment and for a dataset; what is wrong is refused at once."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import yaml

from common.errors import BadArguments
from dags.schedule import FILE, read

SAID: dict[str, Any] = yaml.safe_load(FILE.read_text())
NAMES = ["churn", "transactions"]


def said(**changes: Any) -> dict[str, Any]:
    return {**deepcopy(SAID), **changes}


def test_the_particular_comes_before_the_environment_and_that_before_what_holds_for_all() -> None:
    given = said(
        environments={"cluster": {"retries": 5, "spark": {"spark.executor.memory": "2g", "spark.cores.max": 4}}},
        datasets={"churn": {"schedule": "0 4 * * *", "missing": "skip", "spark": {"spark.executor.memory": "8g"}}},
    )
    found = read(given, NAMES, "cluster").datasets
    assert found["churn"].spark == {"spark.executor.memory": "8g", "spark.cores.max": 4}
    assert found["transactions"].spark["spark.executor.memory"] == "2g"
    assert (found["churn"].schedule, found["transactions"].schedule) == ("0 4 * * *", "0 0 * * *")
    assert (found["churn"].missing, found["churn"].retries) == ("skip", 5)
    assert read(given, NAMES, "local").datasets["transactions"].retries == 3


def test_people_hear_of_a_late_day_before_its_run_gives_up_waiting() -> None:
    for daily in read(SAID, NAMES, "local").datasets.values():
        assert daily.late_after_minutes is not None
        assert daily.late_after_minutes < daily.wait_minutes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"datasets": {"sales": {}}}, "datasets names"),
        ({"poools": {}}, "the file names"),
        ({"datasets": {"churn": {"retrys": 1}}}, "retrys"),
        ({"datasets": {"churn": {"schedule": "daily-ish"}}}, "no cron expression"),
        ({"datasets": {"churn": {"schedule": "61 * * * *"}}}, "no cron expression"),
        ({"datasets": {"churn": {"missing": "ignore"}}}, "missing"),
        ({"datasets": {"churn": {"timeout_minutes": 0}}}, "timeout_minutes"),
        ({"datasets": {"churn": {"max_active_runs": 0}}}, "max_active_runs"),
        ({"training_sets": {"x": {"dataset": "nowhere", "days": 3}}}, "training_sets names"),
        ({"alerts": {"webhook": "http://x"}}, "webhook"),
    ],
)
def test_what_is_wrong_is_refused_by_name(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadArguments, match=message):
        read(said(**changes), NAMES, "local")
