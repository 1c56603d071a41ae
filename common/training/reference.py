# ruff: noqa: E501
"""Write the contract reference, training sets included: `python -m common.training.reference`."""

from __future__ import annotations

from pathlib import Path

from common import contracts
from common.contracts.documents.field_notes import ArgumentNotes, Notes
from common.contracts.documents.reference import arguments, contract_part, examples, section, table
from common.errors import exit_on_error
from common.runtime.command_line import CommandLine
from common.sources import declared
from common.training import steps, training_set

PAGE = Path(contracts.__path__[0]) / "reference.md"
NOTES: Notes = {
    "TrainingSet": {
        "name": ("Its name; part of the names of pins, so short.", 'name="baseline"'),
        "description": ("What a model learns from it.", 'description="Whether a customer leaves."'),
        "examples": ("The rows that a model learns from.", 'examples=Snapshot(table="customers@v1", label="left")'),
        "split": ("How train, val and test are divided.", 'split=Split(seed="customers")'),
        "features": ("Feature tables that are joined to labels.", 'features=(From(table="orders@v1"),)'),
        "steps": ("What is done to the columns, in order.", 'steps=(Standard("amount"),)'),
    },
    "Snapshot": {
        "table": ("A published feature table.", 'table="customers@v1"'),
        "label": ("The column that models predict.", 'label="left"'),
    },
    "Labels": {
        "entity": ("The file's column of entities.", 'entity="user_id"'),
        "time": ("The file's column of times.", 'time="asked_at"'),
        "label": ("The column that models predict.", 'label="bought"'),
    },
    "From": {
        "table": ("A published feature table.", 'table="orders@v1"'),
        "columns": ("Its columns; all if left empty.", 'columns=("spend_7d",)'),
        "gap_hours": ("How long before the label a row must be known.", "gap_hours=24"),
        "max_age_days": ("How old a row may be; None for any age.", "max_age_days=30"),
        "max_age_hours": ("The same in hours, in its place.", "max_age_hours=6"),
    },
    "Split": {
        "train_until": (
            "The last day of train, or the last hour: `Hour(2026, 1, 31, 13)`.",
            "train_until=date(2026, 1, 31)",
        ),
        "val_until": ("The last day of val; test comes after.", "val_until=date(2026, 2, 14)"),
        "seed": ("Divide entities by a hash with this seed.", 'seed="customers"'),
        "shares": ("Of train, val and test, where a seed divides.", "shares=(0.7, 0.15, 0.15)"),
    },
}
STEPS = (
    'Clip("amount", quantiles=(0.01, 0.99))',
    'DateParts("signed_up", parts=("year", "month"))',
    'Drop(("ds_year", "ds_day"))',
    'Impute("total", by="median", group="country")',
    'Log("amount")',
    'MinMax("amount")',
    'OneHot("gender")',
    'Ordinal("size", order=("S", "M", "L"))',
    'Ratio("share", "spend_7d", "spend_30d")',
    'Standard("amount", into="amount_scaled")',
)
ARGUMENTS: ArgumentNotes = {
    "column": ("The column that is transformed.", 'Standard(column="amount")'),
    "into": ("Write into this column, and leave the other as it is.", 'Log("amount", into="amount_log")'),
    "low": ("The lower bound.", 'Clip("amount", low=0.0)'),
    "high": ("The upper bound.", 'Clip("amount", high=1000.0)'),
    "quantiles": ("Bounds from the train split, instead.", 'Clip("amount", quantiles=(0.01, 0.99))'),
    "parts": ("Which parts.", 'DateParts("signed_up", parts=("year", "month"))'),
    "columns": ("The columns to remove.", 'Drop(columns=("ds_year", "ds_day"))'),
    "by": ('"median", "mean" or "constant".', 'Impute("total", by="mean")'),
    "group": ("Take the statistic of the rows with the same value in this column.", 'Impute("total", by="median", group="country")'),
    "value": ("The constant.", 'Impute("plan", by="constant", value="none")'),
    "fallback": ('For a group without values: "median" or "mean" of all rows, or "missing".', 'Impute("total", by="median", group="country", fallback="missing")'),
    "clip": ("Clip to 0..1 what lies outside the train split's range.", 'MinMax("amount", clip=True)'),
    "drop_first": ("Leave out the column of the first category.", 'OneHot("gender", drop_first=False)'),
    "OneHot.unseen": ('What a null or new category does: "zeros", or "error", which stops the run.', 'OneHot("gender", unseen="error")'),
    "order": ("The categories from 0 on; sorted if left out.", 'Ordinal("size", order=("S", "M", "L"))'),
    "Ordinal.unseen": ("The number of a null or new category, below 0.", 'Ordinal("size", unseen=-9)'),
    "Ratio.into": ("The column that is written.", 'Ratio(into="share", numerator="spend_7d", divisor="spend_30d")'),
    "numerator": ("The column that is divided.", 'Ratio("share", numerator="spend_7d", divisor="spend_30d")'),
    "divisor": ("The column that it is divided by.", 'Ratio("share", "spend_7d", divisor="spend_30d")'),
    "zero": ("The ratio where the divisor is 0 or missing.", 'Ratio("share", "spend_7d", "spend_30d", zero=1.0)'),
}  # fmt: skip


def page() -> str:
    """The whole page."""
    sections = [section(name, getattr(training_set, name), NOTES) for name in NOTES]
    rows = list(examples(STEPS, vars(steps)))
    heading = "## Steps\n\nFitted on train alone; steps that work in place write beside the column with `into=`.\n"
    sources = [section(name, one, declared.NOTES) for name, one in declared.SOURCES.items()]
    listed = table(("step", "what it does", "example"), rows)
    of_steps = arguments({name: getattr(steps, name) for name in steps.__all__}, ARGUMENTS)
    return "\n".join([contract_part(), *sources, *sections, heading, listed, of_steps])


@exit_on_error()
def main() -> None:
    parser = CommandLine(prog="python -m common.training.reference", description=__doc__)
    parser.with_help(".venv/bin/python -m common.training.reference")
    parser.parse_args()
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
