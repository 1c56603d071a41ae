"""Writes the public Telco churn file as a day of landing: `python -m jobs.datasets.churn.telco FILE --ds D --out LANDING`."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
from pyarrow import csv

from common.days import parse_day
from common.errors import exit_on_error
from common.runtime.command_line import CommandLine
from common.runtime.locations import out_folder
from jobs.datasets.churn.contract import CONTRACT, DAYS_IN_A_MONTH

COLUMNS = {
    "customerID": "customer_id",
    "gender": "gender",
    "SeniorCitizen": "senior_citizen",
    "Partner": "partner",
    "Dependents": "dependents",
    "tenure": "tenure_days",
    "MonthlyCharges": "monthly_charges",
    "TotalCharges": "total_charges",
    "PaymentMethod": "payment_method",
    "Churn": "churn",
}


@exit_on_error()
def main() -> None:
    parser = CommandLine(prog="python -m jobs.datasets.churn.telco", description=__doc__)
    parser.with_help(".venv/bin/python -m jobs.datasets.churn.telco telco.csv --ds 2026-01-05 --out data/landing")
    parser.add_argument("file", type=Path, help="the public file, a CSV")
    parser.add_argument("--ds", required=True, type=parse_day, help="the day to land it under")
    parser.add_argument("--out", required=True, type=out_folder, help="the landing folder")
    options = parser.parse_args()
    rows = csv.read_csv(options.file).select(list(COLUMNS)).rename_columns(list(COLUMNS.values()))
    # The file's tenure is in months.
    days = pc.multiply(rows["tenure_days"], DAYS_IN_A_MONTH)
    rows = rows.set_column(rows.column_names.index("tenure_days"), "tenure_days", days)
    folder = options.out / CONTRACT.name / f"ds={options.ds}"
    folder.mkdir(parents=True, exist_ok=True)
    csv.write_csv(rows, folder / "telco.csv")
    print(f"{folder / 'telco.csv'}: {rows.num_rows:,} customers")


if __name__ == "__main__":
    main()
