"""features -> published: what readers see. A day or a whole range, in one step, and only what the gate has passed."""

from __future__ import annotations

from common import layout, publishing
from common.cli import run_job
from common.job import Job, Watch
from common.run import Outcome, Run


def main(run: Run) -> Outcome:
    return publishing.publish([run])


PUBLISH = Job(
    "publish",
    main,
    watches=lambda run: [
        Watch(layout.features(run.contract), lambda day: day == run.ds),
        Watch(layout.published(run.contract), lambda day: False),
    ],
    together=publishing.publish,
)

if __name__ == "__main__":
    run_job(PUBLISH)
