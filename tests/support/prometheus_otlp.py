"""A Prometheus that receives OTLP: the release that compose runs, built by Go from its pinned source; Debian's is too old.

Without its service discovery, which we do not use, it is built in a minute instead of many.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import yaml

from conf.jar_files import CACHE

ROOT = Path(__file__).resolve().parents[2]
# Prometheus 3.5.0 by the name that Go gives it.
MODULE = "github.com/prometheus/prometheus@v0.305.0"
PROGRAM = CACHE / "prometheus-v3.5.0" / "prometheus"


def program() -> Path:
    """Built once for a machine."""
    if PROGRAM.exists():
        return PROGRAM
    if not shutil.which("go"):
        pytest.skip("a Prometheus that takes OTLP is built with Go, which is missing (Debian: apt-get install golang)")
    with tempfile.TemporaryDirectory() as scratch:
        fetched = _go("mod", "download", "-json", MODULE, cwd=scratch)
        source = shutil.copytree(json.loads(fetched)["Dir"], Path(scratch) / "source")
        subprocess.run(["chmod", "-R", "u+w", source], check=True)
        (source / "plugins" / "plugins.go").write_text("package plugins\n")
        _go("build", "-o", str(Path(scratch) / "prometheus"), "./cmd/prometheus", cwd=str(source))
        PROGRAM.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(Path(scratch) / "prometheus", PROGRAM)
    return PROGRAM


def _go(*words: str, cwd: str) -> str:
    done = subprocess.run(["go", *words], cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a Prometheus that takes OTLP can't be built: {done.stderr[-300:]}")
    return done.stdout


def command(folder: Path, port: int) -> list[str]:
    """As compose starts it, but for places."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    flags = [re.sub(r"=/prometheus$", f"={folder}", flag) for flag in compose["services"]["prometheus"]["command"]]
    conf = yaml.safe_load((ROOT / "conf" / "monitoring" / "prometheus.yml").read_text())
    kept = {name: value for name, value in conf.items() if name not in ("alerting", "rule_files", "scrape_configs")}
    folder.mkdir()
    (folder / "prometheus.yml").write_text(yaml.safe_dump(kept))
    flags = [flag.replace("/etc/prometheus/prometheus.yml", str(folder / "prometheus.yml")) for flag in flags]
    return [str(program()), *flags, f"--web.listen-address=127.0.0.1:{port}"]
