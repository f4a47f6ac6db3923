"""From a request to what it would do: the guards' question, then an order for a worker or an event for the ledger.

A plan is made inside the ledger's transaction and changes nothing by itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from edgewright.server import requests
from edgewright.server.house import House
from edgewright.server.questions import asked, tolerance_of
from edgewright.state import guards
from edgewright.state.acceptance import accuracy_loss, unfit_calibration
from edgewright.state.artifacts import Artifact, Format
from edgewright.state.errors import Code, Refused
from edgewright.state.events import Event, Kept, Profiled, Reverted, SensitivityAnalysed, SourceProfiled, Started
from edgewright.state.ledger import Transaction
from edgewright.state.protocols import Protocol, ProtocolName
from edgewright.state.run import Run
from edgewright.state.verdict import Outcome
from edgewright.tools.datasets.entry import check_file, check_path
from edgewright.tools.orders import (
    AnalyzeOrder,
    BenchmarkOrder,
    ConvertOrder,
    DataSource,
    Order,
    Original,
    PackageOrder,
    ProfileOrder,
    QuantizeOrder,
    SearchTerms,
    SustainOrder,
    TwinOrder,
    ValidateOrder,
)
from edgewright.tools.package.report import report
from edgewright.tools.package.statement import SIGNED, UNSIGNED, statement
from edgewright.tools.targets.enrolled import Enrolled


@dataclass(frozen=True)
class Plan:
    """What a granted call does: work in the background, or events written at once."""

    order: Order | None = None
    events: tuple[Event, ...] = ()


# Each planner takes the request of its own tool; the pairing is the catalogue's.
Planner = Callable[[House, Transaction, Run, Any], Plan]


OPTIONS = ("per_channel", "ranges", "equalize", "correct_bias", "io_dtype", "evaluations", "minutes")
"""Arguments of `quantize` that only some schemes take."""


def target_of(house: House, run: Run) -> Enrolled | None:
    """Return the machine that a run measures on, which is the one it began on.

    Raises:
        Refused: TARGET_WRONG_MACHINE, if its alias was given to another one meanwhile.
    """
    if run.started.target is None:
        return None
    target = house.targets.named(run.started.target)
    if target is None or target.mark != run.started.target_mark:
        raise Refused.because(
            Code.TARGET_WRONG_MACHINE,
            f"measuring on {run.started.target}",
            "since the run began it was enrolled anew, with other host keys: it may be another machine",
            "start a new run with profile_model",
            "P6",
        )
    return target


def new_run(house: House, request: requests.ProfileModel) -> tuple[str, Started]:
    """Return the handle and first event of a new run."""
    target = house.targets.named(request.target) if request.target else None
    name = "".join(char if char.isalnum() or char in "-_" else "-" for char in Path(request.model_path).stem)[:40]
    started = Started(
        model_path=request.model_path,
        model_name=name or "model",
        target_device=request.target_device,
        target=request.target,
        metric=request.metric,
        accuracy_tolerance=tolerance_of(request, house),
        latency_target_ms=request.latency_target_ms,
        policy=house.settings.policy,
        target_mark=target.mark if target else "",
    )
    return f"run-{token_hex(6)}", started


def plan_profile(house: House, look: Transaction, run: Run, request: requests.ProfileModel) -> Plan:
    """Plan the import and the baseline. Paths are looked at here already, so that a typing error costs no run."""
    settings = house.settings
    check_file(request.model_path, settings.real_roots)
    for data in (request.validation, request.calibration):
        if data is not None:
            check_path(_source(data).path, settings.real_roots)
    return Plan(
        ProfileOrder(
            model_path=request.model_path,
            roots=settings.real_roots,
            validation=_source(request.validation),
            calibration=_source(request.calibration) if request.calibration else None,
            metric=request.metric,
            tolerance=run.started.accuracy_tolerance,
            latency_target_ms=request.latency_target_ms,
            target_device=run.started.target_device,
            protocol=_protocol(house, run, None),
            threads=settings.threads,
            least_validation=settings.least_validation,
            ancestors=look.ancestors(),
            originals=look.originals(),
        )
    )


def _source(data: requests.DataArgument) -> DataSource:
    return DataSource(data.path, data.card) if isinstance(data, requests.Data) else DataSource(data)


def plan_quantize(house: House, _look: Transaction, run: Run, request: requests.Quantize) -> Plan:
    """Plan a quantisation."""
    # What was asked for and no more: a scheme knows its defaults, and refuses an option that is not its own.
    parameters = {name: getattr(request, name) for name in OPTIONS if name in request.model_fields_set}
    return Plan(_quantize_order(house, run, request, request.scheme, parameters))


def plan_analyze(house: House, _look: Transaction, run: Run, request: requests.AnalyzeSensitivity) -> Plan:
    """Plan an analysis; what is known of this model and calibration set already is told again at once."""
    order = _quantize_order(house, run, request, "int8_static", {})
    known = (order.base.sha256, order.calibration.digest if order.calibration else "")
    for sensitivity in reversed(run.sensitivities):
        if (sensitivity.artifact, sensitivity.calibration) == known:
            return Plan(events=(SensitivityAnalysed(sensitivity),))
    return Plan(AnalyzeOrder(order))


def _quantize_order(
    house: House,
    run: Run,
    request: requests.Quantize | requests.AnalyzeSensitivity,
    scheme: str,
    parameters: Mapping[str, object],
) -> QuantizeOrder:
    profiled = _profiled(run)
    return QuantizeOrder(
        base=_base(run, request.base),
        original=_original(run),
        model_name=run.started.model_name,
        scheme=scheme,
        parameters=parameters,
        calibration=profiled.calibration,
        calibration_samples=request.calibration_samples,
        validation=profiled.validation,
        accepted=_accepted_findings(house, run, request),
        target_device=run.started.target_device,
        lineage=profiled.root.sha256,
        statistics=_statistics(run),
        terms=_terms(house, run),
    )


def _terms(house: House, run: Run) -> SearchTerms:
    """Return what a search goes by: the run's own rule, and what has failed by it."""
    failed = [
        step.artifact.recipe.parameters
        for step in run.steps
        if (verdict := run.verdict_of(step)) is not None and verdict.outcome is not Outcome.PASS
    ]
    return SearchTerms(
        metric=_profiled(run).baseline.reference.metric,
        tolerance=run.tolerance,
        threads=house.settings.threads,
        rejected=tuple(quantised for each in failed if (quantised := _quantised(each))),
    )


