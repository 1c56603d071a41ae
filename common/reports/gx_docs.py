"""Build Great Expectations' Data Docs and print their path: `python -m common.reports.gx_docs`."""

from __future__ import annotations

from pathlib import Path

from common.errors import SourceMissingError, UsageError, exit_on_error
from common.lake.storage.files import is_local, local_path
from common.printable import printable
from common.quality import gx
from common.runtime.command_line import CommandLine
from common.runtime.settings import load_settings


def build_docs(lake: Path) -> Path:
    gx.file_context(lake).build_data_docs()
    return lake / gx.PAGE


@exit_on_error()
def main() -> None:
    parser = CommandLine(prog="python -m common.reports.gx_docs", description=__doc__)
    parser.with_help("make docs", "LAKE=/data/lake make docs")
    parser.parse_args()
    lake = load_settings("local").lake
    if not is_local(lake):
        raise UsageError(f"{lake} is not a local folder; Great Expectations keeps its pages in a local lake only")
    if not (local_path(lake) / "gx").exists():
        raise SourceMissingError(f"{lake} holds no results of Great Expectations; run jobs/validate.py on it first")
    print(printable(build_docs(local_path(lake))))


if __name__ == "__main__":
    main()
