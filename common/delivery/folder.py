"""A slice as files: the rows, a manifest, and last a `_SUCCESS`, so that a reader knows when all of it is there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.delivery.slices import DeliveredSlice
from common.errors import LakeNotWritableError
from common.published.export import write_parts

SUCCESS, MANIFEST = "_SUCCESS", "manifest.json"


@dataclass(frozen=True)
class SliceFolder:
    path: Path
    keep_formulas: bool = False

    def holds(self, facts: dict[str, Any]) -> bool:
        """Whether these facts were delivered, whole."""
        try:
            stored = json.loads((self.path / MANIFEST).read_text())
        except (OSError, ValueError):
            return False
        as_told = stored.get("keep_formulas", False) == self.keep_formulas
        return as_told and (self.path / SUCCESS).exists() and facts.items() <= stored.items()

    def replace(self, chosen: DeliveredSlice, suffix: str) -> dict[str, int]:
        """While the files are replaced there is no `_SUCCESS`, so a killed delivery is not taken for a whole one."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / SUCCESS).unlink(missing_ok=True)
            rows = self._write_rows(chosen, suffix)
            for other in {".parquet", ".csv"} - {suffix}:
                (self.path / f"rows{other}").unlink(missing_ok=True)
            self._write_manifest(chosen, suffix)
            (self.path / SUCCESS).touch()
        except (OSError, LakeNotWritableError) as error:
            raise LakeNotWritableError(
                f"{self.path} can't be written: {error.__cause__ or error}. It has no {SUCCESS} until a delivery is complete; "
                "make room or choose another folder in conf, and run it again"
            ) from error
        return {"rows": rows}

    def _write_rows(self, chosen: DeliveredSlice, suffix: str) -> int:
        facts = chosen.facts
        schema = chosen.schema.with_metadata({"table": facts["source"], "version": str(facts["version"])})
        parts = ((str(chosen.value), rows) for rows in chosen.in_order())
        return write_parts(parts, self.path / f"rows{suffix}", schema, guard=not self.keep_formulas).rows

    def _write_manifest(self, chosen: DeliveredSlice, suffix: str) -> None:
        columns = {field.name: str(field.type) for field in chosen.schema}
        facts = {**chosen.facts, "keep_formulas": self.keep_formulas, "file": f"rows{suffix}", "columns": columns}
        aside = self.path / f".{MANIFEST}.tmp"
        aside.write_text(json.dumps(facts, indent=2, default=str))
        aside.replace(self.path / MANIFEST)
