"""What differs between a session with a JVM of its own and one of a Spark Connect server; nothing else asks which one it is."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

from common.errors import UsageError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# Spark's own variable: the address of a Spark Connect server.
REMOTE = "SPARK_REMOTE"
# Those of PySpark for options that were typed for spark-submit.
OPTIONS = {"PYSPARK_REMOTE_INIT_CONF_LEN": "1", "PYSPARK_REMOTE_INIT_CONF_0": "{}"}
PARALLELISM = "spark.default.parallelism"
# Leaves of a plan that hold no data.
NO_DATA = ("OneRowRelation", "Range")


def is_remote() -> bool:
    return bool(os.environ.get(REMOTE))


def remember_submitted(options: dict[str, str]) -> None:
    """What spark-submit's JVM does for a session of its own."""
    os.environ |= {**OPTIONS, "PYSPARK_REMOTE_INIT_CONF_0": json.dumps(options)}


def is_submitted(name: str) -> bool:
    """Whether it stands in spark-submit's options, which win over conf/."""
    if is_remote():
        return name in _remembered()
    from pyspark import SparkConf

    return bool(SparkConf().contains(name))


def _remembered() -> dict[str, str]:
    return dict(json.loads(os.environ.get("PYSPARK_REMOTE_INIT_CONF_0", "{}")))


def parallelism(session: SparkSession) -> int:
    """How many tasks run at a time, unless conf says another number."""
    if not is_remote():
        return session.sparkContext.defaultParallelism
    return int(_remembered().get(PARALLELISM) or session.conf.get(PARALLELISM, "2") or 2)


def runs_here(session: SparkSession) -> bool:
    """Whether tasks run on this machine and find its files; of a server, nobody knows."""
    return not is_remote() and str(session.sparkContext.master).startswith("local")


def checkpointed(rows: DataFrame) -> DataFrame:
    """The rows, computed once; what they observe is known then."""
    if not is_remote():
        return rows.localCheckpoint()
    from pyspark.sql.connect import plan

    # PySpark's own localCheckpoint forgets what was observed.
    remote: Any = rows
    client = remote.sparkSession.client
    command = plan.Checkpoint(child=remote._plan, local=True, eager=True).command(client)
    _, properties, _ = client.execute_command(command, remote._plan.observations)
    result: DataFrame = properties["checkpoint_command_result"]
    return result


def analyse(rows: DataFrame) -> None:
    """Raise what is wrong with the plan: a server does not look at it before it is asked."""
    if is_remote():
        _ = rows.schema


def java(session: SparkSession) -> Any:
    """The JVM of the session."""
    if is_remote():
        raise UsageError(
            "this is done through the Java of a session of its own, and a Spark Connect server shares none: run the same "
            f"command without {REMOTE}"
        )
    return session._jvm


def foreign_relation(returned: DataFrame, given: DataFrame) -> str:
    """The relation that the returned rows are read from besides the given ones; empty if there is none."""
    if is_remote():
        from common.runtime import sent_plan

        return sent_plan.foreign_relation(returned, given)
    return _foreign_leaf(returned, given)


def _foreign_leaf(returned: DataFrame, given: DataFrame) -> str:
    known = {_identity(leaf) for leaf in _leaves(given)}
    others = [leaf for leaf in _leaves(returned) if leaf.nodeName() not in NO_DATA and _identity(leaf) not in known]
    return re.sub(r"#\d+L?", "", others[0].simpleString(10)) if others else ""


def _leaves(rows: DataFrame) -> list[Any]:
    """The relations of the analysed plan and of its subqueries."""
    plan = rows._jdf.queryExecution().analyzed()
    subqueries = plan.subqueriesAll()
    found = [each.collectLeaves() for each in (plan, *[subqueries.apply(place) for place in range(subqueries.size())])]
    return [leaves.apply(place) for leaves in found for place in range(leaves.size())]


def _identity(leaf: Any) -> int | str:
    """Equal for both sides of a self-join, where Spark gives the columns new ids."""
    # The semantic hash of an RDD's relation keeps those ids.
    return f"rdd {leaf.rdd().id()}" if leaf.nodeName() == "LogicalRDD" else int(leaf.semanticHash())
