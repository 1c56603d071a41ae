"""What every command line has: a version, help with exit codes and an example, and advice on a mistyped word."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from common.errors import EXIT_CODES, UsageError
from common.names import did_you_mean
from common.printable import is_text

PACKAGE = "feature-pipeline"


class CommandLine(argparse.ArgumentParser):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, "formatter_class": argparse.RawDescriptionHelpFormatter, **options})

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}{'' if message.endswith('?') else ';'} see --help")

    def with_help(self, *examples: str) -> None:
        """Add --version, and to --help the exit codes and the examples."""
        codes = "\n".join(f"  {code:<4}{meaning}" for code, meaning in EXIT_CODES.items())
        shown = "\n".join(f"  {example}" for example in examples)
        self.epilog = f"exit codes:\n{codes}\n\nfor example:\n{shown}"
        unset = argparse.SUPPRESS
        self.add_argument(
            "--version", action=_ShowVersion, nargs=0, dest=unset, default=unset, help="show the version and exit"
        )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        words = sys.argv[1:] if args is None else list(args)
        for word in words:
            if not is_text(word):
                self.error(
                    f"{word!r} holds bytes that are not UTF-8, and may name something else; rename it, or type it again"
                )
            if word.startswith("--") and word.endswith("=--"):  # argparse takes the value for the end of options
                self.error(f"{word.removesuffix('=--')} is given --, which is not a value")
        if not self._subparsers:
            self._require_known_options(words)
        return super().parse_known_args(words, namespace)

    def _require_known_options(self, args: Sequence[str]) -> None:
        """Runs before argparse reports a missing option, which is often the same one spelled right."""
        known = self._option_string_actions
        options = [word.partition("=")[0] for word in args[: args.index("--") if "--" in args else None]]
        for option in options:
            if option.startswith("--") and option not in known:
                self.error(f"{option} is not an option of this command{did_you_mean(option, known)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            advice = did_you_mean(str(value), known)
            raise argparse.ArgumentError(action, f"{value!r} is unknown; expected one of: {', '.join(known)}{advice}")


class _ShowVersion(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"{PACKAGE} {version(PACKAGE)}")
        except PackageNotFoundError:
            print(f"{PACKAGE}, which is not installed here as a package")
        parser.exit()
