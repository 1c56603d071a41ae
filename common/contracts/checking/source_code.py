"""The code of a dataset as text, without comments, docstrings and layout: its statements decide what its rows are."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common.contracts.checking import faults
from common.errors import ContractDeclarationError, require
from common.names import did_you_mean

# All datasets' folders; a dataset may import from another's.
DATASETS = "jobs.datasets."
# A feature definition names the parts of the contract that matter to it; the rest may change under the same version.
DECLARED = "CONTRACT"
# What a contract says only for people.
FOR_PEOPLE = ("owner", "tags")


@dataclass(frozen=True)
class SourceCode:
    """Each statement by the name it defines, and every constant that appears in them."""

    statements: dict[str, str]
    texts: frozenset[str]


def source_code(file: Path, leave_out: str = "") -> SourceCode:
    """Of a module and the dataset modules that it imports, directly or not; `leave_out` names one definition."""
    statements: dict[str, str] = {}
    texts: set[str] = set()
    for module in modules_of(file):
        prefix = _prefix(module, file)
        for node in parsed(module).body:
            name = _name(node)
            if isinstance(node, ast.Import | ast.ImportFrom) or _is_docstring(node) or name == leave_out:
                continue
            text = ast.unparse(_undocumented(node))
            texts |= {str(constant.value) for constant in ast.walk(node) if isinstance(constant, ast.Constant)}
            # A name that is defined twice is defined by both statements.
            statements[prefix + name] = "\n".join(filter(None, [statements.get(prefix + name), text]))
    return SourceCode(statements, frozenset(texts))


def require_names(file: Path, names: tuple[str, ...]) -> None:
    """Raise unless the module is there, can be parsed and binds the names; a function of that name takes the rows alone."""
    bound = {name: node for node in parsed(file).body for name in _bound(node)}
    for name in names:
        hint = did_you_mean(name, bound)
        require(name in bound, f"{faults.shown(file)} defines no {name}{hint}; add it")
        node = bound.get(name)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            takes_one = isinstance(node, ast.FunctionDef) and _takes_one(node.args)
            require(
                takes_one,
                f"{faults.shown(file)}:{node.lineno}: {name} can't be called with the rows alone; expected def {name}(rows)",
            )


def _takes_one(arguments: ast.arguments) -> bool:
    positional = [*arguments.posonlyargs, *arguments.args]
    needed = len(positional) - len(arguments.defaults)
    return needed <= 1 and bool(positional or arguments.vararg) and None not in arguments.kw_defaults


def _bound(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    return [_name(node)]


def parsed(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_text(encoding="utf-8"), str(file))
    except FileNotFoundError:
        raise ContractDeclarationError(f"{faults.shown(file)} is missing; write it") from None
    except (SyntaxError, ValueError) as error:
        place = faults.place(error) or faults.shown(file)
        raise ContractDeclarationError(f"{place}: {faults.in_words(error)}") from error


def imports_of_spark(file: Path) -> list[int]:
    """The lines of a module that import PySpark as soon as it is imported."""
    statements = [node for node in parsed(file).body if isinstance(node, ast.Import | ast.ImportFrom)]
    return [node.lineno for node in statements if "pyspark" in {name.partition(".")[0] for name in _modules(node)}]


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]


def _prefix(module: Path, file: Path) -> str:
    if module == file:
        return ""
    folder = "" if module.parent == file.parent else f"{module.parent.name}."
    return f"{folder}{module.stem}."


def modules_of(file: Path) -> list[Path]:
    """The file and every dataset module in its imports, transitively."""
    modules = [file]
    for module in modules:
        tree = parsed(module)
        imported = {path for node in ast.walk(tree) for path in _imported(node, module)}
        modules += sorted(path for path in imported - {*modules} if path.exists())
    return modules


def _imported(node: ast.AST, importer: Path) -> Iterator[Path]:
    """The files that an import may read: `from jobs.datasets.visits.rates import RATE`, `from . import rates`."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield from _file_of(alias.name, importer)
    elif isinstance(node, ast.ImportFrom) and node.level:
        folder = importer.parents[node.level - 1]
        module = folder.joinpath(*node.module.split(".")) if node.module else folder
        if node.module:
            yield module.with_suffix(".py")
        yield from (module / f"{alias.name}.py" for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        for name in (node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)):
            yield from _file_of(name, importer)


def _file_of(name: str, importer: Path) -> Iterator[Path]:
    """A module of the importer's own folder is looked up beside it, so that a copy of the folder reads itself."""
    if not name.startswith(DATASETS):
        return
    folder, _, module = name.removeprefix(DATASETS).partition(".")
    if folder == importer.parent.name:
        yield importer.parent / f"{module.replace('.', '/')}.py"
        return
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return
    if found is not None and found.origin is not None:
        yield Path(found.origin)


def _name(node: ast.stmt) -> str:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name
    return ast.unparse(node).partition("=")[0].partition(":")[0].strip()


def _undocumented(node: ast.stmt) -> ast.stmt:
    for child in ast.walk(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and _is_docstring(child.body[0]):
            child.body = child.body[1:] or [ast.Pass()]
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Name) and child.func.id == "Contract":
            child.keywords = [each for each in child.keywords if each.arg not in FOR_PEOPLE]
    return node


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