def _quantised(parameters: Mapping[str, object]) -> tuple[str, ...]:
    """Return the groups that a search put in 8 bits, as its recipe says."""
    return tuple(
        name
        for form in ("static", "dynamic")
        if isinstance(names := parameters.get(form), list | tuple)
        for name in names
    )


def _statistics(run: Run) -> tuple[str, ...]:
    """Return the calibration statistics that the run's steps kept, the latest first."""
    found = [step.artifact.recipe.parameters.get("statistics") for step in reversed(run.steps)]
    return tuple(dict.fromkeys(str(digest) for digest in found if digest))


def _accepted_findings(house: House, run: Run, request: requests.Request) -> str:
    """Return what was found about the calibration set and accepted by a person, word for word; empty where nothing."""
    unfit = unfit_calibration(run)
    waiver = guards.accepted(run, unfit, asked(request, house)) if unfit else None
    return unfit.findings if unfit and waiver else ""


def plan_convert(house: House, _look: Transaction, run: Run, request: requests.Convert) -> Plan:
    """Plan a conversion: a step, or what completes the baseline of a source that no device runs."""
    if run.profiled is None and run.source is not None:
        source = run.source
        conversion = _conversion(run, request, source.original, source)
        threads, protocol = house.settings.threads, _protocol(house, run, None)
        return Plan(TwinOrder(conversion, source.reference, protocol, threads))
    profiled, wanted = _profiled(run), Format(request.format)
    # What no device runs is still where another conversion of it begins.
    from_source = request.base == "original" and wanted is not profiled.runnable.format
    base = profiled.original if from_source else _base(run, request.base)
    return Plan(_conversion(run, request, base, profiled))


def _conversion(
    run: Run, request: requests.Convert, base: Artifact, profiled: Profiled | SourceProfiled
) -> ConvertOrder:
    """Return the order of a conversion.

    Raises:
        Refused: INVALID_ARGUMENT, where its options do not belong together.
    """
    crosses = base.format is not Format(request.format)
    operations = () if crosses else tuple(request.operations or ("simplify",))
    with_opset = request.format == "onnx" if crosses else "opset" in operations
    if (crosses and request.operations is not None) or (
        (request.opset is not None) != with_opset and not (crosses and request.opset is None)
    ):
        raise Refused.because(
            Code.INVALID_ARGUMENT,
            "convert with only half of an opset change" if not crosses else "these options of convert",
            f"operations are {request.operations}, opset is {request.opset}, from {base.format} to {request.format}",
            "within ONNX name operation 'opset' and the argument opset together, for example operations=['opset'], "
            "opset=18; to another format leave operations out, and give an opset to ONNX only",
        )
    return ConvertOrder(
        base=base,
        original=_original(run),
        model_name=run.started.model_name,
        format=Format(request.format),
        operations=operations,
        opset=request.opset,
        validation=profiled.validation,
        target_device=run.started.target_device,
        lineage=profiled.root.sha256,
    )


