"""What a contract declares, as the page shows it: terms, columns, features and rules in words."""

from __future__ import annotations

from common.console.grid import Facts
from common.contracts import layout
from common.contracts.aggregates import Aggregate, Share
from common.contracts.column import Column
from common.contracts.contract import Contract
from common.contracts.entity import DROP
from common.contracts.sensitive import sensitive_names
from common.contracts.suite import rules_of


def contract_facts(contract: Contract) -> Facts:
    sensitive = sensitive_names(contract, "raw")
    return {
        "terms": terms(contract),
        "columns": [
            [column.name, column.type, demands(column), column.description, column.name in sensitive]
            for column in (*contract.columns, *contract.derived)
        ],
        "rules": [
            [table, str(rule.severity), rule.column or "", rule.words]
            for table in layout.STAGES
            for rule in rules_of(contract, table)
        ],
    }


def feature_words(contract: Contract) -> list[Facts]:
    """The features that are declared now."""
    types, sensitive = dict(layout.features(contract).columns), sensitive_names(contract, "features")
    return [
        {
            "name": feature.name,
            "type": types[feature.name],
            "words": definition(feature.rule),
            **({"sensitive": True} if feature.name in sensitive else {}),
            **({"label": True} if feature.name == contract.label else {}),
        }
        for feature in contract.features.columns
    ]


def terms(contract: Contract) -> list[tuple[str, str]]:
    """The declarations that are about the whole dataset, each with its name."""
    winner = ", then ".join(
        [*(f"the latest {name}" for name in contract.winner), "the later arrival", "the record's hash"]
    )
    nobody = contract.null_entity == DROP
    found = [
        ("Key", ", ".join(contract.key)),
        ("Of several records with one key", f"the winner is {winner}"),
        ("Event time", f"{contract.event_time}, zone {contract.zone}" if contract.event_time else "a snapshot a day"),
        ("Late events", f"accepted for {contract.lateness} {contract.every}s"),
        ("Fresh", f"within {contract.freshness.hours} h ({contract.freshness.severity})"),
        ("Refused rows", f"at most {contract.refused_share:.0%} of a day ({contract.refused_severity})"),
        ("Duplicates", f"at most {contract.duplicate_share:.0%} of a day ({contract.duplicate_severity})"),
        ("Versions", f"readable for {contract.retention_days} days"),
        ("Feature rows", f"v{contract.features.version}, one per {contract.features.entity} and day"),
    ]
    kept = f"kept without {contract.features.entity}, and count in no feature"
    return [*found, ("Rows", kept)] if nobody else found


def definition(rule: Aggregate) -> str:
    """The words that commits store, and what they leave open."""
    return f"{rule.words}; a null counts as false" if isinstance(rule, Share) and rule.of == "all" else rule.words


def demands(column: Column) -> str:
    conditions = ["present"] if column.required else []
    if column.minimum is not None:
        conditions.append(f"≥ {column.minimum}")
    if column.above is not None:
        conditions.append(f"> {column.above}")
    if column.maximum is not None:
        conditions.append(f"≤ {column.maximum}")
    if column.values:
        conditions.append("one of " + ", ".join(column.values) + (", in any case" if column.lower else ""))
    if column.pattern:
        conditions.append(f"like {column.pattern}")
    return "; ".join(conditions) or "anything"
