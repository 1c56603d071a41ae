"""The JVM beside this process: its signals and messages, the classes that PySpark calls most, and calls explained."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

Answer = TypeVar("Answer")


def ask_java(question: Callable[[], Answer], explained: Callable[[Any], Exception]) -> Answer:
    """The answer of a Java client; an exception of Java is raised as what `explained` makes of it."""
    from py4j.protocol import Py4JJavaError

    try:
        return question()
    except Py4JJavaError as error:
        raise explained(error.java_exception) from None


def java_properties(jvm: Any, properties: Mapping[str, str]) -> Any:
    made = jvm.java.util.Properties()
    for name, value in properties.items():
        made.setProperty(name, value)
    return made


# As PySpark names them; the first two are one class, and so are the next two. A name without its package is sought in every jar.
CLASSES = (
    "functions",
    "org.apache.spark.sql.functions",
    "PythonSQLUtils",
    "org.apache.spark.sql.api.python.PythonSQLUtils",
    "PythonUtils",
    "PythonRDD",
    "SerDeUtil",
    "SparkConf",
    "org.apache.spark.sql.Observation",
    "org.apache.spark.sql.classic.SparkSession",
    "org.apache.spark.sql.expressions.Window",
)


def leave_interrupts_to_python() -> None:
    """Ctrl-C reaches spark-submit's JVM as well; if it ended first, every call to it would fail with a trace."""
    gateway = _gateway()
    if gateway:
        signals = gateway.jvm.sun.misc
        signals.Signal.handle(signals.Signal("INT"), signals.SignalHandler.SIG_IGN)


def silence() -> None:
    """Its tasks are about to be cut off, and each would log a trace."""
    with suppress(Exception):  # it may have ended already
        gateway = _gateway()
        if gateway:
            log4j = gateway.jvm.org.apache.logging.log4j
            log4j.core.config.Configurator.setAllLevels("", log4j.Level.OFF)


def remember_functions(jvm: Any) -> None:
    """Look up each function once: PySpark asks the JVM for the class and its member again for every part of a column."""
    from py4j.java_gateway import JavaClass, JavaMember

    class Remembering(JavaClass):  # type: ignore[misc]
        def __getattr__(self, name: str) -> Any:
            member = super().__getattr__(name)
            if isinstance(member, JavaMember):
                setattr(self, name, member)
            return member

    for name in CLASSES:
        if name not in vars(jvm):
            found = getattr(jvm, name)
            setattr(jvm, name, Remembering(found._fqn, found._gateway_client))


def _gateway() -> Any:
    """That of spark-submit, or the one that PySpark started; None if there is none."""
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        from pyspark.java_gateway import launch_gateway

        return launch_gateway()  # type: ignore[no-untyped-call]
    pyspark = sys.modules.get("pyspark")
    return pyspark.SparkContext._gateway if pyspark else None
