"""What a session on a standalone Spark cluster needs: a master that answers, the shared secret, an executor."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import ClusterUnavailableError
from common.runtime.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SCHEME = "spark://"
CONNECT_SECONDS = 5.0


def is_standalone(settings: Settings) -> bool:
    return str(settings.spark.get("spark.master", "")).startswith(SCHEME)


def masters(settings: Settings) -> list[tuple[str, int]]:
    """Several where the cluster has a standby: spark://one:7077,two:7077."""
    places = str(settings.spark["spark.master"]).removeprefix(SCHEME).split(",")
    return [(host, int(port)) for host, _, port in (place.rpartition(":") for place in places)]


def require_reachable(settings: Settings) -> None:
    """Raise unless a master answers; Spark itself would retry for a minute and fail without advice."""
    if not any(map(_answers, masters(settings))):
        master = settings.spark["spark.master"]
        raise ClusterUnavailableError(f"no Spark cluster answers at {master}: {_advice(settings)}.")


def _advice(settings: Settings) -> str:
    if settings.standalone is not None:
        return "start it with `make cluster`"
    return f"see that it runs, and that conf/{settings.env}.yml names it"


def _answers(master: tuple[str, int]) -> bool:
    try:
        socket.create_connection(master, CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def authentication(settings: Settings) -> dict[str, str]:
    """Spark's own settings for it; for the session alone, never for a command line."""
    if settings.secret_file is None:
        return {}
    try:
        secret = Path(settings.secret_file).read_text().strip()
    except OSError as error:
        raise ClusterUnavailableError(
            f"the cluster's secret can't be read from {settings.secret_file} ({error.strerror}): {_advice(settings)}, "
            "or point SECRET_FILE to it."
        ) from None
    if not secret:
        raise ClusterUnavailableError(
            f"{settings.secret_file} is empty, expected the cluster's secret; see secret_file in conf."
        )
    return {"spark.authenticate": "true", "spark.network.crypto.enabled": "true", "spark.authenticate.secret": secret}


@contextmanager
def explain_rejection(settings: Settings) -> Iterator[None]:
    """Spark tries for a minute, and then says only that the master is unresponsive, or nothing readable."""
    from py4j.protocol import Py4JError

    try:
        yield
    except Py4JError as error:
        raise ClusterUnavailableError(
            f"the cluster at {settings.spark['spark.master']} answers, but refused this run; expected the same "
            f"secret and version of Spark. Compare {settings.secret_file} with the cluster's secret, and both versions."
        ) from error


def await_executor(spark: SparkSession, settings: Settings) -> None:
    """Wait for an executor; without one a query would hang silently."""
    deadline = time.monotonic() + settings.lock_wait_seconds
    context = spark.sparkContext._jsc.sc()
    while context.getExecutorMemoryStatus().size() < 2:  # the driver is one of them
        if time.monotonic() > deadline:
            spark.stop()
            raise ClusterUnavailableError(
                f"the cluster at {settings.spark['spark.master']} provided no executor within "
                f"{settings.lock_wait_seconds:g} s: its workers are gone, too small, or busy with other runs. Look at "
                "its web page; start workers, or wait for the other runs."
            )
        time.sleep(0.05)
