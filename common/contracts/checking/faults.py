"""A dataset's own faults, each as one line with its file and line."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import fields, is_dataclass
from opcode import opmap
from pathlib import Path
from traceback import walk_tb
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any

from common.errors import ContractDeclarationError
from common.names import did_you_mean
from common.printable import printable

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

PACKAGE = "jobs.datasets"
# What a mistake in Python raises. Errors of Spark itself are not the dataset's fault, except those of its analysis.
MISTAKES = (ArithmeticError, AttributeError, ImportError, LookupError, NameError, TypeError, ValueError)
_one_stdout = threading.RLock()
_UNKNOWN_ARGUMENT = re.compile(r"(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'")
_MISSING_ARGUMENT = re.compile(r"(\w+)\.__init__\(\) missing \d+ required (?:keyword-only|positional) arguments?: (.*)")


def folders() -> list[Path]:
    """The folders that hold datasets."""
    return [Path(folder).absolute() for folder in importlib.import_module(PACKAGE).__path__]


def imported(module: str) -> ModuleType:
    """Import a module of a dataset; whatever it raises is a ContractDeclarationError with file and line."""
    try:
        with prints_to_stderr():
            return importlib.import_module(module)
    except BaseException as error:
        require_mistake(error)
        if isinstance(error, ModuleNotFoundError) and error.name == module:
            raise ContractDeclarationError(f"{shown(file_of(module))} is missing; write it") from None
        raise ContractDeclarationError(f"{place(error) or shown(file_of(module))}: {in_words(error)}") from error


def require_mistake(error: BaseException) -> None:
    """Raise the error again unless a dataset's code made it."""
    if not is_mistake(error):
        raise error


def is_mistake(error: BaseException) -> bool:
    """Whether a dataset's code raised it; Ctrl-C comes at any instruction but a raise."""
    if isinstance(error, Exception | SystemExit):
        return True
    last = error.__traceback__
    while last and last.tb_next:
        last = last.tb_next
    code = last and last.tb_frame.f_code
    return bool(code and is_own(code.co_filename) and code.co_code[last.tb_lasti] == opmap["RAISE_VARARGS"])  # type: ignore[union-attr]


@contextmanager
def prints_to_stderr() -> Iterator[None]:
    """For a dataset's own code: stdout is for the JSON line. One thread at a time, as all have the same stdout."""
    with _one_stdout, redirect_stdout(sys.stderr):
        yield


def attribute(module: ModuleType, name: str) -> Any:
    """A name that the engine expects in a module of a dataset."""
    if hasattr(module, name):
        return getattr(module, name)
    defined = [other for other in vars(module) if not other.startswith("_")]
    hint = did_you_mean(name, defined)
    raise ContractDeclarationError(f"{shown(Path(str(module.__file__)))} defines no {name}{hint}; add it")


def blaming(function: Callable[[DataFrame], DataFrame]) -> Callable[[DataFrame], DataFrame]:
    """The transform, whose own mistakes are ContractDeclarationErrors with file and line."""

    def transform(rows: DataFrame) -> DataFrame:
        with blamed(function.__name__, rows.columns):
            return function(rows)

    return transform


@contextmanager
def blamed(function: str, columns: Sequence[str] = ()) -> Iterator[None]:
    """Turn a mistake of the dataset's own code into a ContractDeclarationError with file and line."""
    try:
        yield
    except BaseException as error:
        analysis = type(error).__name__ == "AnalysisException"
        ends_python = not isinstance(error, Exception) and is_mistake(error)
        if not (analysis or ends_python or isinstance(error, MISTAKES)) or not (where := place(error)):
            raise
        words = _analysis(error, columns) if analysis else in_words(error)
        raise ContractDeclarationError(f"{where}: {function}: {words}") from error


def carry_code(name: str) -> None:
    """Let Spark's workers run the code of a dataset whose folder they may not have."""
    from pyspark import cloudpickle

    cloudpickle.register_pickle_by_value(importlib.import_module(f"{PACKAGE}.{name}"))  # type: ignore[no-untyped-call]


def _analysis(error: Any, columns: Sequence[str]) -> str:
    """What Spark could not resolve, without the query plan."""
    if not (error.getCondition() or "").startswith("UNRESOLVED_COLUMN"):
        return str(error).partition("\n")[0]
    name = (error.getMessageParameters() or {}).get("objectName", "").strip("`")
    hint = did_you_mean(name, columns)
    return f"column {name!r} is unknown{hint}; the rows have {', '.join(columns)}"


def in_words(error: BaseException) -> str:
    """What a mistake is, without Python's own words where we have better ones."""
    text = _message(error)
    if isinstance(error, ContractDeclarationError):
        return text
    if isinstance(error, SystemExit):
        return "it ends Python with sys.exit or exit(); a declaration must only declare, so remove the call"
    if isinstance(error, SyntaxError):
        return f"{error.msg}: {error.text.strip()}" if error.text else str(error.msg)
    if match := _UNKNOWN_ARGUMENT.search(text):
        known = _arguments(match[1])
        return f"{match[1]} has no argument {match[2]!r}{did_you_mean(match[2], known)}; it has {', '.join(known)}"
    if match := _MISSING_ARGUMENT.search(text):
        return f"{match[1]} needs {match[2]}; add it"
    return ": ".join(filter(None, [type(error).__name__, printable(" ".join(text.split()))]))


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as another:
        require_mistake(another)
        return ""


def _arguments(name: str) -> list[str]:
    """The arguments of one of our classes."""
    modules = [module for path, module in [*sys.modules.items()] if path.startswith("common.")]
    classes = (getattr(module, name, None) for module in modules)
    return next(([field.name for field in fields(one)] for one in classes if is_dataclass(one)), [])


def place(error: BaseException) -> str:
    """The file and line of the dataset's code that raised the error; empty if none of it took part."""
    if isinstance(error, SyntaxError) and error.filename and is_own(error.filename):
        return f"{shown(Path(error.filename))}:{error.lineno}"
    return innermost(walk_tb(error.__traceback__))


def innermost(frames: Iterable[tuple[FrameType, int]]) -> str:
    """The file and line of the last frame that is a dataset's code."""
    ours = [(frame.f_code.co_filename, line) for frame, line in frames if is_own(frame.f_code.co_filename)]
    return f"{shown(Path(ours[-1][0]))}:{ours[-1][1]}" if ours else ""


def is_own(file: str) -> bool:
    """Whether a file belongs to a dataset."""
    return any(Path(file).is_relative_to(folder) for folder in folders())


def shown(file: Path) -> str:
    """The path as people know it: relative to where they are, if it lies below."""
    return str(file.relative_to(Path.cwd())) if file.is_relative_to(Path.cwd()) else str(file)


def file_of(module: str) -> Path:
    """Where a dataset's module is, or should be."""
    name, *rest = module.removeprefix(f"{PACKAGE}.").split(".")
    folder = next((folder / name for folder in folders() if (folder / name).is_dir()), folders()[0] / name)
    return folder.joinpath(*rest).with_suffix(".py") if rest else folder / "__init__.py"
