"""What a job's arguments become."""

from pathlib import Path

import pytest

from common.days import current
from common.errors import UsageError
from common.orchestration.cli import plan
from common.orchestration.options import NOW, said_day


def arguments(tmp_path: Path, dataset: str, ds: str) -> dict[str, object]:
    places = {"lake": f"{tmp_path}/lake", "landing": f"{tmp_path}/landing"}
    return {"dataset": dataset, "ds": ds, "env": "local", "full_refresh": False, "long_range": False, **places}


@pytest.mark.parametrize(("dataset", "every"), [("transactions", "day"), ("mentions", "hour")])
def test_now_is_the_period_that_it_is(tmp_path: Path, dataset: str, every: str) -> None:
    before = current(every)
    [run] = plan("scores", arguments(tmp_path, dataset, NOW))
    assert before <= run.ds <= current(every)
    assert str(run.ds).startswith(said_day(NOW)), "also where the dataset could not be loaded"


def test_a_day_is_no_period_of_hours(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="this dataset has a period every hour"):
        plan("scores", arguments(tmp_path, "mentions", "2026-01-05"))
