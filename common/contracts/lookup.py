"""A feature that another dataset has: a column of the same entity, as it was known when the event came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from common.contracts.aggregates import Aggregate, TypeOf
from common.errors import require
from common.names import did_you_mean

PROCESSED = "@processed"


@dataclass(frozen=True)
class Lookup(Aggregate):
    """A column of the entity's row in a snapshot dataset, as it was known when the period of its latest event began.

    What arrived in that period or later is never seen: at the event, it may not have been known.
    """

    column: str
    from_: str
    fits_window: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        named = self.from_.endswith(PROCESSED) and self.from_ != PROCESSED
        require(
            named, f"Lookup: from_ {self.from_!r} is not allowed; expected a dataset's rows, like customers@processed"
        )

    @property
    def dataset(self) -> str:
        return self.from_.removesuffix(PROCESSED)

    @property
    def of(self) -> Any:
        """The other contract; None unless this one was read from its dataset's folder."""
        return vars(self).get("_of")

    @property
    def state(self) -> str:
        """The column of the partials that holds it."""
        return f"lookup_{self.dataset}_{self.column}"

    @property
    def words(self) -> str:
        return f"{self.column} of {self.from_}, as known before the period of the latest event"

    def type(self, type_of: TypeOf) -> str:
        require(
            self.of is not None,
            f"{self.words}: read the contract from its dataset's folder, which finds {self.dataset}",
        )
        return next(str(each.type) for each in _columns(self.of) if each.name == self.column)


def lookups_of(contract: Any) -> dict[str, list[Lookup]]:
    """By the dataset that they look at."""
    found: dict[str, list[Lookup]] = {}
    for feature in contract.features.columns:
        if isinstance(feature.rule, Lookup):
            found.setdefault(feature.rule.dataset, []).append(feature.rule)
    return found


def looked_up(contract: Any) -> list[Any]:
    """The contracts of the datasets that the features look at."""
    return [rules[0].of for rules in lookups_of(contract).values()]


def find_looked_up(contract: Any, names: Callable[[], list[str]], declared: Callable[[str], Any]) -> None:
    """Give each lookup the contract that it looks at; raise if it can't be looked at."""
    for dataset, rules in lookups_of(contract).items():
        others = sorted({*names()} - {contract.name})
        unknown = f"contract {contract.name!r}: {rules[0].words}: there is no other dataset {dataset!r}"
        require(dataset in others, f"{unknown}{did_you_mean(dataset, others)}; expected one of {others}")
        other = declared(dataset)
        for rule in rules:
            fault = _fault(contract, other, rule)
            require(not fault, f"contract {contract.name!r}: {rule.words}: {fault}")
            object.__setattr__(rule, "_of", other)


def _fault(contract: Any, other: Any, rule: Lookup) -> str:
    if other.event_time is not None:
        return f"{other.name} has events; expected a snapshot, or changes of one"
    if other.every != contract.every:
        return (
            f"{other.name} has a period every {other.every}, {contract.name} every {contract.every}; expected the same"
        )
    columns = {each.name: each.type for each in _columns(other)}
    if rule.column not in columns:
        return f"{other.name} has no such column; expected one of {[*columns]}"
    own = next(each.type for each in _columns(contract) if each.name == contract.features.entity)
    if columns[other.features.entity] != own:
        return f"the entity is {own}, that of {other.name} {columns[other.features.entity]}; expected the same type"
    return ""


def _columns(contract: Any) -> tuple[Any, ...]:
    return (*contract.columns, *contract.derived)
