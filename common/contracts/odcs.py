"""A contract as a document of the Open Data Contract Standard, for catalogues and checkers that have never seen us."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from open_data_contract_standard.model import (
    CustomProperty,
    DataQuality,
    Description,
    EnumValue,
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
    ServiceLevelAgreementProperty,
)

from common.contracts import layout, sensitive
from common.contracts.contract import Column, Contract
from common.contracts.expectations import Rule, Severity
from common.contracts.layout import Table
from common.contracts.suite import rules_of

STANDARD = "v3.2.0"
ENGINE = "great-expectations"
SEVERITIES = {Severity.ERROR: "error", Severity.WARN: "warning"}
# What a sensitive column is classified as, and what else is read as sensitive: too careful is better than leaking.
SENSITIVE = ("confidential", "restricted")
LOGICAL = {
    "string": "string",
    "int": "integer",
    "long": "integer",
    "double": "number",
    "decimal": "number",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
}
SIZES = {"int": "i32", "long": "i64", "double": "f64"}
# The pipeline's own columns: they stand in no contract and are never missing.
ADDED = {
    "event_date": "The day it happened",
    "arrived": "The ds on which it arrived",
    "record_hash": "Names the record that the row was made from",
    "ds": "The row says what was known on this day",
}
WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def document(contract: Contract) -> OpenDataContractStandard:
    """What readers see of a dataset: its processed table and its feature table."""
    return OpenDataContractStandard(
        apiVersion=STANDARD,
        kind="DataContract",
        id=f"feature-pipeline-{contract.name}",
        name=contract.name,
        version=f"{contract.features.version}.0.0",
        status="active",
        description=Description(
            purpose=contract.description,
            limitations="The quality rules speak of the rows that one ds brought, not of a whole table.",
        ),
        schema=[_processed(contract), _features(contract)],
        slaProperties=_promises(contract),
    )


def property_of(column: Column) -> SchemaProperty:
    """What the column promises of its typed values; how their texts are read (`lower`, `formats`) is no reader's concern."""
    options = {
        "minimum": _number(column.minimum),
        "exclusiveMinimum": _number(column.above),
        "maximum": _number(column.maximum),
        "pattern": column.pattern,
    }
    shown = _property(column.name, column.type, column.description, **options)
    shown.required = column.required or None
    shown.classification = SENSITIVE[0] if column.sensitive else None
    shown.enum = [EnumValue(value=value) for value in column.values] or None
    return shown


def _property(name: str, type_: str, description: str, **options: Any) -> SchemaProperty:
    base_type = type_.partition("(")[0]
    options["format"] = SIZES.get(base_type)
    return SchemaProperty(
        name=name,
        description=description,
        logicalType=LOGICAL[base_type],
        logicalTypeOptions={option: value for option, value in options.items() if value is not None} or None,
        physicalType=type_,
    )


def _processed(contract: Contract) -> SchemaObject:
    table, rules = layout.processed(contract), rules_of(contract, "processed")
    columns = {column.name: property_of(column) for column in (*contract.columns, *contract.derived)}
    return _table(table, "The current row of every key, by event date", columns, rules)


def _features(contract: Contract) -> SchemaObject:
    table, rules, entity = layout.features(contract), rules_of(contract, "features"), contract.features.entity
    types, personal = dict(table.columns), sensitive.sensitive_names(contract, "features")
    columns = {entity: property_of(contract.column(entity))}
    for each in contract.features.columns:
        columns[each.name] = _property(each.name, types[each.name], each.rule.words)
        columns[each.name].classification = SENSITIVE[0] if each.name in personal else None
    return _table(table, f"One row per {entity} and ds, as known on ds", columns, rules)


def _table(table: Table, description: str, columns: dict[str, SchemaProperty], rules: list[Rule]) -> SchemaObject:
    shown = {name: columns.get(name) or _property(name, type_, ADDED[name]) for name, type_ in table.columns}
    for name, each in shown.items():
        each.primaryKey, each.primaryKeyPosition = _place(name, table.identity)
        each.partitioned, each.partitionKeyPosition = _place(name, table.partition)
        each.required = each.required or name in ADDED or each.primaryKey
        each.quality = [quality_of(rule) for rule in rules if rule.arguments.get("column") == name] or None
    return SchemaObject(
        name=_name(table),
        physicalName=table.path,
        physicalType="table",
        logicalType="object",
        description=description,
        properties=list(shown.values()),
        quality=[quality_of(rule) for rule in rules if rule.arguments.get("column") not in shown] or None,
    )


def _name(table: Table) -> str:
    return table.path.replace("/", "_")


def _place(name: str, among: Sequence[str]) -> tuple[bool, int] | tuple[None, None]:
    return (True, among.index(name) + 1) if name in among else (None, None)


def quality_of(rule: Rule) -> DataQuality:
    """As Great Expectations itself writes an expectation down: the standard's own metrics know no ranges."""
    # Only what YAML has a plain form for: anything else it would write as a Python object.
    kwargs = json.loads(json.dumps(rule.arguments, default=_plain))
    return DataQuality(
        type="custom",
        engine=ENGINE,
        severity=SEVERITIES[rule.severity],
        implementation={"type": written(rule.expectation), "kwargs": kwargs},
    )


def written(expectation: str) -> str:
    """`ExpectColumnToExist` as `expect_column_to_exist`."""
    return WORDS.sub("_", expectation).lower()


def _promises(contract: Contract) -> list[ServiceLevelAgreementProperty]:
    element = f"{_name(layout.processed(contract))}.{contract.event_time}" if contract.event_time else None
    fresh = (
        "The newest event may be this much older than the end of its ds"
        if element
        else "A snapshot may stay the same this long"
    )
    promises = [
        ServiceLevelAgreementProperty(
            property="freshness",
            value=contract.freshness.hours,
            unit="h",
            element=element,
            description=fresh,
            # The standard knows a severity of rules, but none of promises.
            customProperties=[CustomProperty(property="severity", value=str(contract.freshness.severity))],
        ),
        ServiceLevelAgreementProperty(
            property="retention",
            value=contract.retention_days,
            unit="d",
            description="Every version of every table can be read this long",
        ),
    ]
    if element:
        late = ServiceLevelAgreementProperty(
            property="lateness",
            value=contract.lateness_days,
            unit="d",
            element=element,
            description="An event that arrives later than this is refused",
        )
        promises.append(late)
    return promises


def _number(bound: Decimal | int | None) -> int | float | None:
    if bound is None:
        return None
    return int(bound) if bound == int(bound) else float(bound)


def _plain(value: Any) -> Any:
    return _number(value) if isinstance(value, Decimal) else str(value)
