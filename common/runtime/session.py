"""The one place that builds a Spark session."""

from __future__ import annotations

import threading
from contextlib import suppress

from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from common.runtime.cluster import authentication, await_executor, explain_rejection, is_standalone, require_reachable
from common.runtime.jvm import remember_functions
from common.runtime.object_store import spark_options
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


def open_session(settings: Settings, app: str) -> SparkSession:
    """Return this thread's session; threads need their own because commit metadata is a session option."""
    if not hasattr(_own, "session"):
        shared = shared_session(settings, app)
        first = _unclaimed.acquire(blocking=False)
        _own.session = shared if first else shared.newSession()
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
        return _started(settings, app)


def _started(settings: Settings, app: str) -> SparkSession:
    # The JVM first: otherwise PySpark puts every setting on its command line, the secret among them.
    SparkContext._ensure_initialized()
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


def _builder(settings: Settings, app: str) -> SparkSession.Builder:
    """spark-submit's options win over conf/, except spark.master, which spark-submit always sets."""
    submitted = SparkConf()
    options = {name: value for name, value in settings.spark.items() if not submitted.contains(name)}
    options["spark.master"] = settings.spark["spark.master"]
    options |= spark_options(settings.lake, settings.landing)
    builder: SparkSession.Builder = SparkSession.builder.appName(app)
    for name, value in {**options, **MEANING}.items():
        builder = builder.config(name, str(value).lower() if isinstance(value, bool) else str(value))
    return builder
