"""Builds the two environments, each from its hashed lock: `environments.py spark|airflow`; `spark archive` starts quicker.

Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from contextlib import suppress
from pathlib import Path
from xml.sax.saxutils import quoteattr

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "conf" / "requirements"
SPARK_CONF = ROOT / "conf" / "spark"
WHEELS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "feature-pipeline" / "wheels"
PLACES = {"spark": ROOT / ".venv", "airflow": ROOT / ".venv-airflow"}
PYTHON = (3, 11)
JAVA = 17


def main(*names: str) -> None:
    check_python()
    if "spark" in names:
        check_java()
    for name in names:
        if name == "archive":
            archive_classes(PLACES["spark"])
        else:
            build(name, PLACES[name])


def build(name: str, place: Path) -> None:
    ready = place / ".ready"
    wanted = fingerprint(name)
    if ready.exists() and ready.read_text() == wanted:
        return
    say(f"setting up {place.name} (a minute or two, once)")
    install(place, LOCKS / f"{name}.txt")
    if name == "spark":
        install_jars(next(place.glob("lib/python3*/site-packages/pyspark")) / "jars")
        link_spark_submit(place)
        drop_zipped_python(place)
    compile_python(place)
    ready.write_text(wanted)


def fingerprint(name: str) -> str:
    parts = [LOCKS / "uv.txt", LOCKS / f"{name}.txt", Path(__file__)]
    if name == "spark":
        parts += [SPARK_CONF / part for part in ("jars.txt", "spark-submit", "warm_up.py")]
    return hashlib.sha256(b"".join([*(part.read_bytes() for part in parts), packaging()])).hexdigest()


def packaging() -> bytes:
    """What of pyproject.toml is installed; how the code is checked may change without a new environment."""
    import tomllib  # not in the Pythons that are too old

    said = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return repr([said["project"], said["build-system"], said["tool"]["hatch"]]).encode()


def check_python() -> None:
    if sys.version_info[:2] != PYTHON:
        found = ".".join(map(str, sys.version_info[:3]))
        stop(
            f"Python {found} found, Python 3.11 needed: install it (Debian: apt-get install python3.11 python3.11-venv)."
        )
    try:
        import ensurepip  # noqa: F401  (Debian ships it apart)
    except ImportError:
        stop("Python's venv module is missing: install it (Debian: apt-get install python3.11-venv).")


def check_java() -> None:
    advice = (
        f"Java {JAVA} is needed: install it (Debian: apt-get install openjdk-17-jre-headless) or point JAVA_HOME to it."
    )
    try:
        shown = subprocess.run([java(), "-version"], capture_output=True, text=True, check=True).stderr
    except (OSError, subprocess.CalledProcessError):
        stop(f"No working Java found. {advice}")
    found = re.search(r'version "(\d+)', shown)
    if not found or int(found[1]) < JAVA:
        stop(f"Java {found[1] if found else '?'} found. {advice}")


def java() -> str:
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / "java") if home else "java"


def install(place: Path, lock: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    venv.create(place, with_pip=True)
    python = str(place / "bin" / "python")
    pip, uv_lock = [python, "-m", "pip"], ["-q", "--require-hashes", "-r", str(LOCKS / "uv.txt")]
    from_cache = [*pip, "install", "--no-index", "--find-links", str(WHEELS), *uv_lock]
    if not works(*from_cache):
        call(*pip, "download", "--dest", str(WHEELS), *uv_lock)
        call(*from_cache)
    uv = [str(place / "bin" / "uv"), "pip", "install", "-q", "--python", python]
    locked = [*uv, "--require-hashes", "-r", str(lock)]
    if not works(*locked, "--offline"):
        call(*locked)
    call(*uv, "--offline", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))


def install_jars(jars: Path) -> None:
    """Fetches Delta's jars with the Ivy that Spark ships, and checks each against its SHA-256."""
    wanted = dict(
        line.split() for line in (SPARK_CONF / "jars.txt").read_text().splitlines() if line[:1] not in ("", "#")
    )
    with tempfile.TemporaryDirectory() as scratch:
        ivy = Path(scratch) / "ivy.xml"
        ivy.write_text(ivy_module(wanted))
        pattern = str(Path(scratch) / "[artifact]-[revision].[ext]")
        call(
            java(),
            "-cp",
            f"{jars}/*",
            "org.apache.ivy.Main",
            "-warn",
            "-ivy",
            str(ivy),
            "-types",
            "jar",
            "-retrieve",
            pattern,
        )
        for coordinates, expected in wanted.items():
            _, artifact, version = coordinates.split(":")
            jar = Path(scratch) / f"{artifact}-{version}.jar"
            found = hashlib.sha256(jar.read_bytes()).hexdigest()
            if found != expected:
                stop(f"{jar.name}: SHA-256 {found} found, {expected} expected (conf/spark/jars.txt). Not installed.")
            shutil.copy(jar, jars)


