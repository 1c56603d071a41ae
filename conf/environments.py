"""Build the two environments from hashed locks: `environments.py spark|dev|airflow|airflow-dev|lexicon|s3|kafka|archive ...`.

`dev` and `airflow-dev` add the test and lint tools to `spark` and `airflow`; `lexicon` adds what the demo of mentions scores
with; `s3` lets Spark reach an object store; `kafka` fetches a broker for tests; `archive` makes Spark start faster.
Standard library only, because this runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from conf.commands import call, environment, say, stop, works  # noqa: E402
from conf.jar_files import CACHE, fetch_jars, fetch_kafka, is_ready, spark_jars  # noqa: E402
from conf.prerequisites import check_java, check_python  # noqa: E402

LOCKS = ROOT / "conf" / "requirements"
SPARK_CONF = ROOT / "conf" / "spark"
WHEELS = CACHE / "wheels"
PLACES = {"spark": ROOT / ".venv", "airflow": ROOT / ".venv-airflow"}
# The tools for tests, lint and the demo of mentions, installed on top of an environment; images go without.
TOOLS_OF = {"dev": "spark", "airflow-dev": "airflow", "lexicon": "spark"}
READY_TOOLS = {"lexicon": ".ready-lexicon"}
S3_JARS = SPARK_CONF / "jars-s3.txt"
LOG_STORE_JAR = "pipeline-s3-log-store.jar"


def main(*names: str) -> None:
    check_python()
    if {"spark", "dev"} & {*names}:
        check_java()
    for name in names:
        if name == "archive":
            archive_classes(PLACES["spark"])
        elif name == "s3":
            add_s3(PLACES["spark"])
        elif name == "kafka":
            fetch_kafka(PLACES["spark"])
        elif name in TOOLS_OF:
            build(TOOLS_OF[name])
            add_tools(name, PLACES[TOOLS_OF[name]])
        else:
            build(name)


def build(name: str) -> None:
    place = PLACES[name]
    ready, current = place / ".ready", fingerprint(name)
    if is_ready(ready, current):
        return
    say(f"setting up {place.name} (a minute or two, once)")
    create(place)
    install_lock(place, name)
    # Without an index: its own dependencies and build tools are in the lock.
    call(*uv_install(place), "--offline", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    if name == "spark":
        jars = spark_jars(place)
        fetch_jars(SPARK_CONF / "jars.txt", jars, ivy=jars)
        link_spark_submit(place)
        drop_zipped_python(place)
    compile_python(place)
    ready.write_text(current)


def add_tools(name: str, place: Path) -> None:
    """Rebuilding the environment removes its `.ready-tools` too, so that the tools are installed again."""
    ready, current = place / READY_TOOLS.get(name, ".ready-tools"), fingerprint(name)
    if is_ready(ready, current):
        return
    say(f"adding the tools of {name} to {place.name}")
    install_lock(place, name)
    compile_python(place)
    ready.write_text(current)


def add_s3(place: Path) -> None:
    """Add what Spark needs for an object store. The archive holds the class path, so it must be made again."""
    ready, current = place / ".ready-s3", fingerprint("s3")
    if is_ready(ready, current):
        return
    say(f"adding the jars for object stores to {place.name}")
    jars = spark_jars(place)
    fetch_jars(S3_JARS, jars, ivy=jars)
    compiling = [place / "bin" / "python", SPARK_CONF / "compile_log_store.py", jars / LOG_STORE_JAR]
    done = subprocess.run(compiling, env=environment(), check=False, capture_output=True, text=True)
    if done.returncode:
        stop(f"Spark's log store for S3 can't be compiled:\n{done.stderr[-2000:]}")
    (place / ".archived").unlink(missing_ok=True)
    (place / "spark.jsa").unlink(missing_ok=True)
    ready.write_text(current)


def fingerprint(name: str) -> str:
    """Hash everything that the environment is made from. Tools depend on their lock alone: they are installed on top."""
    if name == "s3":
        parts = [S3_JARS, *(SPARK_CONF / part for part in ("ConditionalS3LogStore.java", "compile_log_store.py"))]
        return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()
    parts = [LOCKS / f"{name}.txt"]
    if name in TOOLS_OF:
        return hashlib.sha256(parts[0].read_bytes()).hexdigest()
    parts += [LOCKS / "uv.txt", Path(__file__), ROOT / "conf" / "jar_files.py"]
    if name == "spark":
        parts += [SPARK_CONF / part for part in ("jars.txt", "spark-submit", "warm_up.py")]
    return hashlib.sha256(b"".join([*(part.read_bytes() for part in parts), packaging()])).hexdigest()


def packaging() -> bytes:
    """Return the parts of pyproject.toml that an installation depends on; lint and test settings may change freely."""
    import tomllib  # only from Python 3.11 on

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return repr([project["project"], project["build-system"], project["tool"]["hatch"]]).encode()


def create(place: Path) -> None:
    """Make an empty environment with uv in it, from the wheels of an earlier set-up where there are any."""
    shutil.rmtree(place, ignore_errors=True)
    venv.create(place, with_pip=True)
    pip = [str(place / "bin" / "python"), "-m", "pip"]
    uv_lock = ["-q", "--require-hashes", "-r", str(LOCKS / "uv.txt")]
    from_cache = [*pip, "install", "--no-index", "--find-links", str(WHEELS), *uv_lock]
    if not works(*from_cache):
        call(*pip, "download", "--dest", str(WHEELS), *uv_lock)
        call(*from_cache)


def install_lock(place: Path, name: str) -> None:
    locked = [*uv_install(place), "--require-hashes", "-r", str(LOCKS / f"{name}.txt")]
    if not works(*locked, "--offline"):
        call(*locked)


def uv_install(place: Path) -> list[str]:
    return [str(place / "bin" / "uv"), "pip", "install", "-q", "--python", str(place / "bin" / "python")]


def link_spark_submit(place: Path) -> None:
    """Let `.venv/bin/spark-submit` find its own Spark, Python and configuration, whatever is on PATH."""
    command = place / "bin" / "spark-submit"
    command.unlink()
    command.symlink_to(SPARK_CONF / "spark-submit")


def drop_zipped_python(place: Path) -> None:
    """Remove the zipped copies of PySpark: Spark's Python workers prefer them, and compile them anew at each start."""
    for zipped in place.glob("lib/python3*/site-packages/pyspark/python/lib/*.zip"):
        zipped.unlink()


