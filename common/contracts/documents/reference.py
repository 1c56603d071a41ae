"""The page of everything that a contract may declare, made from the classes themselves. common.training.reference writes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import MISSING, Field, fields
from inspect import cleandoc
from typing import Any

from common.contracts import aggregates, changes, contract, expectations
from common.contracts.checking.expectation_names import EXPECTATIONS
from common.contracts.documents.field_notes import (
    AGGREGATE_ARGUMENTS,
    AGGREGATES,
    ARGUMENTS,
    NOTES,
    ArgumentNotes,
    Notes,
)
from common.contracts.expectations import Severity
from common.contracts.lookup import Lookup
from common.errors import require

HEAD = """# Contract reference

Everything that a dataset's `contract.py` and `training.py` may declare. Made from the code by
`python -m common.training.reference`: edit the code, not this page. `make check DATASET=...` says what is wrong with a contract.
"""
CLASSES = {
    **{name: getattr(contract, name) for name in ("Contract", "Column", "Files", "Features", "Feature")},
    "Debezium": changes.Debezium,
    **{name: getattr(expectations, name) for name in ("Freshness", "Volume", "Drift", "Reference", "Rule")},
}


def contract_part() -> str:
    """The classes of a contract, its aggregates and its rules."""
    features = [(call.partition("(")[0], words, call) for call, words in AGGREGATES.items()]
    rules = [(name, ", ".join(arguments), rule_example(name)) for name, arguments in EXPECTATIONS.items()]
    parts = [
        HEAD,
        *(section(name, one, NOTES) for name, one in CLASSES.items()),
        "## Aggregates\n\nA feature is `Feature(name, aggregate)`; the window comes first, in days.\n",
        table(("aggregate", "what it is", "example"), features),
        arguments({name: _aggregate(name) for name, *_ in features}, AGGREGATE_ARGUMENTS),
        "## Expectations\n\nThe classes of Great Expectations that a `Rule` may name; it needs the arguments with a star.\n",
        table(("expectation", "arguments", "example"), rules),
    ]
    return "\n".join(parts)


def _aggregate(name: str) -> type[Any]:
    found: type[Any] = Lookup if name == Lookup.__name__ else getattr(aggregates, name)
    return found


def section(name: str, one: type[Any], notes: Notes) -> str:
    """A class with all its fields."""
    known = {field.name: field for field in fields(one)}
    unlike = sorted(known.keys() ^ notes[name].keys())
    require(not unlike, f"{name}: the fields {unlike} and the notes about them disagree; add or remove their lines")
    rows = [(field, _default(known[field]), *notes[name][field]) for field in known]
    return f"## {name}\n\n{summary(one)}\n\n" + table(("field", "default", "what it is", "example"), rows)


def summary(one: type[Any]) -> str:
    """The first paragraph of the docstring; a dataclass without one gets its signature, which explains nothing."""
    doc = cleandoc(one.__doc__ or "")
    require(bool(doc) and not doc.startswith(f"{one.__name__}("), f"{one.__name__} has no docstring; add one sentence")
    return " ".join(doc.partition("\n\n")[0].split())


def examples(calls: Iterable[str], classes: dict[str, Any]) -> Iterable[tuple[str, str, str]]:
    """The name, the explanation and the example of each call of a class."""
    for call in calls:
        name = call.partition("(")[0]
        yield name, summary(classes[name]), call


def arguments(classes: dict[str, type[Any]], notes: ArgumentNotes) -> str:
    """Every argument of the classes, in one row where it means the same in several."""
    declared = {(name, field.name): field for name, one in classes.items() for field in fields(one)}
    noted = {pair: ".".join(pair) if ".".join(pair) in notes else pair[1] for pair in declared}
    unlike = sorted({*noted.values()} ^ notes.keys())
    require(not unlike, f"the arguments {unlike} and the notes about them disagree; add or remove their lines")
    rows = []
    for argument, (words, call) in notes.items():
        own = [pair for pair, key in noted.items() if key == argument]
        defaults = " or ".join(dict.fromkeys(_default(declared[pair]) for pair in own))
        rows.append((argument.rpartition(".")[2], ", ".join(name for name, _ in own), defaults, words, call))
    return "Their arguments:\n\n" + table(("argument", "of", "default", "what it is", "example"), rows)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """The first and the last column are code."""
    lines = [
        f"| `{first}` | {' | '.join(_cell(text) for text in middle)} | `{_cell(last)}` |"
        for first, *middle, last in rows
    ]
    return "\n".join([f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *lines, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default(field: Field[Any]) -> str:
    if field.default_factory is not MISSING:
        value: Any = field.default_factory()
        return f"{type(value).__name__}()" if value else "{}"
    if isinstance(field.default, Severity):
        return f"Severity.{field.default.name}"
    return "needed" if field.default is MISSING else repr(field.default)


def rule_example(name: str) -> str:
    """A rule with the arguments that it needs, and the largest value where it has one."""
    needed = [
        argument.rstrip("*") for argument in EXPECTATIONS[name] if argument.endswith("*") or argument == "max_value"
    ]
    needed = needed or [argument for argument in EXPECTATIONS[name] if argument in ARGUMENTS][:1]
    return f'Rule("{name}", {{{", ".join(f"{chr(34)}{argument}{chr(34)}: {ARGUMENTS[argument]}" for argument in needed)}}})'
