"""features -> published: makes validated days visible to readers, a whole range in one commit."""

from __future__ import annotations

import sys

from common.orchestration.cli import run_job
from common.orchestration.job import Job
from common.published import publish
from common.runtime.run import Outcome, Run
from jobs.arguments import parser_of


def main(run: Run) -> Outcome:
    return publish.publish([run])


def publish_online(days: list[Run]) -> Outcome:
    """Publishes, then loads the latest rows into the online store in one step."""
    from common.online import serving
    from common.online.connect import open_store

    open_store(days[0].settings.online)  # raises before anything is published, if there can be no such store
    outcome = publish.publish(days)
    loaded = serving.load_online(days[0])
    return Outcome(
        "done" if loaded["online"] else outcome.outcome, {**outcome.counts, **loaded}, outcome.written, outcome.facts
    )


# Both ask what is published whenever they run.
PUBLISH = Job("publish", main, together=publish.publish)
# Filed under the same name as any publication.
ONLINE = Job("publish", lambda run: publish_online([run]), together=publish_online)

if __name__ == "__main__":
    run_job(ONLINE if "--online" in sys.argv[1:] else PUBLISH, parser_of("publish"))
