"""Starts and stops a Spark Connect server on this machine: `warm.py up|down`, or `make warm`. Its clients start no Java."""

from __future__ import annotations

import secrets
import socket
import sys
from pathlib import Path

from common.errors import PipelineError
from common.runtime.object_store import spark_options
from common.runtime.remote_session import token_file
from common.runtime.session import MEANING, as_text
from common.runtime.settings import ROOT, Settings, Warm, load_settings
from conf.spark.cluster import alone, require_free, say, write_private
from conf.spark.daemon import HERE, Daemon, archived, in_words, properties, wait

START_SECONDS = 60
CONF = "conf/local.yml"
DEFAULTS = ROOT / "conf" / "spark" / "spark-defaults.conf"
SERVER = ("--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal")
# Of its workers: a Spark Connect server reads no setting for it.
PYTHON = (("PYSPARK_PYTHON", str(ROOT / ".venv" / "bin" / "python")),)
# It runs for days: the optimising compiler pays off, if it compiles only what runs often.
JAVA_OPTIONS = (
    *("-XX:TieredStopAtLevel=4", "-XX:Tier4InvocationThreshold=20000", "-XX:Tier4MinInvocationThreshold=5000"),
    *("-XX:Tier4CompileThreshold=40000", f"-Dlog4j2.configurationFile=file:{ROOT}/conf/spark/log4j2.properties"),
)
OF_THE_SERVER = {
    "spark.connect.grpc.binding.address": HERE,
    # A killed job is noticed when its stream is to be renewed: what it has begun ends half a minute later at most.
    "spark.connect.execute.manager.detachedTimeout": "10s",
    "spark.connect.execute.manager.maintenanceInterval": "5s",
    "spark.connect.execute.reattachable.senderMaxStreamDuration": "10s",
    # Errors without a page of Java.
    "spark.sql.connect.serverStacktrace.enabled": "false",
    # Each session has workers of its own, with the code of its day; as a daemon, they would outlive it.
    "spark.python.use.daemon": "false",
}


def main(action: str) -> None:
    settings = load_settings("local")
    if settings.warm is None:
        sys.exit(f"{CONF} has no `warm`: expected it to say where a warm Spark has its folder, and its port.")
    folder = Path(settings.warm.folder)
    if action == "down" and not folder.exists():
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    server = Daemon("connect", folder, "org.apache.spark.deploy.SparkSubmit", SERVER, PYTHON)
    with alone(folder):
        if action == "up":
            up(settings, settings.warm, server)
        else:
            down(settings, server)


def up(settings: Settings, warm: Warm, server: Daemon) -> None:
    token = token_file(settings)
    assert token
    if server.pid is not None and token.exists():
        say(f"A warm Spark is running already: {advice(warm)}")
        return
    down(settings, server)
    require_free(CONF, warm.port)
    secret = secrets.token_hex(32)
    write_private(token, f"{secret}\n")
    # As a file, because arguments and environments can be listed.
    options = {**options_of(settings), "spark.connect.authenticate.token": secret}
    options["spark.connect.grpc.binding.port"] = str(warm.port)
    write_private(properties(server.folder), "".join(f"{name} {value}\n" for name, value in options.items()))
    server.start()
    in_time = wait(lambda: answers(warm.port) or server.pid is None, START_SECONDS)
    if server.pid is None or not in_time:
        down(settings, server)
        sys.exit(f"The warm Spark did not start; see {server.log}.")
    say(f"A warm Spark runs until `make warm-down`: {advice(warm)}")


def down(settings: Settings, server: Daemon) -> None:
    running = server.pid is not None
    server.end()
    if token := token_file(settings):
        token.unlink(missing_ok=True)
    if running:
        say("Ended: the warm Spark.")


def options_of(settings: Settings) -> dict[str, str]:
    """Those of a session with a JVM of its own, and the server's."""
    lines = (line.split(None, 1) for line in DEFAULTS.read_text().splitlines() if line.strip() and line[0] != "#")
    defaults = {name: value.strip() for name, value in lines}
    java = in_words(*JAVA_OPTIONS, *archived())
    stored = spark_options(settings.lake, settings.landing)
    options = {**settings.spark, **stored, **MEANING, **OF_THE_SERVER, "spark.driver.extraJavaOptions": java}
    return defaults | as_text(options)


def answers(port: int) -> bool:
    try:
        socket.create_connection((HERE, port), 1).close()
    except OSError:
        return False
    return True


def advice(warm: Warm) -> str:
    return f"export SPARK_REMOTE=sc://localhost:{warm.port}"


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except PipelineError as error:
        sys.exit(str(error))
