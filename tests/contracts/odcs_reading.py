"""Reads an Open Data Contract Standard document back into our own contract classes."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Any

from open_data_contract_standard.model import (
    DataQuality,
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
    ServiceLevelAgreementProperty,
)

from common.contracts.contract import Column
from common.contracts.documents import odcs
from common.contracts.expectations import Freshness, Rule, Severity
from common.errors import require
from common.quality import gx


def column_of(shown: SchemaProperty) -> Column:
    """The column that a property describes; Column refuses a type it does not know."""
    options = shown.logicalTypeOptions or {}
    return Column(
        name=shown.name or "",
        type=shown.physicalType or "",
        description=shown.description or "",
        required=bool(shown.required),
        minimum=_bound(options.get("minimum")),
        above=_bound(options.get("exclusiveMinimum")),
        maximum=_bound(options.get("maximum")),
        values=tuple(str(each.value) for each in shown.enum or ()),
        pattern=options.get("pattern"),
        sensitive=shown.classification in odcs.SENSITIVE,
    )


def key_of(table: SchemaObject) -> tuple[str, ...]:
    """The columns that identify a row within its partition."""
    named = [each for each in table.properties or [] if each.primaryKey and not each.partitioned]
    return tuple(str(each.name) for each in sorted(named, key=lambda each: each.primaryKeyPosition or 0))


def partition_of(table: SchemaObject) -> tuple[str, ...]:
    cuts = [each for each in table.properties or [] if each.partitioned]
    return tuple(str(each.name) for each in sorted(cuts, key=lambda each: each.partitionKeyPosition or 0))


def rules_of(table: SchemaObject, stage: str) -> list[Rule]:
    """The rules of the table, then those of its columns."""
    of_columns = [said for each in table.properties or [] for said in each.quality or []]
    return [rule_of(said, stage) for said in [*(table.quality or []), *of_columns]]


def rule_of(said: DataQuality, stage: str) -> Rule:
    require(
        said.engine == odcs.ENGINE, f"a quality rule of engine {said.engine!r}: only those of {odcs.ENGINE} are known"
    )
    written = said.implementation
    expectation, arguments = (
        (written.get("type"), written.get("kwargs", {})) if isinstance(written, dict) else (written, {})
    )
    require(
        expectation in _expectations(),
        f"a quality rule names {expectation!r}, which is no expectation of Great Expectations as it is installed",
    )
    severity = Severity.ERROR if said.severity == odcs.SEVERITIES[Severity.ERROR] else Severity.WARN
    return Rule(_expectations()[str(expectation)], arguments, severity, stage)


@cache
def _expectations() -> dict[str, str]:
    """Expectation classes by their names in the document."""
    names = [name for name in dir(gx.library().expectations) if "Expect" in name]
    return {odcs.written(name): name for name in names}


def freshness_of(document: OpenDataContractStandard) -> Freshness:
    promise = _promise(document, "freshness", "h")
    said = {each.property: each.value for each in promise.customProperties or []}
    return Freshness(hours=int(str(promise.value)), severity=Severity(str(said.get("severity", Severity.ERROR))))


def days_of(document: OpenDataContractStandard, promised: str, unit: str = "d") -> int:
    """Days (or hours) of retention or lateness, or 0 if the document does not state them."""
    if promised not in {each.property for each in document.slaProperties or []}:
        return 0
    return int(str(_promise(document, promised, unit).value))


def _promise(document: OpenDataContractStandard, name: str, unit: str) -> ServiceLevelAgreementProperty:
    found = [each for each in document.slaProperties or [] if each.property == name]
    units = [each.unit for each in found]
    require(units == [unit], f"the document promises {name} in {units or 'nothing'}; expected it once, in {unit!r}")
    return found[0]


def _bound(number: Any) -> Decimal | int | None:
    """Convert through the shortest text, so that 0.1 stays exactly one tenth."""
    return Decimal(str(number)) if isinstance(number, float) else number
