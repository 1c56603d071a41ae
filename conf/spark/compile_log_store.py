"""Compile ConditionalS3LogStore.java into the jar that is named, with the compiler that Spark ships: images have no JDK."""

import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from pyspark.java_gateway import launch_gateway

SOURCE = Path(__file__).with_name("ConditionalS3LogStore.java")


def compile_to(jar: Path) -> None:
    gateway: Any = launch_gateway()  # type: ignore[no-untyped-call]
    try:
        with tempfile.TemporaryDirectory() as classes:
            files = gateway.new_array(gateway.jvm.java.io.File, 1)
            files[0] = gateway.jvm.java.io.File(str(SOURCE))
            compiler = gateway.jvm.org.codehaus.janino.CompilerFactory().newCompiler()
            compiler.setDestinationDirectory(gateway.jvm.java.io.File(classes), False)
            compiler.compile(files)
            with zipfile.ZipFile(jar, "w") as packed:
                for found in sorted(Path(classes).rglob("*.class")):
                    packed.write(found, found.relative_to(classes))
    finally:
        gateway.shutdown()


if __name__ == "__main__":
    compile_to(Path(sys.argv[1]))