def _protocol(house: House, run: Run, asked: str | None) -> Protocol:
    """Return how to time: as asked, or the operator's usual way; on an enrolled target at least `standard`."""
    name = ProtocolName(asked) if asked is not None else house.settings.protocol
    if asked is None and run.started.target and name is ProtocolName.QUICK:
        name = ProtocolName.STANDARD
    return house.settings.protocol_of(name)


def plan_benchmark(house: House, _look: Transaction, run: Run, request: requests.Benchmark) -> Plan:
    """Plan the paired timing of baseline and candidate; without a candidate, the long run over what would ship."""
    protocol = _protocol(house, run, request.protocol)
    shipped = guards.shipped(run, asked(request, house))
    if run.open_step is None and shipped is not None:
        return Plan(
            SustainOrder(
                artifact=shipped.artifact,
                original=_original(run),
                validation=_profiled(run).validation,
                protocol=protocol,
                threads=house.settings.threads,
            )
        )
    return Plan(
        BenchmarkOrder(
            baseline=_profiled(run).runnable,
            candidate=_candidate(run),
            original=_original(run),
            validation=_profiled(run).validation,
            protocol=protocol,
            threads=house.settings.threads,
            target_device=run.started.target_device,
        )
    )


def plan_validate(house: House, _look: Transaction, run: Run, request: requests.Validate) -> Plan:
    """Plan the measurement of the candidate's accuracy."""
    profiled = _profiled(run)
    if request.on_target and run.started.target is None:
        raise Refused.because(
            Code.TARGET_REQUIRED,
            "validate(on_target=true)",
            "this run has no target: it was profiled for this host",
            "call validate without it, or start a run with profile_model(..., target=ALIAS)",
            "P6",
        )
    return Plan(
        ValidateOrder(
            candidate=_candidate(run),
            original=_original(run),
            validation=profiled.validation,
            baseline=profiled.baseline.reference,
            threads=house.settings.threads,
            target_device=run.started.target_device,
            on_target=request.on_target,
            earlier=run.open_step.accuracy if run.open_step else None,
            reference=profiled.baseline.reference,
        )
    )


def plan_decide(house: House, _look: Transaction, run: Run, request: requests.Decide) -> Plan:
    """Plan a decision: it is an event and nothing else. Keeping what fails uses up the acceptance that allows it."""
    digest = _candidate(run).sha256
    if request.decision == "revert" or run.open_step is None:
        return Plan(events=(Reverted(digest),))
    question = asked(request, house)
    loss = accuracy_loss(run, run.open_step, question.policy.rule)
    waiver = guards.accepted(run, loss, question) if loss else None
    return Plan(events=(Kept(digest, waiver.nonce if waiver else ""),))


def plan_package(house: House, look: Transaction, run: Run, request: requests.Package) -> Plan:
    """Plan a package of the current best artifact."""
    question = asked(request, house)
    profiled, shipped = _profiled(run), guards.shipped(run, question)
    if shipped is None:
        raise Refused.because(Code.EVIDENCE_MISSING, "packaging", "the run has no model", "call profile_model", "P1")
    number = len(run.packages) + 1
    return Plan(
        PackageOrder(
            artifact=shipped.artifact,
            original=_original(run),
            validation=profiled.validation,
            statement=statement(
                run,
                look.records(run.id),
                shipped.artifact,
                policy=question.policy,
                signing=SIGNED if house.authority.is_enrolled else UNSIGNED,
            ),
            report=report(house.seen(run), question.now.date(), shipped.artifact),
            created=question.now.isoformat(),
            folder_name=f"{run.id}-{number}-{Path(shipped.artifact.name).stem}",
        )
    )


def _profiled(run: Run) -> Profiled:
    if run.profiled is None:
        raise Refused.because(
            Code.EVIDENCE_MISSING,
            "this call",
            "the run has no baseline yet",
            "call profile_model and wait for it",
            "P1",
        )
    return run.profiled


def _candidate(run: Run) -> Artifact:
    if run.open_step is None:
        raise Refused.because(
            Code.EVIDENCE_MISSING,
            "a decision without a candidate",
            "the run has none",
            "call quantize or convert first",
            "P2",
        )
    return run.open_step.artifact


def _original(run: Run) -> Original:
    imported = run.source if run.source is not None else _profiled(run)
    return Original(run.started.model_path, imported.original.sha256)


def _base(run: Run, base: str) -> Artifact:
    named = {"current": run.current, "original": _profiled(run).runnable}
    artifact = named[base] if base in named else run.artifact(base)
    if artifact is None:
        raise Refused.because(
            Code.UNKNOWN_ARTIFACT,
            f"base {base!r}",
            "this run has no such artifact",
            "use 'current' or 'original'",
            "P3",
        )
    return artifact
