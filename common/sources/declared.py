"""The sources that a contract may declare besides Files, with the notes that reference.md shows about their fields."""

from __future__ import annotations

from typing import Any

from common.contracts.field_notes import Notes

SOURCES: dict[str, type[Any]] = {}
NOTES: Notes = {}
