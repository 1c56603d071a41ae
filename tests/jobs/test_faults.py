"""Sixty ordinary days raise no alarm; on the next day the expected rule catches each fault."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from common.errors import ContractViolationError, SourceMissingError
from common.lake.storage.files import read_json
from common.orchestration.job import ChainStep
from jobs.backfill import CHAIN
from jobs.datasets.transactions.sample import COLUMNS, generate
from tests.support.play_lake import PlayLake

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
FIRST = date(2026, 1, 5)
DAYS = 60
FAULTY = FIRST + timedelta(days=DAYS)
# Shops are busier towards the weekend; the people are the same every day.
WEEKDAYS = (1.0, 0.9, 0.95, 1.05, 1.3, 1.6, 1.2)
BUSIEST = 340
Row = dict[str, str | None]


def ordinary(ds: date) -> list[Row]:
    rng = random.Random(str(ds))
    rows, _ = generate(ds, BUSIEST, 1, False)
    count = int(200 * WEEKDAYS[ds.weekday()] * rng.uniform(0.95, 1.05))
    return [dict(zip(COLUMNS, row, strict=True)) for row in rng.sample([*rows], count)]


def text(rows: Iterable[Row], columns: list[str] | None = None, delimiter: str = ",") -> bytes:
    names = columns or COLUMNS
    lines = [delimiter.join(names), *(delimiter.join(row.get(name) or "" for name in names) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


@dataclass(frozen=True)
class Fault:
    name: str
    land: Callable[[list[Row]], bytes]
    caught_by: str
    file: str = "part.csv"
    because: str = ""  # the most frequent reason among the refused records


def every(nth: int, **changed: Any) -> Callable[[list[Row]], bytes]:
    """Changes every nth row to a value or by a function of the row."""

    def land(rows: list[Row]) -> bytes:
        for row in rows[::nth]:
            row.update({name: value(row) if callable(value) else value for name, value in changed.items()})
        return text(rows)

    return land


def as_json(nth: int, **changed: Any) -> Callable[[list[Row]], bytes]:
    """Rewrites the file as JSON lines, where a value can be null and not only empty."""

    def land(rows: list[Row]) -> bytes:
        every(nth, **changed)(rows)
        return "".join(f"{json.dumps(row)}\n" for row in rows).encode()

    return land


def shifted(days: int) -> Callable[[Row], str]:
    return lambda row: f"{date.fromisoformat((row['timestamp'] or '')[:10]) + timedelta(days=days)}T10:00:00Z"


def epoch(row: Row) -> str:
    """The same instant as epoch seconds, as another serialiser may write it."""
    return str(int(datetime.fromisoformat(row["timestamp"] or "").timestamp()))


def amount(change: Callable[[float], float]) -> Callable[[Row], str]:
    return lambda row: f"{change(float(row['purchase_amount'] or 0)):.2f}"


def no_food(row: Row) -> str | None:
    return "home" if row["category"] == "food" else row["category"]


def twice_as_many(rows: list[Row]) -> bytes:
    return text([*rows, *({**row, "transaction_id": f"x{row['transaction_id']}"} for row in rows)])


def latin(rows: list[Row]) -> bytes:
    return text(rows).replace(b"food", "föod".encode("latin-1"))


THERE = "ExpectColumnValuesToNotBeNull(mostly=0.95)"
REFUSED = "RefusedShareToBeAtMost(0.05)"
STABLE = "PsiToBeAtMost(0.25)"
AGAIN = "DuplicateShareToBeAtMost(0.2)"
USUAL = "RowsToBeAsUsual"
FAULTS = [
    Fault("nulls in keys", as_json(5, transaction_id=None), f"{THERE} transaction_id", file="part.jsonl"),
    Fault("no users", as_json(4, user_id=None), f"{THERE} user_id", file="part.jsonl"),
    Fault("empty keys", every(5, transaction_id=""), REFUSED, because="transaction_id:missing"),
    Fault("negative amounts", every(6, purchase_amount="-3.00"), REFUSED, because="purchase_amount:not_over_0"),
    Fault("amounts of nothing", every(6, purchase_amount="0"), REFUSED, because="purchase_amount:not_over_0"),
    Fault("numbers that are none", every(3, purchase_amount="12.5O"), REFUSED, because="purchase_amount:not_decimal"),
    Fault("unknown categories", every(4, category="toys"), REFUSED, because="category:not_one_of_the_values"),
    Fault(
        "unknown payments", every(4, payment_method="barter"), REFUSED, because="payment_method:not_one_of_the_values"
    ),
    Fault("impossible ages", every(5, age="200"), REFUSED, because="age:over_120"),
    Fault("dates that are none", every(5, timestamp="31.02.2026"), REFUSED, because="timestamp:not_timestamp"),
    Fault("events of tomorrow", every(5, timestamp=shifted(1)), REFUSED, because="timestamp:after_ds"),
    Fault("events of last month", every(5, timestamp=shifted(-30)), REFUSED, because="timestamp:older_than_7_days"),
    Fault(
        "swapped columns of one type",
        every(1, category="card", payment_method="food"),
        REFUSED,
        because="category:not_one_of_the_values",
    ),
    Fault("type change", every(1, timestamp=epoch), REFUSED, because="timestamp:not_timestamp"),
    Fault("stale data", every(1, timestamp=shifted(-2)), "AgeInHoursToBeAtMost(24)"),
    Fault("halved volume", lambda rows: text(rows[::2]), USUAL),
    Fault("doubled volume", twice_as_many, USUAL),
    Fault("everything sent twice", lambda rows: text([*rows, *rows]), AGAIN),
    Fault("duplicated keys", every(1, transaction_id=lambda row: f"k{int(row['user_id'] or 0) % 40}"), AGAIN),
    Fault("header and nothing else", lambda rows: text([]), "has no rows in"),
    Fault("nothing landed", text, "SourceMissingError", file="_still-writing.csv"),
    Fault("a renamed column", lambda rows: text(rows, [*COLUMNS[:3], "amount", *COLUMNS[4:]]), "its header lacks"),
    Fault("a column twice", lambda rows: text(rows, [*COLUMNS, "user_id"]), "twice"),
    Fault("another delimiter", lambda rows: text(rows, delimiter=";"), "its header lacks"),
    Fault("another encoding", latin, "is not utf-8"),
    Fault("a truncated file", lambda rows: gzip.compress(text(rows))[:-40], "truncated or corrupt", file="part.csv.gz"),
    Fault("no Parquet at all", text, "can't be read", file="part.parquet"),
    Fault(
        "shifted distribution", every(1, purchase_amount=amount(lambda euro: euro + 150)), f"{STABLE} purchase_amount"
    ),
    Fault("cents for euros", every(2, purchase_amount=amount(lambda euro: euro * 100)), f"{STABLE} purchase_amount"),
    Fault("a category gone", every(1, category=no_food), "CommonValuesToStay category"),
    Fault("another mix of payments", every(2, payment_method="cash"), f"{STABLE} payment_method"),
    Fault("ages no longer known", every(2, age=None), "NullShareToChangeByAtMost(0.1) age"),
    Fault("everybody of one age", every(1, age="40"), f"{STABLE} age"),
]


def alarms(lake: PlayLake, ds: date, steps: list[ChainStep] | None = None) -> list[str]:
    """The failed rules and warnings of the chain on that day, up to where it stops."""
    said: list[str] = []
    for step in steps or CHAIN:
        try:
            line = lake.run(step.job, str(ds), **step.options)
        except SourceMissingError as error:
            return [*said, f"SourceMissingError {error}"]
        except ContractViolationError as error:
            problems = [
                f"{each.get('expectation', '')} {each.get('column', '')} {each.get('examples', '')}"
                for each in error.failures
            ]
            return [*said, *problems, str(error)]
        said += [f"{each['expectation']} {each.get('column', '')}" for each in line.get("warnings", [])]
    return said


def land(lake: PlayLake, ds: date, content: bytes, file: str = "part.csv") -> None:
    for path in lake.folder(str(ds)).iterdir():
        path.unlink()
    lake.land_bytes(str(ds), content, file)


@pytest.fixture(scope="module")
def ordinary_days(spark: object, tmp_path_factory: pytest.TempPathFactory) -> tuple[PlayLake, dict[str, list[str]]]:
    lake = PlayLake(tmp_path_factory.mktemp("sixty"))
    said = {}
    for number in range(DAYS):
        ds = FIRST + timedelta(days=number)
        land(lake, ds, text(ordinary(ds)))
        said[str(ds)] = alarms(lake, ds)
    return lake, said


def test_sixty_ordinary_days_raise_no_alarm(ordinary_days: tuple[PlayLake, dict[str, list[str]]]) -> None:
    lake, said = ordinary_days
    assert {ds: found for ds, found in said.items() if found} == {}
    for table in ("processed", "features"):
        kept = read_json(str(lake.root / f"lake/results/transactions/{table}/{FAULTY - timedelta(days=1)}.json")) or {}
        assert sum(each["kind"] == "drift" for each in kept["results"]) > 10, f"nothing was compared in {table}"


def test_each_fault_is_caught_by_the_rule_that_should(
    ordinary_days: tuple[PlayLake, dict[str, list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    lake, _ = ordinary_days
    missed = {}
    lines = [f"{'fault':32} {'caught by':48} all that was said"]
    for fault in FAULTS:
        land(lake, FAULTY, fault.land(ordinary(FAULTY)), fault.file)
        said = alarms(lake, FAULTY, [step for step in CHAIN if step.job.name != "compact"])
        caught = [each for each in said if fault.caught_by in each and fault.because in each]
        lines.append(f"{fault.name:32} {(caught or ['MISSED'])[0][:48]:48} {len(said)}")
        if not caught:
            missed[fault.name] = said
    land(lake, FAULTY, text(ordinary(FAULTY)))
    healed = alarms(lake, FAULTY)
    with capsys.disabled():
        print("\n" + "\n".join(lines))
    assert missed == {}
    assert healed == []
