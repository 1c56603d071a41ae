"""Writes `.env` with the stack's secrets at its first start: `first_start.py COMPOSE-COMMAND`.

Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import base64
import os
import secrets
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FILE = ROOT / ".env"
PROJECT = "feature-pipeline"


def main(compose: str) -> None:
    if FILE.exists():
        FILE.chmod(0o600)
        require_complete(FILE.read_text())
        return
    require_no_volume(Path(shlex.split(compose)[0]).name.removesuffix("-compose"))
    descriptor = os.open(FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(
            "# The secrets of the compose stack, made at its first start. Keep them: the database has them too.\n"
        )
        file.writelines(f"{name}={value}\n" for name, value in new_secrets().items())
    print("made .env: the secrets of the stack, readable by this user only", file=sys.stderr)


def new_secrets() -> dict[str, str]:
    names = ["POSTGRES_PASSWORD", "AIRFLOW_ADMIN_PASSWORD", "AIRFLOW_JWT_SECRET", "AIRFLOW_API_SECRET", "SPARK_SECRET"]
    names += ["SOURCES_PASSWORD", "OBJECT_STORE_SECRET"]
    fernet = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return {name: secrets.token_hex(32) for name in names} | {"AIRFLOW_FERNET_KEY": fernet}


def require_complete(env_file: str) -> None:
    """Exits if `.env` lacks a secret that this version needs."""
    names = {line.split("=")[0] for line in env_file.splitlines()}
    if missing := [name for name in new_secrets() if name not in names]:
        sys.exit(
            f".env lacks {', '.join(missing)}: add a line NAME=VALUE for each. A value: "
            "python3 -c 'import secrets; print(secrets.token_hex(32))'"
        )


def require_no_volume(engine: str) -> None:
    """Refuses to write new secrets beside the volume of an earlier start: its database has the old password."""
    volume = f"{os.environ.get('COMPOSE_PROJECT_NAME', PROJECT)}_postgres"
    try:
        listing = subprocess.run(
            [engine, "volume", "ls", "--quiet", "--filter", f"name={volume}"],
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError:
        sys.exit(
            f"No {engine} found. Install Docker with its compose plugin, or name another: make up COMPOSE=podman-compose"
        )
    except subprocess.CalledProcessError as error:
        sys.exit(f"{engine} does not work: {error.stderr.strip()}")
    if volume in listing.stdout.split():
        sys.exit(
            f"Found the volume {volume} of an earlier start; expected the .env that was made with it. "
            f"Put that .env back; or give up Airflow's history: {engine} volume rm {volume}"
        )


if __name__ == "__main__":
    main(sys.argv[1])
