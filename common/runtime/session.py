"""The one place that builds a Spark session."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pyspark import SparkContext
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from common.errors import PipelineError
from common.runtime.cluster import authentication, await_executor, explain_rejection, is_standalone, require_reachable
from common.runtime.jvm import remember_functions
from common.runtime.object_store import spark_options
from common.runtime.remote_session import open_remote
from common.runtime.session_kind import is_remote, is_submitted
from common.runtime.settings import Settings

# What a job's result depends on, and so the same everywhere; the rest is in conf/<env>.yml.
MEANING = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    # Java's case mappings: the other library takes half a second to load.
    "spark.sql.icu.caseMappings.enabled": "false",
    "spark.databricks.delta.retentionDurationCheck.enabled": "true",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}


_own = threading.local()
_starting = threading.Lock()
# The first thread to ask takes the session that Spark started with.
_unclaimed = threading.Lock()
_first_remote: list[SparkSession] = []


def open_session(settings: Settings, app: str) -> SparkSession:
    """Return this thread's session; threads need their own because commit metadata is a session option."""
    if not hasattr(_own, "session"):
        shared = shared_session(settings, app)
        first = _unclaimed.acquire(blocking=False)
        _own.session = shared if first else _another(shared, settings)
    session: SparkSession = _own.session
    return session


def begin_session(settings: Settings, app: str) -> None:
    """Start Spark in the background, unless this thread has its session; open_session waits for it."""
    if hasattr(_own, "session"):
        return

    def begin() -> None:
        with suppress(Exception):  # open_session raises it again
            shared_session(settings, app)

    threading.Thread(target=begin, daemon=True).start()


def shared_session(settings: Settings, app: str) -> SparkSession:
    with _starting:
        return _remote(settings) if is_remote() else _started(settings, app)


def _remote(settings: Settings) -> SparkSession:
    if not _first_remote:
        _first_remote.append(open_remote(settings, _options(settings)))
    return _first_remote[0]


def _another(shared: SparkSession, settings: Settings) -> SparkSession:
    return open_remote(settings, _options(settings)) if is_remote() else shared.newSession()


def _started(settings: Settings, app: str) -> SparkSession:
    _start_java()
    remember_functions(SparkContext._jvm)
    if not is_standalone(settings):
        return _builder(settings, app).getOrCreate()
    require_reachable(settings)
    builder = _builder(settings, app)
    for name, value in authentication(settings).items():
        builder = builder.config(name, value)
    with explain_rejection(settings):
        session = builder.getOrCreate()
    await_executor(session, settings)
    return session


def _start_java() -> None:
    """Before the session: otherwise PySpark puts every setting on its command line, the secret among them."""
    try:
        SparkContext._ensure_initialized()
    except PySparkRuntimeError as error:
        if error.getCondition() != "JAVA_GATEWAY_EXITED":
            raise
        raise PipelineError(
            "Java did not start; what it said stands above. Expected Java 17 on PATH, or in the folder that JAVA_HOME names, and "
            "options of spark-submit that it knows. Nothing was touched"
        ) from None


def _builder(settings: Settings, app: str) -> SparkSession.Builder:
    """spark.master is conf's, as spark-submit always sets it."""
    options = _options(settings) | {"spark.master": str(settings.spark["spark.master"])}
    return SparkSession.builder.appName(app).config(map=options)


def _options(settings: Settings) -> dict[str, Any]:
    """spark-submit's options win over conf/."""
    options = {name: value for name, value in settings.spark.items() if not is_submitted(name)}
    return as_text({**options, **spark_options(settings.lake, settings.landing), **MEANING})


def as_text(options: Mapping[str, Any]) -> dict[str, str]:
    """Settings as Spark writes them."""
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in options.items()}
