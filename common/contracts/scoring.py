"""What a dataset's `scoring.py` declares: columns that a service fills in after the record has arrived."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from common.contracts.checking import faults
from common.contracts.contract import Contract
from common.contracts.datasets import Dataset
from common.errors import UsageError, require
from common.names import NAME


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """Records whose first column of `fills` has no value are pending: the service is asked for all of `fills`."""

    # The environment variable <NAME>_SERVICE holds its address, and <NAME>_TOKEN the token if it wants one; with _FILE behind
    # its name, each names the file that does.
    service: str
    sends: tuple[str, ...]
    fills: tuple[str, ...]
    records_a_request: int = 200
    timeout_seconds: float = 5
    attempts: int = 2
    failures_in_a_row: int = 3  # requests that fail one after the other before the run asks no more
    most_records: int = 20_000  # of one run

    def __post_init__(self) -> None:
        subject = "Scoring"
        plain = bool(NAME.fullmatch(self.service))
        require(plain, f"{subject}: service {self.service!r} is not allowed; expected lower-case letters, digits and _")
        for name in ("sends", "fills"):
            require(bool(getattr(self, name)), f"{subject}: {name} is empty; name at least one column")
        for name in ("records_a_request", "timeout_seconds", "attempts", "failures_in_a_row", "most_records"):
            found = getattr(self, name)
            require(found > 0, f"{subject}: {name} {found} is not allowed; expected more than 0")


def declared_scoring(dataset: Dataset) -> Scoring | None:
    """What the dataset's scoring.py declares, checked against its contract; None without that file."""
    module = f"{dataset.package}.scoring"
    if not importlib.util.find_spec(module):
        return None
    scoring: Scoring = faults.attribute(faults.imported(module), "SCORING")
    for fault in _disagreements(scoring, dataset.contract):
        require(False, f"{faults.shown(faults.file_of(module))}: {fault}")
    return scoring


def required_scoring(dataset: Dataset) -> Scoring:
    if scoring := declared_scoring(dataset):
        return scoring
    raise UsageError(f"{dataset.contract.name} declares no scores; write SCORING = Scoring(...) into its scoring.py")


def _disagreements(scoring: Scoring, contract: Contract) -> list[str]:
    columns = {column.name: column for column in contract.columns}
    unknown = [name for name in (*scoring.sends, *scoring.fills) if name not in columns]
    if unknown:
        return [f"it names {unknown}, but the columns are {list(columns)}"]
    needed = [name for name in scoring.fills if columns[name].required]
    wrong = [f"{needed} are filled in later, so they can't be required=True"] if needed else []
    if not {*scoring.fills} & {*contract.winner}:
        wrong.append(
            f"the contract's winner is {contract.winner}: a record with a score must win over the same one without; "
            f"add one of {scoring.fills}"
        )
    return wrong
