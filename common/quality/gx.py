"""Great Expectations as people know it: a file context beside the lake, with a suite and a checkpoint for each table.

Each map expectation would look up its failed values in a pass of its own. Here every rule is decided from the counts of
one pass; only what has failed is looked at again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Callable
from difflib import get_close_matches
from functools import cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.contracts.expectations import Rule
from common.errors import UsageError
from common.quality import masking
from common.quality.result import EXAMPLES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

COUNTS = {"result_format": "BOOLEAN_ONLY"}
PAGE = Path("gx/uncommitted/data_docs/local_site/index.html")
DETAIL = {"result_format": "BASIC", "partial_unexpected_count": EXAMPLES}
WHOLE = "day"
_TURNS = threading.RLock()


@cache
def library() -> Any:
    """Imported where it is used: it takes seconds. It would report its use over the network."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.core.yaml_handler import YAMLHandler

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    # Its readers of YAML serve all threads of a process, and are not made for it: two datasets run side by side.
    for name in ("load", "dump"):
        setattr(YAMLHandler, name, _in_turn(getattr(YAMLHandler, name)))
    return gx


def import_meanwhile() -> None:
    """Imports it beside what Spark does first."""
    threading.Thread(target=library, daemon=True).start()


def _in_turn(work: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(work)
    def waiting(*given: Any, **named: Any) -> Any:
        with _TURNS:
            return work(*given, **named)

    return waiting


def file_context(folder: Path) -> Any:
    """The context in `folder`/gx, as it is now; made where there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    return _quiet(library().get_context(mode="file", project_root_dir=str(folder)))


def passing_context() -> Any:
    """A context that leaves nothing behind."""
    return _quiet(library().get_context(mode="ephemeral"))


def _quiet(context: Any) -> Any:
    context.variables.progress_bars = {"globally": False}
    return context


def checkpoint(context: Any, name: str, rules: list[Rule]) -> Any:
    """The table's checkpoint, with its suite as the contract has it now."""
    gx, said = library(), hashlib.sha256(repr(rules).encode()).hexdigest()
    stored = {each.name: each for each in context.suites.all()}.get(name)
    if stored is not None and stored.meta.get("rules") == said:
        return context.checkpoints.get(name)
    expectations = [expectation(rule, place) for place, rule in enumerate(rules)]
    for kind in (context.checkpoints, context.validation_definitions, context.suites):
        if name in {each.name for each in kind.all()}:
            kind.delete(name)
    source = context.data_sources.add_or_update_spark(name=name, persist=False)
    data = source.add_dataframe_asset(name=name).add_batch_definition_whole_dataframe(WHOLE)
    # All at once: an expectation that is added to a suite whose name is stored already is added to the stored one.
    suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=expectations, meta={"rules": said}))
    definition = gx.ValidationDefinition(name=name, data=data, suite=suite)
    definition = context.validation_definitions.add(definition)
    return context.checkpoints.add(gx.Checkpoint(name=name, validation_definitions=[definition], result_format=COUNTS))


def expectation(rule: Rule, place: int) -> Any:
    """A name or an argument that is mistyped is no fault of the data."""
    gx = library()
    severity = {"error": "critical", "warn": "warning"}[rule.severity]
    declared: Any = getattr(gx.expectations, rule.expectation, None)
    if not isinstance(declared, gx.expectations.Expectation.__class__):
        close = get_close_matches(rule.expectation, dir(gx.expectations), 1)
        raise UsageError(
            f"a rule asks for {rule.expectation}, which Great Expectations {gx.__version__} has not"
            f"{f'; did you mean {close[0]}?' if close else '.'}"
        )
    try:
        return declared(**rule.arguments, severity=severity, meta={"rule": place})
    except ValueError as error:
        known = [name for name in declared.__fields__ if name not in gx.expectations.Expectation.__fields__]
        said = " ".join(str(error).split())
        raise UsageError(f"the rule {rule.words} is declared wrongly: {said}. It takes {', '.join(known)}.") from None


def validate(context: Any, check: Any, rows: DataFrame, masked: frozenset[str] = frozenset()) -> dict[int, Any]:
    """Each rule's result by its place: verdicts and counts from one pass, details of what failed from further ones."""
    (definition,) = check.validation_definitions
    engine = definition.data.data_asset.datasource.get_execution_engine()
    engine._metric_cache.clear()
    parameters = {"dataframe": rows}
    counted = _Counted()
    plain, engine.resolve_metrics = engine.resolve_metrics, counted.listening(engine)
    try:
        ((key, found),) = check.run(batch_parameters=parameters).run_results.items()
    finally:
        engine.resolve_metrics = plain
    results = {each.expectation_config.meta["rule"]: each for each in found.results}
    failed = [place for place, each in results.items() if not each.success]
    for place, each in results.items():
        if place not in failed:
            each.result = counted.result(each.expectation_config.to_domain_obj(), engine)
    if failed:
        wrong = [each for each in definition.suite.expectations if each.meta["rule"] in failed]
        again = library().ExpectationSuite(
            name=f"{check.name} failed", expectations=[type(each)(**_arguments(each)) for each in wrong]
        )
        batch = definition.data.get_batch(batch_parameters=parameters)
        for each in batch.validate(again, result_format=DETAIL).results:
            results[each.expectation_config.meta["rule"]] = each
    for each in results.values():
        if masking.shows(each.expectation_config.type, each.expectation_config.kwargs, masked):
            each.result = masking.counts_only(each.result)
            each.exception_info = masking.class_only(each.exception_info or {})
    found.results = [results[place] for place in sorted(results)]
    context.validation_results_store.store_validation_results(
        suite_validation_result=found,
        suite_validation_result_identifier=key,
        expectation_suite_identifier=key.expectation_suite_identifier,
    )
    return results


def _arguments(expectation: Any) -> dict[str, Any]:
    return {name: value for name, value in expectation.dict().items() if name != "id"}


class _Counted(dict[Any, Any]):
    """The metrics of a pass by their id. The values that failed were not looked up: where a rule holds, there are none."""

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or str(getattr(key, "metric_name", "")).endswith(".unexpected_values")

    def __missing__(self, key: Any) -> list[Any]:
        return []

    def listening(self, engine: Any) -> Any:
        """The engine's way to resolve metrics, with all counts in one pass: they wait until nothing else can be had first."""
        from great_expectations.expectations.registry import get_metric_provider

        resolve = engine.resolve_metrics

        def listen(metrics_to_resolve: Any, **named: Any) -> Any:
            # In one order, whatever sets they have been through: Spark compiles the same query once.
            wanted = sorted(metrics_to_resolve, key=lambda each: str(each.id))
            # A metric without a function of its own is an aggregate over the rows.
            others = [each for each in wanted if get_metric_provider(each.metric_name, engine)[1] is not None]
            found = resolve(metrics_to_resolve=others or wanted, **named)
            self.update(found)
            return found

        return listen

    def result(self, expectation: Any, engine: Any) -> dict[str, Any]:
        """What the expectation says of these counts, in full; nothing where it would need more than was counted."""
        from great_expectations.exceptions.exceptions import InvalidExpectationConfigurationError

        try:
            said = expectation.metrics_validate(
                metrics=self, execution_engine=engine, runtime_configuration={"result_format": DETAIL}
            )
        except InvalidExpectationConfigurationError:
            return {}
        return dict(said.result or {})
