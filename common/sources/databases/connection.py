"""A connection of the driver's own to a database, through the JDBC driver that Spark reads with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from common.errors import PipelineError, SourceUnreachableError, UsageError
from common.runtime.jvm import Answer, ask_java, java_properties
from common.runtime.session_kind import java
from common.sources.databases.dialects import Address, DatabaseColumn

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

REPEATABLE_READ = 4  # java.sql.Connection.TRANSACTION_REPEATABLE_READ
# SQL states by their first letters, and MySQL's codes, which share the state 42000.
LOGIN = ("28", "3D", "1044", "1045", "1049")
UNREACHABLE = ("08", "57P", "53", "1040", "1053")
DECLARED_WRONG = ("42", "3F")
# In the driver's words: its SQL state is that of a server that can't be reached.
ENCRYPTION = ("PKIX", "certificate", "could not be verified", "does not support SSL")


class JdbcConnection:
    """One read-only transaction."""

    def __init__(self, spark: SparkSession, address: Address) -> None:
        self.address = address
        jvm = java(spark)
        properties = java_properties(jvm, address.properties)
        driver = jvm
        for part in address.engine.driver.split("."):
            driver = getattr(driver, part)
        self._java = self._asked(lambda: driver().connect(address.url, properties))
        self._asked(self._begin)

    def _begin(self) -> None:
        self._java.setReadOnly(True)
        self._java.setAutoCommit(False)
        self._java.setTransactionIsolation(REPEATABLE_READ)
        for statement in self.address.engine.session:
            self._java.createStatement().execute(statement)

    def row(self, sql: str) -> list[str | None]:
        """The first row, as text."""

        def ask() -> list[str | None]:
            found = self._java.createStatement().executeQuery(sql)
            found.next()
            return [found.getString(number + 1) for number in range(found.getMetaData().getColumnCount())]

        return self._asked(ask)

    def columns(self, table: str) -> list[DatabaseColumn]:
        def ask() -> list[DatabaseColumn]:
            about = self._java.createStatement().executeQuery(f"SELECT * FROM {table} WHERE 1 = 0").getMetaData()  # noqa: S608
            return [
                DatabaseColumn(
                    about.getColumnName(number), about.getColumnTypeName(number).lower(), about.getColumnType(number)
                )
                for number in range(1, about.getColumnCount() + 1)
            ]

        return self._asked(ask)

    def close(self) -> None:
        self._asked(self._java.close)

    def _asked(self, question: Callable[[], Answer]) -> Answer:
        return ask_java(question, self._explained)

    def _explained(self, error: Any) -> PipelineError:
        if not hasattr(error, "getSQLState"):
            return PipelineError(f"{self.address.place}: {error.getMessage()}")
        return explained(self.address, error.getSQLState() or "", error.getErrorCode(), error.getMessage())


def explained(address: Address, state: str, code: int, message: str) -> PipelineError:
    """The error of a database, with what to do about it."""
    signs, said = (state, str(code)), " ".join(message.split())

    def shows(known: tuple[str, ...]) -> bool:
        return any(sign.startswith(known) for sign in signs)

    if any(sign in said for sign in ENCRYPTION):
        return UsageError(
            f"{address.place} is not reached by an encrypted connection that can be trusted: {said}. Add what the driver needs "
            f"to {address.variable}, such as {address.engine.trust}."
        )
    if shows(LOGIN):
        return UsageError(
            f"{address.place} refuses the login: {said}. Correct {address.variable}, or the file it names."
        )
    if shows(UNREACHABLE):
        return SourceUnreachableError(f"{address.place} can't be reached: {said}. Nothing was read; run again later.")
    if shows(DECLARED_WRONG):
        return UsageError(
            f"{address.place} can't answer: {said}. Correct the source in the contract, or the user's rights."
        )
    return PipelineError(f"{address.place} failed: {said}")
