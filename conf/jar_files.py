"""Jars from Maven, each with the SHA-256 that is pinned for it. Standard library only."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import quoteattr

from conf.commands import call, say, stop
from conf.prerequisites import java

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "feature-pipeline"
# A broker for tests, and what its jars must be.
KAFKA_JARS = CACHE / "kafka"
KAFKA_PINS = ROOT / "tests" / "support" / "kafka_jars.txt"


def is_ready(ready: Path, current: str) -> bool:
    return ready.exists() and ready.read_text() == current


def spark_jars(place: Path) -> Path:
    return next(place.glob("lib/python3*/site-packages/pyspark")) / "jars"


def fetch_kafka(place: Path) -> None:
    """Fetch all jars into a folder that appears only when it is complete."""
    fetched = hashlib.sha256(KAFKA_PINS.read_bytes()).hexdigest()
    if is_ready(KAFKA_JARS / ".ready", fetched):
        return
    say("fetching Kafka's server for tests (46 MB, once)")
    KAFKA_JARS.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=KAFKA_JARS.parent) as scratch:
        jars = Path(scratch) / "jars"
        jars.mkdir()
        fetch_jars(KAFKA_PINS, jars, ivy=spark_jars(place))
        (jars / ".ready").write_text(fetched)
        shutil.rmtree(KAFKA_JARS, ignore_errors=True)
        jars.rename(KAFKA_JARS)


def fetch_jars(pins: Path, into: Path, ivy: Path) -> None:
    """Fetch jars with the Ivy that Spark ships, and check the SHA-256 of each."""
    checksums = dict(line.split() for line in pins.read_text().splitlines() if line[:1] not in ("", "#"))
    with tempfile.TemporaryDirectory() as scratch:
        module = Path(scratch) / "ivy.xml"
        module.write_text(ivy_module(checksums))
        pattern = str(Path(scratch) / "[artifact]-[revision].[ext]")
        asked = ["-warn", "-ivy", str(module), "-types", "jar", "bundle", "-retrieve", pattern]
        call(java(), "-cp", f"{ivy}/*", "org.apache.ivy.Main", *asked)
        for coordinates, expected in checksums.items():
            _, artifact, version = coordinates.split(":")
            jar = Path(scratch) / f"{artifact}-{version}.jar"
            actual = hashlib.sha256(jar.read_bytes()).hexdigest()
            if actual != expected:
                stop(f"{jar.name}: SHA-256 {actual} found, {expected} expected ({pins.name}). Not installed.")
            shutil.copy(jar, into)


def ivy_module(coordinates: Iterable[str]) -> str:
    dependencies = ""
    for jar in coordinates:
        organisation, name, version = (quoteattr(part) for part in jar.split(":"))
        dependencies += (
            f'<dependency org={organisation} name={name} rev={version} transitive="false" conf="default->default"/>'
        )
    return (
        '<ivy-module version="2.0"><info organisation="local" module="jars"/>'
        f'<configurations><conf name="default"/></configurations><dependencies>{dependencies}</dependencies></ivy-module>'
    )
