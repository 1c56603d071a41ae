"""Great Expectations with a file context in the lake, and one suite and checkpoint per table.

By default each map expectation queries its failed values in a separate pass. Here one pass counts for all rules, and
only failed rules are queried again.
"""

from __future__ import annotations

import hashlib
import html
import logging
import os
import shutil
import threading
from collections.abc import Callable
from copy import copy
from datetime import UTC, datetime
from functools import cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.contracts.expectations import Rule
from common.errors import UsageError
from common.names import did_you_mean
from common.printable import printable
from common.quality import masking, measured_rules
from common.quality.counted_rules import DETAIL, counted_once
from common.runtime.garbage import collecting_nothing
from common.runtime.late_import import imported_late

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from common.quality.measured_rules import MeasuredTable

COUNTS = {"result_format": "BOOLEAN_ONLY"}
PAGE = Path("gx/uncommitted/data_docs/local_site/index.html")
CONFIGURATION = (
    "great_expectations.yml",
    "checkpoints",
    "expectations",
    "validation_definitions",
)
WHOLE = "day"
_YAML_LOCK = threading.RLock()


@cache
def library() -> Any:
    """Import Great Expectations lazily, as it takes seconds, and turn its usage reports off."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    # Half of that time goes to SciPy and Altair, which hardly any expectation uses, and to garbage that is none.
    with imported_late("scipy.stats"), imported_late("altair"), collecting_nothing():
        import great_expectations as gx
        from great_expectations.core.yaml_handler import YAMLHandler

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    # All threads share its YAML handlers, which are not thread-safe, and datasets run in parallel.
    for name in ("load", "dump"):
        setattr(YAMLHandler, name, _serialized(getattr(YAMLHandler, name)))
    return gx


def _serialized(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def locked(*args: Any, **kwargs: Any) -> Any:
        with _YAML_LOCK:
            return function(*args, **kwargs)

    return locked


def file_context(folder: Path) -> Any:
    """Open the context in `folder`/gx; create it if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    context = _quiet(library().get_context(mode="file", project_root_dir=str(folder)))
    if context.variables.config_variables_file_path:
        # It would be read thirty times a validation, and nothing is in it.
        context.variables.config_variables_file_path = None
        context.variables.save()
    return context


def stored_checkpoint(folder: Path, name: str, rules: list[Rule]) -> tuple[Any, Any]:
    """Open the context in the folder and the table's checkpoint, both made anew if a killed run left half of a file."""
    try:
        context = file_context(folder)
        return context, checkpoint(context, name, rules)
    except UsageError:
        raise
    except Exception as error:
        # Its text may hold a whole file.
        logging.getLogger("pipeline").warning(
            "the files of Great Expectations in %s/gx can't be read (%s), as after a killed run; making them anew from the "
            "contracts",
            folder,
            type(error).__name__,
        )
        _remove_configuration(folder)
    context = file_context(folder)
    return context, checkpoint(context, name, rules)


def _remove_configuration(folder: Path) -> None:
    """It follows from the contracts. The stored results stay."""
    for path in [folder / "gx" / name for name in CONFIGURATION]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def passing_context() -> Any:
    """Return a context in memory."""
    return _quiet(library().get_context(mode="ephemeral"))


def _quiet(context: Any) -> Any:
    context.variables.progress_bars = {"globally": False}
    return context


def checkpoint(context: Any, name: str, rules: list[Rule]) -> Any:
    """Return the table's checkpoint; rebuild it and its suite if the rules have changed."""
    gx, rules_hash = library(), hashlib.sha256(repr(rules).encode()).hexdigest()
    stored = {suite.name: suite for suite in context.suites.all()}.get(name)
    if stored is not None and stored.meta.get("rules") == rules_hash:
        return context.checkpoints.get(name)
    expectations = [expectation(rule, position) for position, rule in enumerate(rules)]
    for store in (context.checkpoints, context.validation_definitions, context.suites):
        if name in {stored.name for stored in store.all()}:
            store.delete(name)
    with measured_rules.declared_without_spark():
        source = context.data_sources.add_or_update_spark(name=name, persist=False)
    data = source.add_dataframe_asset(name=name).add_batch_definition_whole_dataframe(WHOLE)
    # Pass all expectations at once: adding one to a suite later writes it to a stored suite of that name.
    suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=expectations, meta={"rules": rules_hash}))
    definition = gx.ValidationDefinition(name=name, data=data, suite=suite)
    definition = context.validation_definitions.add(definition)
    return context.checkpoints.add(gx.Checkpoint(name=name, validation_definitions=[definition], result_format=COUNTS))


