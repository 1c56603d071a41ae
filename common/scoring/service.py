"""A service that scores records in bulk, asked patiently but not for ever: time limit, retries, and a circuit breaker.

A request that fails is made again in halves, so that one record that the service can't take stops no other. After some
failures in a row the run asks no more: a service that is down costs a run seconds, and the next run tries again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from common.contracts.column import Column
from common.contracts.contract import Contract
from common.contracts.number_types import NUMERIC
from common.contracts.scoring import Scoring
from common.errors import PipelineError, SourceUnreachableError, UsageError
from common.scoring.pending import Record
from common.sources.credentials import from_environment
from common.sources.http.client import MEGABYTE, Auth, Client
from common.sources.json_values import repeats

FORM = "an address like http://127.0.0.1:8090/score, without a login"
MOST_BYTES = 50 * MEGABYTE
OFTEN = 1000.0  # requests a second: its own answers set the pace


class WrongAnswerError(PipelineError):
    """The answer holds no valid scores for the records that were sent."""


@dataclass
class ScoringService:
    scoring: Scoring
    contract: Contract
    in_a_row: int = 0
    refused: int = 0  # records that the service failed on by themselves
    error: PipelineError | None = None  # the last one
    client: Client = field(init=False)

    def __post_init__(self) -> None:
        # Read by the client alone, with each request.
        token = Auth(f"{self.scoring.service.upper()}_TOKEN", "Authorization", "Bearer", optional=True)
        self.client = Client(token, self.scoring.timeout_seconds, self.scoring.attempts, OFTEN, MOST_BYTES)

    @property
    def is_given_up(self) -> bool:
        return self.in_a_row >= self.scoring.failures_in_a_row

    def scored(self, records: Sequence[Record]) -> Iterator[Record]:
        """Each record that was scored, with its score."""
        size = self.scoring.records_a_request
        waiting = deque(records[start : start + size] for start in range(0, len(records), size))
        url = self._address()
        while waiting and not self.is_given_up:
            some = waiting.popleft()
            try:
                scores = self._ask(url, some)
            except (SourceUnreachableError, UsageError, WrongAnswerError) as error:
                self.in_a_row, self.error = self.in_a_row + 1, error
                half = len(some) // 2
                waiting.extend(part for part in (some[:half], some[half:]) if half)
                self.refused += not half
                continue
            self.in_a_row = 0
            yield from ({**record, **score} for record, score in zip(some, scores, strict=True))

    def _address(self) -> str:
        variable = f"{self.scoring.service.upper()}_SERVICE"
        url = from_environment(variable, FORM)
        parts = urlsplit(url)
        if (
            parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc
        ):  # errors name the address
            raise UsageError(f"{variable} is no address of a service; expected {FORM}")
        return url

    def _ask(self, url: str, records: Sequence[Record]) -> list[Record]:
        sent = {"records": [{name: record[name] for name in self.scoring.sends} for record in records]}
        self.client.taken = 0
        answer = self.client.page(url, sent).document
        if repeats(answer):
            raise WrongAnswerError("the service sent a name twice in one object; nothing of the answer was taken")
        found = answer.get("records") if isinstance(answer, dict) else None
        if not isinstance(found, list) or len(found) != len(records):
            got = f"{len(found)} records" if isinstance(found, list) else "no list of records"
            raise WrongAnswerError(f"the service sent {got} for {len(records)}; nothing of the answer was taken")
        return [self._score(one) for one in found]

    def _score(self, answer: Any) -> Record:
        values = answer if isinstance(answer, dict) else {}
        columns = [self.contract.column(name) for name in self.scoring.fills]
        wrong = [column.name for column in columns if not fits(column, values.get(column.name))]
        if wrong:
            raise WrongAnswerError(
                f"the service sent a record whose {wrong} are missing, or no values as the contract declares them; nothing "
                "of the answer was taken"
            )
        return {column.name: str(values[column.name]) for column in columns}


def fits(column: Column, value: Any) -> bool:
    """Whether clean would accept the value; anything but a number must only be a text."""
    if not isinstance(value, str) or not value:
        return False
    if column.base_type not in NUMERIC:
        return not column.values or value in column.values
    try:
        number = Decimal(value)
    except InvalidOperation:
        return False
    bounds = number.is_finite() and (column.minimum is None or number >= column.minimum)
    bounds = bounds and (column.above is None or number > column.above)
    bounds = bounds and (column.maximum is None or number <= column.maximum)
    return bounds and _digits_fit(column, number)


def _digits_fit(column: Column, number: Decimal) -> bool:
    if column.base_type == "double":
        return True
    behind = int(column.type.partition(",")[2].strip(" )")) if column.base_type == "decimal" else 0
    return number == round(number, behind)
