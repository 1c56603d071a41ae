"""Every bad file of the table becomes what the table says, and its books balance."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from common.contracts.aggregates import Pick
from common.contracts.contract import Column, Contract, Feature, Features
from common.sources.files.landing import Landing
from tests.support.bad_inputs import FILES, BadInput
from tests.support.landing import judged

DS = date(2026, 1, 5)
NOTES = Contract(
    name="notes",
    description="Notes.",
    columns=(
        Column(name="id", type="string", description="The number.", required=True),
        Column(name="note", type="string", description="Free text."),
        Column(name="amount", type="string", description="How much."),
    ),
    key=("id",),
    features=Features(version=1, entity="id", columns=(Feature("note", Pick("note")),)),
)


@pytest.mark.parametrize("bad", FILES, ids=lambda bad: bad.what)
def test_a_bad_file_becomes_what_the_table_says(tmp_path: Path, bad: BadInput) -> None:
    landing = Landing(NOTES, str(tmp_path), DS)
    Path(landing.folder).mkdir(parents=True)
    Path(landing.folder, bad.name).write_bytes(bad.content)
    (unit,) = judged(landing).units
    assert bool(unit.refused) == bool(bad.refused), unit.refused
    assert bad.refused in unit.refused
    if unit.refused:
        return
    batches = [batch.to_pylist() for file in landing.files() for batch in landing.reader.batches(file)]
    rows = [row for batch in batches for row in batch]
    assert [row["id"] or "(empty)" for row in rows if row["problem"] is None] == bad.ids.split()
    assert [row["problem"] for row in rows if row["problem"]] == bad.problems.split()
    assert sum(row["lines"] for row in rows) == unit.records
