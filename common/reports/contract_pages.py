"""Write every contract as a Markdown page and an ODCS document: `python -m common.reports.contract_pages`."""

from __future__ import annotations

from pathlib import Path

from common.contracts import datasets, layout, odcs
from common.contracts.aggregates import Aggregate, Share
from common.contracts.contract import Column, Contract
from common.contracts.entity import DROP
from common.contracts.suite import rules_of
from common.errors import exit_on_error
from common.printable import printable
from common.reports.beside import beside_lake
from common.runtime.command_line import CommandLine
from common.runtime.settings import load_settings

NAME = "contracts"


def contract_markdown(contract: Contract) -> str:
    """Return the contract as Markdown."""
    event = f"`{contract.event_time}`, zone {contract.zone}" if contract.event_time else "none: a whole snapshot a day"
    winner = ", then ".join(
        [*(f"the latest `{name}`" for name in contract.winner), "the later arrival", "the record's hash"]
    )
    parts = [
        f"# {contract.name}\n\n{contract.description}\n",
        f"- Key: {', '.join(f'`{name}`' for name in contract.key)}; of several records with one key, the winner is {winner}",
        f"- Event time: {event}",
        *(
            [f"- Rows without `{contract.features.entity}` are kept, and count in no feature"]
            * (contract.null_entity == DROP)
        ),
        f"- Late events are accepted for {contract.lateness} {contract.every}s; "
        f"data is fresh within {contract.freshness.hours} h",
        f"- At most {contract.refused_share:.0%} of a day's rows may be refused ({contract.refused_severity})",
        f"- Every version can be read for {contract.retention_days} days\n",
        "## Columns\n",
        "| column | type | must be | description |",
        "| --- | --- | --- | --- |",
        *(
            f"| `{c.name}` | {c.type} | {_demands(c)} | {c.description} |"
            for c in (*contract.columns, *contract.derived)
        ),
        f"\n## Features v{contract.features.version}, one row per `{contract.features.entity}` and ds\n",
        "| feature | type | definition |",
        "| --- | --- | --- |",
    ]
    types = dict(layout.features(contract).columns)
    parts += [
        f"| `{feature.name}` | {types[feature.name]} | {_definition(feature.rule)} |"
        for feature in contract.features.columns
    ]
    for table in layout.STAGES:
        parts += [f"\n## Rules of {table}\n", "| severity | column | expectation |", "| --- | --- | --- |"]
        parts += [
            f"| {r.severity} | {f'`{r.column}`' if r.column else ''} | {r.words} |" for r in rules_of(contract, table)
        ]
    return "\n".join(parts) + "\n"


def _definition(rule: Aggregate) -> str:
    """The words that commits store, and what they leave open."""
    return f"{rule.words}; a null counts as false" if isinstance(rule, Share) and rule.of == "all" else rule.words


def _demands(column: Column) -> str:
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
        conditions.append(f"like `{column.pattern}`")
    return "; ".join(conditions) or "anything"


@exit_on_error()
def main() -> None:
    parser = CommandLine(prog="python -m common.reports.contract_pages", description=__doc__)
    parser.with_help("make contracts", ".venv/bin/python -m common.reports.contract_pages --out data/contracts")
    parser.add_argument("--out", type=Path, help=f"folder to write to (default: {NAME} beside the lake)")
    folder: Path = parser.parse_args().out or beside_lake(load_settings("local").lake) / NAME
    folder.mkdir(parents=True, exist_ok=True)
    for name in datasets.names():
        contract = datasets.load(name).contract
        files = {f"{name}.md": contract_markdown(contract), f"{name}.odcs.yaml": odcs.document(contract).to_yaml()}
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
            print(printable(folder / file))


if __name__ == "__main__":
    main()
