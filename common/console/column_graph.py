"""The lineage of one dataset by column: its tables in order, and for every column the columns that it is made from."""

from __future__ import annotations

from common.console.grid import Facts
from common.contracts import layout
from common.contracts.datasets import Dataset
from common.contracts.documents.column_origins import ORIGINS, landing_path

# The table that each job of ORIGINS makes, in the order of a day.
TABLES = {"ingest": layout.raw, "clean": layout.processed, "features": layout.features, "publish": layout.published}


def graph_facts(dataset: Dataset) -> list[Facts]:
    """One table after the other; a column has its name, the columns of the table before it, and how it is made of them."""
    contract = dataset.contract
    source = dict.fromkeys(name for origin in ORIGINS["ingest"](dataset).values() for name in origin.columns)
    found = [{"table": landing_path(contract), "columns": [[name, [], "as the source sends it"] for name in source]}]
    for job, make in TABLES.items():
        table, origins = make(contract), ORIGINS[job](dataset)
        columns = [
            [
                name,
                list(origins[name].columns) if name in origins else [],
                origins[name].words if name in origins else "",
            ]
            for name in table.names
            if name in origins
        ]
        found.append({"table": table.path, "columns": columns})
    return found
