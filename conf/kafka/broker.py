"""A Kafka broker on this machine, in KRaft mode, from the jars that `make setup-kafka` fetches: for tests and the demo."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conf.jar_files import KAFKA_JARS
from conf.prerequisites import java

# One broker, which is also its controller. INSIDE is for itself, LOGIN for those who name themselves.
PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},LOGIN://127.0.0.1:{login},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,LOGIN:{login_protocol},CONTROLLER:PLAINTEXT
listener.name.login.sasl.enabled.mechanisms=PLAIN
listener.name.login.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_ours="hu;sh";
log.dirs={folder}/logs
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
auto.create.topics.enable=false
log.cleaner.enable=false
log.retention.ms=-1
"""
ENCRYPTED = """
listener.name.login.ssl.keystore.type=PEM
listener.name.login.ssl.keystore.location={certificate}
"""
ID = "MkU3OEVBNTcwNTJENDM2Qk"
SMALL = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class NoBrokerError(Exception):
    """The jars are not there."""


@contextmanager
def kafka(certificate: Path | None = None) -> Iterator[tuple[str, str]]:
    """Starts a broker; yields its address, and the one that asks for the login ours with the password hu;sh.

    With a certificate and its key in one file, logins are encrypted.
    """
    if not KAFKA_JARS.is_dir():
        raise NoBrokerError("Kafka's server is not here (make setup-kafka)")
    folder = Path(tempfile.mkdtemp(prefix="kafka-"))
    plain, login, controller = _free_ports(3)
    properties = folder / "server.properties"
    ports = {"plain": plain, "login": login, "controller": controller}
    login_protocol = "SASL_SSL" if certificate else "SASL_PLAINTEXT"
    encrypted = ENCRYPTED.format(certificate=certificate) if certificate else ""
    properties.write_text(PROPERTIES.format(folder=folder, login_protocol=login_protocol, **ports) + encrypted)
    run = [java(), *SMALL, "-cp", f"{KAFKA_JARS}/*"]
    try:
        prepared = [*run, "kafka.tools.StorageTool", "format", "-t", ID, "-c", str(properties)]
        subprocess.run(prepared, check=True, capture_output=True)
        with (
            (folder / "log").open("w") as log,
            subprocess.Popen([*run, "kafka.Kafka", str(properties)], stdout=log, stderr=log) as server,
        ):
            try:
                _until_ready(plain, server, folder / "log")
                yield f"127.0.0.1:{plain}", f"127.0.0.1:{login}"
            finally:
                server.kill()  # its data go with it
                server.wait(20)
    finally:
        shutil.rmtree(folder)


def _free_ports(number: int) -> list[int]:
    opened = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in opened]
    for each in opened:
        each.close()
    return ports


def _until_ready(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    """It listens last of all."""
    deadline = time.monotonic() + 60
    while True:
        assert server.poll() is None and time.monotonic() < deadline, f"Kafka did not start: {log.read_text()[-2000:]}"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return


if __name__ == "__main__":
    try:
        with kafka() as (address, _):
            print(address, flush=True)
            sys.stdin.read()  # until whoever started it goes
    except NoBrokerError as error:
        sys.exit(str(error))
