"""Whose a row, a refused record or a text is."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from common.contracts.column import Column
from common.erasure.person import MASK, Person

NUMBER = Column(name="user_id", type="long", description="Who", source="USER")
TEXT = Column(name="user_id", type="string", description="Who")
FEW, MANY, NAMED = Person(NUMBER, "7"), Person(NUMBER, "4210007"), Person(TEXT, "c-0.7x")


@pytest.mark.parametrize("value", ["7", " 07 ", "+7"])
def test_raw_rows_are_told_as_clean_would_type_them(value: str) -> None:
    rows = pa.table({"user_id": [value, "77", None, "seven"], "amount": ["1", "7", "7", "7"]})
    assert FEW.mask(rows.select(FEW.needs(rows.column_names))).to_pylist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("record", "is_its"),
    [
        ('{"USER":"007","amount":"1"}', True),
        ('{"user_id":7}', True),
        ('{"user_id":"8","amount":"7"}', False),
        ("t1,7,10.00", True),
        ("t7,77,17.5x", False),
        ("t7,77, 7.0", True),
        ('"t1";"7', True),
        (None, False),
    ],
)
def test_a_refused_record_is_told_by_its_field_or_by_any_value(record: str | None, is_its: bool) -> None:
    rows = pa.table({"record": pa.array([record], pa.string()), "reasons": [["too_few_fields"]]})
    assert FEW.mask(rows).to_pylist() == [is_its]


def test_a_short_number_is_looked_for_among_examples_alone() -> None:
    told = {"message": "7 of 12 rules failed", "failed": 7, "examples": ["7", 8], "unexpected_list": [7]}
    wanted = {"message": "7 of 12 rules failed", "failed": 7, "examples": [MASK, 8], "unexpected_list": [MASK]}
    assert FEW.scrubbed(told) == wanted


def test_a_telling_text_is_looked_for_everywhere() -> None:
    said = "4210007 and x4210007 and 4210007.5 and (4210007)"
    assert MANY.scrubbed({"message": said}) == {"message": f"{MASK} and x4210007 and {MASK}.5 and ({MASK})"}
    assert NAMED.scrubbed_text("of c-0.7x, not of c-0a7x") == f"of {MASK}, not of c-0a7x"


def test_statistics_tell_it_as_a_bound() -> None:
    bounds = {"numRecords": 2, "minValues": {"user_id": 7}, "maxValues": {"user_id": 9}}
    assert FEW.in_statistics(json.dumps(bounds))
    assert not FEW.in_statistics(json.dumps({**bounds, "minValues": {"user_id": 8}, "numRecords": 7}))