def archive_classes(place: Path) -> None:
    """Run one MERGE and keep the loaded classes in an archive, so that each later start is seconds shorter."""
    writing, ready = place / "spark.jsa.writing", place / ".archived"
    if ready.exists():
        return
    say("making Spark start faster (half a minute, once)")
    lower_priority()
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
        last_lines = Path(log.name).read_text().splitlines()[-5:]
        stop("\n".join(["Spark does not start in the new environment:", *last_lines, f"The whole log: {log.name}."]))
    if writing.exists():  # some versions of Java write no archive; Spark starts without one
        writing.replace(place / "spark.jsa")
    ready.touch()


def lower_priority() -> None:
    """Give this process and its children only idle CPU time."""
    with suppress(OSError):  # not every machine allows it
        if hasattr(os, "SCHED_IDLE"):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        else:
            os.nice(19)


def compile_python(place: Path) -> None:
    """Compile all packages except their tests: an image can't write bytecode, so each start would compile again."""
    packages = next(place.glob("lib/python3*/site-packages"))
    command = [str(place / "bin" / "python"), "-m", "compileall", "-q", "-j", "0", "-x", "/tests?/", str(packages)]
    # Some packages ship templates that are not valid Python: their failure doesn't matter.
    subprocess.run(command, env=environment(), check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main(*sys.argv[1:])
