"""The whole customer base, once a day."""

from common.contracts.aggregates import DatePart, FeatureRatio, Flag, Pick
from common.contracts.contract import Column, Contract, Feature, Features
from common.contracts.expectations import Rule, Severity

YES_NO = ("Yes", "No")
DAYS_IN_A_MONTH = 30

CONTRACT = Contract(
    name="churn",
    description="Every customer as billing knows them on ds, and whether they left.",
    owner="growth team",
    tags=("customers", "daily"),
    columns=(
        Column(
            name="customer_id", type="string", required=True, sensitive=True, description="Billing's id of the customer"
        ),
        Column(name="gender", type="string", required=True, values=("Female", "Male"), description="As registered"),
        Column(
            name="senior_citizen", type="int", required=True, minimum=0, maximum=1, description="1 from 65 years on"
        ),
        Column(name="partner", type="string", required=True, values=YES_NO, description="Lives with a partner"),
        Column(name="dependents", type="string", required=True, values=YES_NO, description="Has dependents"),
        Column(name="tenure_days", type="int", required=True, minimum=0, description="Days since the contract began"),
        Column(
            name="monthly_charges",
            type="decimal(12,2)",
            required=True,
            minimum=0,
            description="The month's bill, in euro",
        ),
        Column(
            name="total_charges",
            type="decimal(12,2)",
            minimum=0,
            description="All bills so far, in euro; blank before the first",
        ),
        Column(name="payment_method", type="string", required=True, description="How the bill is paid"),
        Column(name="churn", type="string", required=True, values=YES_NO, description="Left since the last bill"),
    ),
    derived=(Column(name="tenure_months", type="int", description="Whole 30-day months of tenure"),),
    key=("customer_id",),
    label="churn",
    rules=(
        Rule(
            "ExpectColumnPairValuesAToBeGreaterThanB",
            {
                "column_A": "total_charges",
                "column_B": "monthly_charges",
                "or_equal": True,
                "ignore_row_if": "either_value_is_missing",
                "mostly": 0.99,
            },
            Severity.WARN,
        ),
    ),
    features=Features(
        version=1,
        entity="customer_id",
        columns=(
            Feature("gender", Pick("gender")),
            Feature("senior_citizen", Pick("senior_citizen")),
            Feature("partner", Pick("partner")),
            Feature("dependents", Pick("dependents")),
            Feature("tenure_days", Pick("tenure_days")),
            Feature("tenure_months", Pick("tenure_months")),
            Feature("monthly_charges", Pick("monthly_charges")),
            Feature("total_charges", Pick("total_charges")),
            Feature("payment_method", Pick("payment_method")),
            Feature("monthly_to_total_ratio", FeatureRatio("monthly_charges", "total_charges", zero=0.0)),
            Feature("ds_year", DatePart("year")),
            Feature("ds_month", DatePart("month")),
            Feature("ds_day", DatePart("day")),
            Feature("ds_weekday", DatePart("dayofweek")),
            Feature("churn", Flag("churn", "Yes")),
        ),
    ),
)