def ivy_module(wanted: dict[str, str]) -> str:
    dependencies = ""
    for coordinates in wanted:
        organisation, name, version = (quoteattr(part) for part in coordinates.split(":"))
        dependencies += (
            f'<dependency org={organisation} name={name} rev={version} transitive="false" conf="default->default"/>'
        )
    return (
        '<ivy-module version="2.0"><info organisation="local" module="jars"/>'
        f'<configurations><conf name="default"/></configurations><dependencies>{dependencies}</dependencies></ivy-module>'
    )


def link_spark_submit(place: Path) -> None:
    """Lets `.venv/bin/spark-submit` find its own Spark, Python and configuration, whatever is on PATH."""
    command = place / "bin" / "spark-submit"
    command.unlink()
    command.symlink_to(SPARK_CONF / "spark-submit")


def drop_zipped_python(place: Path) -> None:
    """Spark lets each Python that it starts read these rather than what is installed, and compile them anew each time."""
    for zipped in place.glob("lib/python3*/site-packages/pyspark/python/lib/*.zip"):
        zipped.unlink()


def archive_classes(place: Path) -> None:
    """Runs one MERGE and keeps the loaded classes in an archive: each later start is seconds shorter."""
    writing, ready = place / "spark.jsa.writing", place / ".archived"
    if ready.exists():
        return
    say("letting Spark start quicker (half a minute, once)")
    give_way()
    with tempfile.TemporaryDirectory() as scratch, (place / "archive.log").open("w") as log:
        done = subprocess.run(
            [place / "bin" / "spark-submit", SPARK_CONF / "warm_up.py", scratch],
            env={
                **environment(),
                "SPARK_SUBMIT_OPTS": f"-XX:ArchiveClassesAtExit={writing} -Xlog:cds=off -Xlog:cds+dynamic=off",
            },
            stdout=log,
            stderr=log,
            check=False,
        )
    if done.returncode:
        said = Path(log.name).read_text().splitlines()[-5:]
        stop("\n".join(["Spark does not start in the new environment:", *said, f"The whole of it: {log.name}."]))
    if writing.exists():  # a Java that keeps no archive starts Spark all the same
        writing.replace(place / "spark.jsa")
    ready.touch()


def give_way() -> None:
    """From here on this process and what it starts have only what nobody else wants of the machine."""
    with suppress(OSError):  # a machine that does not allow it only does it less politely
        if hasattr(os, "SCHED_IDLE"):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        else:
            os.nice(19)


def compile_python(place: Path) -> None:
    """All but the packages' own tests: where Python writes no bytecode, as in most images, each start would do it again."""
    packages = next(place.glob("lib/python3*/site-packages"))
    command = [str(place / "bin" / "python"), "-m", "compileall", "-q", "-j", "0", "-x", "/tests?/", str(packages)]
    # A template that is no Python at all is no failure.
    subprocess.run(command, env=environment(), check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}


def works(*command: str) -> bool:
    """Whether it can be done with what earlier set-ups have left in the caches of this user: then no network is needed."""
    return not subprocess.run(command, env=environment(), check=False, capture_output=True).returncode


def call(*command: str) -> None:
    done = subprocess.run(command, env=environment(), check=False)
    if done.returncode:
        stop(f"set-up failed in: {' '.join(command[:4])} …")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def stop(text: str) -> None:
    sys.exit(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
