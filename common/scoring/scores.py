"""Gets the scores that are pending and sends them to the dataset's source, as corrections of their records.

They arrive with the period of the run, like anything else that comes late: ingest keeps them, clean puts them in place of the
records without a score, and the windows that hold them are made again.
"""

from __future__ import annotations

from common.contracts.scoring import required_scoring
from common.runtime.run import Outcome, Run
from common.scoring.pending import pending
from common.scoring.service import ScoringService
from common.sources.send_back import require_takes_records, send_back


def send_scores(run: Run) -> Outcome:
    scoring = required_scoring(run.dataset)
    require_takes_records(run.contract)
    records = pending(run, scoring)
    if not records:
        return Outcome("nothing", {"scored": 0, "pending": 0})
    service = ScoringService(scoring, run.contract)
    scored = list(service.scored(records))
    if not scored and service.error:
        raise service.error
    left = len(records) - len(scored)
    if service.error and left:
        run.log.warning("%d records stay pending: %s", left, service.error)
    place = send_back(run, scored)
    return Outcome("done", {"scored": len(scored), "pending": left}, facts={"sent_to": place})