def expectation(rule: Rule, position: int) -> Any:
    """Build the expectation. A wrong name or argument is a UsageError, not bad data."""
    gx = library()
    severity = {"error": "critical", "warn": "warning"}[rule.severity]
    declared: Any = getattr(gx.expectations, rule.expectation, None)
    if not isinstance(declared, gx.expectations.Expectation.__class__):
        advice = did_you_mean(rule.expectation, dir(gx.expectations)) or "; name one of its expectation classes"
        raise UsageError(
            f"a rule names {rule.expectation}, which Great Expectations {gx.__version__} does not have{advice}"
        )
    try:
        return declared(**rule.arguments, severity=severity, meta={"rule": position})
    except ValueError as error:
        arguments = [name for name in declared.__fields__ if name not in gx.expectations.Expectation.__fields__]
        reason = " ".join(str(error).split())
        raise UsageError(
            f"the rule {rule.words} has invalid arguments: {reason}. Expected arguments: {', '.join(arguments)}."
        ) from None


def validate(
    context: Any, check: Any, rows: DataFrame, masked: frozenset[str] = frozenset(), number: int | None = None
) -> dict[int, Any]:
    """Return the results by rule position: counts from one pass, examples of failed rules from further passes.

    Not by the checkpoint's own `run`: it stores what it finds as it is, and compares each of its files with itself before.
    """
    (definition,) = check.validation_definitions
    engine = definition.data.data_asset.datasource.get_execution_engine()
    engine._metric_cache.clear()
    batch = definition.data.get_batch(batch_parameters={"dataframe": rows})
    with counted_once(engine, number):
        validation = batch.validate(definition.suite, result_format=DETAIL)
    results = _by_rule(validation)
    failed = [position for position, result in results.items() if not result.success]
    if failed:
        expectations = [rule for rule in definition.suite.expectations if rule.meta["rule"] in failed]
        suite = library().ExpectationSuite(
            name=f"{check.name} failed", expectations=[type(rule)(**_arguments(rule)) for rule in expectations]
        )
        for result in batch.validate(suite, result_format=DETAIL).results:
            results[result.expectation_config.meta["rule"]] = result
    return _told(context, check, validation, results, masked)


def judge(
    context: Any, check: Any, table: MeasuredTable, masked: frozenset[str] = frozenset()
) -> dict[int, Any] | None:
    """Return the same from what was measured of the rows; None if that does not tell whether every rule holds."""
    (definition,) = check.validation_definitions
    validation = measured_rules.judge(definition.suite, table)
    if validation is None:
        return None
    asset = definition.data.data_asset
    validation.batch_id = f"{asset.datasource.name}-{asset.name}"  # that of any of its rows
    return _told(context, check, validation, _by_rule(validation), masked)


def _by_rule(validation: Any) -> dict[int, Any]:
    return {result.expectation_config.meta["rule"]: result for result in validation.results}


def _told(context: Any, check: Any, validation: Any, results: dict[int, Any], masked: frozenset[str]) -> dict[int, Any]:
    """Mask the results, and store them."""
    for result in results.values():
        if masking.shows(result.expectation_config.type, result.expectation_config.kwargs, masked):
            result.result = masking.counts_only(result.result)
            result.exception_info = masking.class_only(result.exception_info or {})
    validation.results = [_for_pages(results[position]) for position in sorted(results)]
    _store(context, check, validation)
    return results


def _store(context: Any, check: Any, validation: Any) -> None:
    """Under the name that the checkpoint gives to what it runs."""
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types import resource_identifiers as identifiers

    run, suite = RunIdentifier(run_time=datetime.now(UTC)), identifiers.ExpectationSuiteIdentifier(name=check.name)
    (definition,) = check.validation_definitions
    made_by = {"validation_id": definition.id, "checkpoint_id": check.id}
    validation.meta |= {"run_id": run, "validation_time": run.run_time, **made_by}
    key = identifiers.ValidationResultIdentifier(suite, run, validation.batch_id)
    context.validation_results_store.store_validation_results(
        suite_validation_result=validation,
        suite_validation_result_identifier=key,
        expectation_suite_identifier=suite,
    )


def _for_pages(result: Any) -> Any:
    """A copy to store. Data Docs puts values into its pages as they are, so they must hold no markup."""
    stored = copy(result)
    stored.result, stored.exception_info = _without_markup(result.result), _without_markup(result.exception_info)
    return stored


def _without_markup(value: Any) -> Any:
    if isinstance(value, str):
        return html.escape(printable(value))
    if isinstance(value, dict):
        return {_without_markup(name): _without_markup(item) for name, item in value.items()}
    return [_without_markup(item) for item in value] if isinstance(value, list | tuple | set) else value


def _arguments(expectation: Any) -> dict[str, Any]:
    return {name: value for name, value in expectation.dict().items() if name != "id"}
