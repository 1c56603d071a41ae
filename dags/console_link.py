"""A link from each task to its day in the console, where CONSOLE_URL says at which address the console's page is served."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink

CONSOLE = "CONSOLE_URL"


class ConsoleLink(BaseOperatorLink):
    """Airflow asks for it as the task ends, so the day is known."""

    name = "Day in the console"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        day = operator.ds.rpartition("..")[2]
        return f"{os.environ[CONSOLE].partition('#')[0]}#/d/{quote(operator.dataset)}/{quote(day)}"


def console_links() -> tuple[ConsoleLink, ...]:
    return (ConsoleLink(),) if os.environ.get(CONSOLE) else ()
