"""Completion of `features` in a shell: `eval "$(.venv/bin/register-python-argcomplete features)"` switches it on."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable

from common.errors import PipelineError
from common.lake.pins import pins
from common.published.catalog import Lake
from common.reader.places import lake_uri


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer and exit, if the shell asks for completions."""
    if "_ARGCOMPLETE" not in os.environ:
        return
    import argcomplete

    argcomplete.autocomplete(parser, default_completer=_known)  # type: ignore[arg-type]


def _known(action: argparse.Action, parsed_args: argparse.Namespace, **_: object) -> Iterable[str]:
    """The tables or pins of the lake; nothing where there is no lake to look into."""
    try:
        lake = lake_uri(getattr(parsed_args, "lake", None))
        if action.dest == "table":
            return Lake(lake).tables()
        return [pin.name for pin in pins(lake)] if action.dest in ("pin", "name") else []
    except PipelineError:
        return []
