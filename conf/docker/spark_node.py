"""Runs one node of the stack's cluster in the foreground: `spark_node.py master` or `spark_node.py worker MASTER`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from conf.spark.cluster import DAEMONS, write_private
from conf.spark.daemon import spark_home

HOME = Path.home()
MAIN = "org.apache.spark.deploy.{0}.{1}"
ARGUMENTS = {
    "master": ("--host", "spark-master", "--port", "7077", "--webui-port", "8080"),
    "worker": ("--webui-port", "8081", "--work-dir", str(HOME / "work")),
}


def main(kind: str, *master: str) -> None:
    secret = os.environ.pop("SPARK_SECRET", "")
    if not secret:
        sys.exit("SPARK_SECRET is not set; expected the secret of the cluster. Start the stack with `make up`.")
    recovery, properties = HOME / "recovery", HOME / "daemons.conf"
    recovery.mkdir(exist_ok=True)
    options = {**DAEMONS, "spark.deploy.recoveryDirectory": recovery, "spark.authenticate.secret": secret}
    write_private(properties, "".join(f"{name} {value}\n" for name, value in options.items()))
    os.environ |= {"SPARK_HOME": str(spark_home()), "SPARK_DAEMON_MEMORY": "512m"}
    command = [
        str(spark_home() / "bin" / "spark-class"),
        MAIN.format(kind, kind.title()),
        "--properties-file",
        str(properties),
    ]
    os.execv(command[0], [*command, *ARGUMENTS[kind], *master])  # noqa: S606  (no shell is wanted)


if __name__ == "__main__":
    main(*sys.argv[1:])
