"""A certificate for a server on 127.0.0.1, from a certificate authority that only the test knows."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

SELF_SIGNED = ("-x509", "-days", "2")
NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True)
class Certificates:
    authority: Path  # what a client must trust
    certificate: Path
    key: Path

    @property
    def both(self) -> str:
        return self.key.read_text() + self.certificate.read_text()


def authority(folder: Path, name: str) -> Path:
    """Makes the certificate of another authority, with its key beside it."""
    place = folder / f"{name}.pem"
    _openssl("req", *SELF_SIGNED, *NEW_KEY, "-keyout", place.with_suffix(".key"), "-out", place, "-subj", f"/CN={name}")
    return place


def certificates(folder: Path) -> Certificates:
    trusted = authority(folder, "authority")
    made = Certificates(trusted, folder / "server.pem", folder / "server.key")
    request, about = folder / "server.csr", folder / "server.ext"
    about.write_text("subjectAltName=IP:127.0.0.1")
    _openssl("req", *NEW_KEY, "-keyout", made.key, "-out", request, "-subj", "/CN=127.0.0.1")
    signed_by = ("-CA", trusted, "-CAkey", trusted.with_suffix(".key"), "-CAcreateserial")
    _openssl("x509", "-req", "-in", request, *signed_by, "-days", "2", "-extfile", about, "-out", made.certificate)
    return made


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
