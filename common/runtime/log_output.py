"""Log lines go to standard error; standard output is for the JSON line."""

from __future__ import annotations

import logging
import os
import sys

from common.printable import printable


class LineFormat(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        where = " ".join(getattr(record, name) for name in ("job", "dataset", "ds") if hasattr(record, name))
        level = "" if record.levelno == logging.INFO else f"{record.levelname} "
        text = f"{self.formatTime(record, '%H:%M:%S')} {level}{where}{': ' if where else ''}{record.getMessage()}"
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        # A line that comes from data never starts a line of the log: only a job's last line may start with {"job".
        return "\n".join([printable(text), *(f"  {printable(line)}" for line in trace.split("\n") if line)])


class _ThroughJvm(logging.Handler):
    """spark-submit merges Python's standard error into its own standard output, so write to the JVM's."""

    def __init__(self) -> None:
        super().__init__()
        from pyspark.java_gateway import launch_gateway

        self._stream = launch_gateway().jvm.java.lang.System.err  # type: ignore[no-untyped-call]

    def emit(self, record: logging.LogRecord) -> None:
        self._stream.println(self.format(record))


def listen() -> None:
    """Sets up logging for a job."""
    handler = _ThroughJvm() if "PYSPARK_GATEWAY_PORT" in os.environ else logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormat())
    logger = logging.getLogger("pipeline")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
