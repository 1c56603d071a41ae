"""The documentation of DAGs and tasks in Airflow's UI."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from common.runtime.settings import ROOT
from common.runtime.submit_command import spark_submit

if TYPE_CHECKING:
    from common.contracts.contract import Contract
    from dags.schedule import Daily, Training

WAIT = "Waits until the source has the day, such as files in its landing folder. It holds no worker meanwhile."

MAINTENANCE = """Removes files that no retained version and no pin needs, verifies every pin, and prunes results that are
older than the settings keep. A pin that was damaged fails the task of its dataset."""

EXITS = """A task that failed says why in its log: the rule, the column and the counts. Bad data and bad arguments are not
tried again; a busy table and the unexpected are, with growing pauses. Nothing downstream of a failed task runs, and readers
keep what was published last."""


def of_day(contract: Contract, how: Daily) -> str:
    window = (
        f" A feature looks back up to {contract.features.window_days} {contract.every}s."
        if contract.features.window_days
        else ""
    )
    late = f" Events may come {contract.lateness} {contract.every}s late." if contract.lateness else ""
    return f"""### {contract.name}: {contract.description}

One {contract.every} from its source to what readers see.{late}{window}

* **When:** `{how.cron(contract.every)}` UTC; the {contract.every} is the interval that has just ended.
  A {contract.every} that has not landed is waited for up to
  {how.wait_minutes:g} minutes.
* **A day by hand:** trigger with `ds`. **Many days:** `make backfill DATASET={contract.name} FROM=… TO=…`,
  or `{contract.name}_range`, one submit for all of them.
* **A failed day:** mend its source or the contract, then clear the whole run; what did not change costs nothing.
* **Tables:** `raw/{contract.name}`, `processed/{contract.name}`, `features/{contract.name}/v{contract.features.version}`,
  `published/{contract.name}/v{contract.features.version}`; refused rows with their reasons in `quarantine/{contract.name}`.

{EXITS}
"""


def of_range(dataset: str) -> str:
    return f"""### {dataset}: many days in one submit

Runs the whole chain of `{dataset}` from the first to the last day in one Spark session, goes on where it stopped, and runs
again what it made out of date. A day that never landed does not stop the others.

{EXITS}
"""


def of_stream(dataset: str, how: Daily) -> str:
    return f"""### {dataset}: what has come since

Every `{how.stream}` UTC, takes the messages that have come into the open day, to published features. The daily run then finds the
day equal, or makes it whole.

{EXITS}
"""


def of_landed(dataset: str) -> str:
    return f"""### {dataset}: a source says that a day has landed

Runs `{dataset}` for each day that an event of the asset `landing/{dataset}` names: extra `{{"ds": "2026-01-05"}}`,
or a range `2026-01-05..2026-01-07`.
"""


def of_delivery(dataset: str, target: str) -> str:
    return f"""### {dataset} to {target}

Delivers each day of `{dataset}` that was published, and again each that was healed. A day that the target holds already is not
sent.

{EXITS}
"""


def of_training_set(name: str, how: Training) -> str:
    return f"""### {name}

Built whenever a day of `{how.dataset}` has been published, from the {how.days} days up to it. The same inputs make no new
version; each version pins what it was built from.
"""


def of_job(job: str) -> str:
    """The docstring of the job, and the command to run it by hand."""
    docstring = re.match(r'"""(.*?)"""', (ROOT / "jobs" / f"{job}.py").read_text(), re.S)
    return f"{docstring[1] if docstring else job}\n\nBy hand: `.venv/bin/{spark_submit(job, '…', '…')}`"
