"""What a churn model learns from."""

from common.training.steps import Drop, Impute, MinMax, OneHot
from common.training.training_set import Snapshot, Split, TrainingSet

TRAINING_SETS = (
    TrainingSet(
        name="churn_baseline",
        description="Every customer of every day as billing knew them; whether they left.",
        examples=Snapshot(table="churn@v1", label="churn"),
        split=Split(seed="churn"),
        steps=(
            # Replace an unknown total by the mean of customers with the same tenure.
            Impute("total_charges", by="mean", group="tenure_months"),
            MinMax("tenure_months"),
            MinMax("monthly_charges"),
            MinMax("total_charges"),
            OneHot("gender"),
            OneHot("partner"),
            OneHot("dependents"),
            OneHot("payment_method"),
            Drop(("tenure_days", "ds_year", "ds_month", "ds_day", "ds_weekday")),
        ),
    ),
)
