"""Pages that were fetched and are not in raw yet, in a folder that only this user may read."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from common.errors import UsageError
from common.lake.storage.files import is_local, local_path
from common.sources.http.paging import Page
from common.sources.source import Period

KEPT_SECONDS = 24 * 3600


@dataclass(frozen=True)
class KeptPages:
    folder: Path

    @classmethod
    def of(cls, period: Period, request: str) -> KeptPages:
        """`request` is whatever the pages depend on, without secrets."""
        if period.raw and is_local(period.raw):
            ours = [local_path(period.raw).parents[1] / ".pages"]
        else:
            user = Path(tempfile.gettempdir()) / f"feature-pages-{os.getuid()}"
            ours = [user, user / _hash(period.raw)]
        dataset = ours[-1] / period.contract.name
        for folder in (*ours, dataset):
            _make_private(folder)
        for old in dataset.glob("*/*"):
            if time.time() - old.stat().st_mtime > KEPT_SECONDS:
                shutil.rmtree(old, ignore_errors=True)
        return cls(dataset / str(period.ds) / _hash(request))

    def get(self, url: str) -> Page | None:
        try:
            page = Page(**json.loads(self._file(url).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return page if page.url == url else None

    def put(self, page: Page) -> None:
        if not self.folder.exists():
            _make_private(self.folder.parent)
            _make_private(self.folder)
        begun = self.folder.stat().st_mtime
        with tempfile.NamedTemporaryFile("w", dir=self.folder, delete=False, encoding="utf-8") as file:
            file.write(json.dumps(asdict(page)))  # `dump` is many times slower
        Path(file.name).replace(self._file(page.url))
        # The folder is as old as its first page, because the pages belong together.
        os.utime(self.folder, (begun, begun))

    def drop(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _file(self, url: str) -> Path:
        return self.folder / f"{_hash(url)}.json"


def _make_private(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise UsageError(f"{folder}, for pages that were fetched, belongs to another user or is a link; remove it")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
