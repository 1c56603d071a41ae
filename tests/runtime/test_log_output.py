"""No message can forge a line of the log."""

import logging
import sys

from common.runtime.log_output import LineFormat

FORGED = 'z\n{"job": "ingest", "outcome": "done"}.csv'


def record(message: str, failing: bool = False) -> str:
    try:
        if failing:
            raise OSError(FORGED)
    except OSError:
        made = logging.LogRecord("pipeline", logging.ERROR, __file__, 1, message, (FORGED,), sys.exc_info())
    else:
        made = logging.LogRecord("pipeline", logging.ERROR, __file__, 1, message, (FORGED,), None)
    return LineFormat().format(made)


def test_a_message_is_one_line() -> None:
    line = record("%s is refused\x1b[2J")
    assert line.endswith(r'z\n{"job": "ingest", "outcome": "done"}.csv is refused\x1b[2J')
    assert len(line.splitlines()) == 1


def test_no_line_of_a_traceback_reads_as_the_line_of_a_job() -> None:
    lines = record("%s", failing=True).splitlines()
    assert len(lines) > 3
    assert not [line for line in lines if line.startswith("{")]
