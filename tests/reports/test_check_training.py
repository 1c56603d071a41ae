"""`make check` says what is wrong with a dataset's training sets, and a job that reads them exits with 2."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from common.contracts import datasets
from common.errors import ContractDeclarationError
from common.reports.check_dataset import faults_of
from common.training.training_set import declared_training_set

TRAINING = """
from datetime import date
from common.training.steps import *
from common.training.training_set import *

TRAINING_SETS = (
    TrainingSet(
        name="regulars",
        description="Who comes again.",
        examples=Snapshot(table="visits@v1", label="visits_3d"),
        split=Split(seed="s"),
        steps=(Clip("longest_3d", low=0.0),),
    ),
)
"""
STEP = 'Clip("longest_3d", low=0.0)'
WHOLE = TRAINING.partition("TRAINING_SETS = ")[2].strip()
WRONG_STEPS = {
    'Impute("a", by=3)': "by is 3; expected median, mean or constant",
    'Impute("a", by=["mean"])': "by is ['mean']; expected median, mean or constant",
    'Impute(3, by="mean")': "column is 3; expected a text",
    'Impute("a", by="mean", group=3)': "group is 3; expected a text or None",
    'Impute("a", by="constant", value=[1])': "value is [1]; expected a text or a whole number or a number or True or False",
    'Impute("a", by="constant", value=float("nan"))': "value is nan",
    'Impute("a", by="mean", group="b", fallback=None)': "fallback is None; expected median, mean or missing",
    'Impute("a", by="mean", into=3)': "into is 3; expected a text or None",
    'OneHot("a", drop_first="yes")': "drop_first is 'yes'; expected True or False",
    'OneHot("a", unseen=0)': "unseen is 0; expected zeros or error",
    'OneHot("a", limit="x")': "OneHot has no argument 'limit'",
    'Ordinal("a", order="SML")': "order is 'SML'; expected a tuple",
    'Ordinal("a", order=("S", None))': "order is ('S', None); expected a tuple, each a text",
    'Ordinal("a", unseen="none")': "unseen is 'none'; expected a whole number",
    'DateParts("a", parts="year")': "parts is a str; expected a tuple: parts=('year',)",
    'DateParts("a", parts=(1,))': "parts is (1,); expected a tuple, each a text",
    'Drop((3,))': "columns is (3,); expected a tuple, each a text",
    "Drop(3)": "columns is a int; expected a tuple",
    'Clip("a", low="0")': "low is '0'; expected a number or None",
    'Clip("a", low=True)': "low is True; expected a number or None",
    'Clip("a", quantiles=(0.1,))': "quantiles is (0.1,); expected a tuple of 2",
    'Clip("a", quantiles=("a", "b"))': "quantiles is ('a', 'b'); expected a tuple of 2",
    'Clip("a", quantiles=0.5)': "quantiles is 0.5; expected a tuple of 2",
    'MinMax("a", clip=1)': "clip is 1; expected True or False",
    'Ratio("a", "b", 3)': "divisor is 3; expected a text",
    'Ratio("a", "b", "c", zero="0")': "zero is '0'; expected a number",
    'Ratio("a", "b", "c", zero=float("inf"))': "zero is inf; expected a number",
    "Standard(None)": "column is None; expected a text",
    "3": "steps is (3,); expected a tuple, each Step(...)",
    "Standard": "expected a tuple, each Step(...)",
}  # fmt: skip
WRONG_SETS = {
    ('name="regulars"', "name=3"): "name is 3; expected a text",
    ('description="Who comes again."', "description=3"): "description is 3; expected a text",
    ('Snapshot(table="visits@v1", label="visits_3d")', '"visits@v1"'): "expected Snapshot(...) or Labels(...)",
    ('"visits@v1"', "1"): "table is 1; expected a text",
    ('label="visits_3d"', "label=None"): "label is None; expected a text",
    ('Split(seed="s")', "Split(seed=3)"): "seed is 3; expected a text or None",
    ('Split(seed="s")', '"s"'): "split is 's'; expected Split(...)",
    ('Split(seed="s")', 'Split(train_until="2026-01-05", val_until="2026-01-06")'): "expected a date or None",
    ('Split(seed="s")', 'Split(seed="s", shares=(1.0,))'): "shares is (1.0,); expected a tuple of 3",
    ('Split(seed="s")', 'Split(seed="s", shares=(1.5, -0.5, 0.0))'): "shares (1.5, -0.5, 0.0)",
    ('Split(seed="s")', 'Split(seed="s", shares="abc")'): "shares is 'abc'; expected a tuple of 3",
    ('Split(seed="s")', 'Split(seed="s"), features="a@v1"'): "features is a str; expected a tuple: features=('a@v1',)",
    ('Split(seed="s")', 'Split(seed="s"), features=(From(table="a@v1", gap_hours="1"),)'): "gap_hours is '1'",
    ('Split(seed="s")', 'Split(seed="s"), features=(From(table="a@v1", columns="x"),)'): "columns is a str; expected a tuple",
    ('Split(seed="s")', 'Split(seed="s"), features=(From(table="a@v1", max_age_days=1.5),)'): "max_age_days is 1.5",
    (WHOLE, "3"): "TRAINING_SETS is 3; expected a tuple of TrainingSet(...)",
    (WHOLE, "(3,)"): "TRAINING_SETS holds 3; expected TrainingSet(...)",
    (WHOLE, f"{WHOLE} * 2"): "TRAINING_SETS holds two of the name 'regulars'",
}  # fmt: skip


def told(folder: Path, text: str) -> list[str]:
    """What the check says; a job says the first of it."""
    (folder / "training.py").write_text(text)
    found = faults_of("visits")
    if found:
        sys.modules.pop("jobs.datasets.visits.training", None)
        with pytest.raises(ContractDeclarationError) as refused:
            declared_training_set(datasets.load("visits"), "regulars")
        assert len(str(refused.value).splitlines()) == 1
        assert str(refused.value).startswith("visits/training.py")
    return found


def test_a_right_training_set_is_right(visits: Path) -> None:
    assert told(visits, TRAINING) == []


@pytest.mark.parametrize("step", WRONG_STEPS)
def test_a_step_with_a_value_of_another_type_is_told(visits: Path, step: str) -> None:
    found = told(visits, TRAINING.replace(STEP, step))
    assert WRONG_STEPS[step] in " ".join(found)
    assert all(fault.startswith("visits/training.py:") for fault in found), found


@pytest.mark.parametrize("change", WRONG_SETS, ids=lambda change: change[1][:50])
def test_a_training_set_of_wrong_types_is_told(visits: Path, change: tuple[str, str]) -> None:
    assert change[0] in TRAINING
    found = told(visits, TRAINING.replace(*change))
    assert WRONG_SETS[change] in " ".join(found)
    assert all(fault.startswith("visits/training.py") for fault in found), found
