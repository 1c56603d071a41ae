"""Build Great Expectations' Data Docs and print their path: `python -m common.reports.gx_docs`."""

from __future__ import annotations

from pathlib import Path

from common.errors import exit_on_error
from common.lake.files import is_local, local_path
from common.quality import gx
from common.runtime.settings import load_settings


def build_docs(lake: Path) -> Path:
    gx.file_context(lake).build_data_docs()
    return lake / gx.PAGE


@exit_on_error()
def main() -> None:
    lake = load_settings("local").lake
    if not is_local(lake) or not (local_path(lake) / "gx").exists():
        raise SystemExit(f"{lake} holds no validation results; run jobs/validate.py first")
    print(build_docs(local_path(lake)))


if __name__ == "__main__":
    main()
