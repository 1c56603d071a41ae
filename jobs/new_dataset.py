"""Write the folder of a new dataset, with a contract guessed from a CSV, JSON lines or Parquet file."""

from __future__ import annotations

from pathlib import Path

from common.contracts.checking.faults import folders, shown
from common.errors import exit_on_error
from common.printable import printable
from common.runtime.command_line import CommandLine
from common.runtime.locations import out_folder
from common.sources.guessing.contract_text import write_dataset


@exit_on_error()
def main(argv: list[str] | None = None) -> None:
    parser = CommandLine(prog="python -m jobs.new_dataset", description=__doc__)
    parser.with_help(
        "make dataset NAME=orders FROM=orders.csv", ".venv/bin/python -m jobs.new_dataset orders --from orders.csv"
    )
    parser.add_argument("name", help="the dataset's name: lower case letters, digits and _")
    parser.add_argument("--from", dest="file", type=Path, required=True, metavar="FILE", help="a file with some rows")
    parser.add_argument("--out", type=out_folder, help="the folder of datasets (default: jobs/datasets)")
    arguments = parser.parse_args(argv)
    folder = write_dataset(arguments.name, arguments.file, arguments.out or folders()[0])
    print(f"{printable(shown(folder))}: read and correct contract.py, then: make check DATASET={arguments.name}")


if __name__ == "__main__":
    main()
