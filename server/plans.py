"""From a request to what it would do: the guards' question, then an order for a worker or an event for the ledger.

A plan is made inside the ledger's transaction and changes nothing by itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from types import MappingProxyType
from typing import Any

from edgewright.server import requests
from edgewright.server.house import House
from edgewright.state import guards
from edgewright.state.artifacts import Artifact, Format
from edgewright.state.errors import Code, Refused
from edgewright.state.events import Event, Kept, Profiled, Reverted, Started
from edgewright.state.guards import Asked
from edgewright.state.ledger import Transaction
from edgewright.state.phases import Call
from edgewright.state.protocols import PROTOCOLS, ProtocolName
from edgewright.state.run import Run
from edgewright.tools.datasets.entry import check_file, check_path
from edgewright.tools.orders import (
    BenchmarkOrder,
    ConvertOrder,
    DataSource,
    Order,
    Original,
    PackageOrder,
    ProfileOrder,
    QuantizeOrder,
    ValidateOrder,
)
from edgewright.tools.package.report import report
from edgewright.tools.package.statement import statement


@dataclass(frozen=True)
class Plan:
    """What a granted call does: work in the background, or events written at once."""

    order: Order | None = None
    events: tuple[Event, ...] = ()


# Each planner takes the request of its own tool; the pairing is the catalogue's.
USUAL_TOLERANCE = 0.02
"""Relative drop; the seed's default, and close to MLPerf's 99 % of the reference."""

Planner = Callable[[House, Transaction, Run, Any], Plan]


def asked(request: requests.Request, house: House) -> Asked:
    """Return what the guards need to know of a request."""
    policy, now = house.settings.policy, datetime.now(UTC)
    match request:
        case requests.ProfileModel():
            tolerance, metric = tolerance_of(request, house), request.metric
            return Asked(Call.PROFILE_MODEL, policy, now, tolerance=tolerance, metric=metric)
        case requests.Quantize():
            # The one scheme that every format offers; of others, whoever knows the format asks for calibration data.
            needs = request.scheme == "int8_static"
            return Asked(Call.QUANTIZE, policy, now, base=request.base, needs_calibration=needs)
        case requests.Convert():
            return Asked(Call.CONVERT, policy, now, base=request.base)
        case requests.Decide():
            return Asked(Call.KEEP if request.decision == "keep" else Call.REVERT, policy, now)
        case _:
            return Asked(_SIMPLE[type(request)], policy, now)


OPTIONS = ("per_channel", "calibration_method", "io_dtype")
"""Arguments of `quantize` that only some schemes take."""

_SIMPLE: Mapping[type[requests.Request], Call] = MappingProxyType(
    {requests.Benchmark: Call.BENCHMARK, requests.Validate: Call.VALIDATE, requests.Package: Call.PACKAGE}
)


def tolerance_of(request: requests.ProfileModel, house: House) -> float:
    """Return the tolerance asked for; the usual one, as far as the operator allows it, where none was."""
    if request.accuracy_tolerance is not None:
        return request.accuracy_tolerance
    return min(USUAL_TOLERANCE, house.settings.tolerance_cap)


def new_run(house: House, request: requests.ProfileModel) -> tuple[str, Started]:
    """Return the handle and first event of a new run.

    Raises:
        Refused: If a target is named that nobody enrolled.
    """
    if request.target is not None:
        raise Refused.because(
            Code.UNKNOWN_TARGET,
            f"target {request.target!r}",
            "no target of that alias is enrolled; enrolling one is a person's step",
            "leave `target` out: the run is then measured on this host and labelled so",
            "P6",
        )
    name = "".join(char if char.isalnum() or char in "-_" else "-" for char in Path(request.model_path).stem)[:40]
    started = Started(
        model_path=request.model_path,
        model_name=name or "model",
        target_device=request.target_device,
        target=None,
        metric=request.metric,
        accuracy_tolerance=tolerance_of(request, house),
        latency_target_ms=request.latency_target_ms,
        policy=house.settings.policy,
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
            protocol=PROTOCOLS[settings.protocol],
            threads=settings.threads,
            least_validation=settings.least_validation,
            ancestors=look.ancestors(),
            originals=look.originals(),
        )
    )


def _source(data: requests.DataArgument) -> DataSource:
    return DataSource(data.path, data.card) if isinstance(data, requests.Data) else DataSource(data)


def plan_quantize(_house: House, _look: Transaction, run: Run, request: requests.Quantize) -> Plan:
    """Plan a quantisation."""
    profiled = _profiled(run)
    # What was asked for and no more: a scheme knows its defaults, and refuses an option that is not its own.
    parameters = {name: getattr(request, name) for name in OPTIONS if name in request.model_fields_set}
    return Plan(
        QuantizeOrder(
            base=_base(run, request.base),
            original=_original(run),
            model_name=run.started.model_name,
            scheme=request.scheme,
            parameters=parameters,
            calibration=profiled.calibration,
            calibration_samples=request.calibration_samples,
            validation=profiled.validation,
            target_device=run.started.target_device,
            lineage=profiled.root.sha256,
        )
    )


def plan_convert(_house: House, _look: Transaction, run: Run, request: requests.Convert) -> Plan:
    """Plan a conversion."""
    if ("opset" in request.operations) != (request.opset is not None):
        raise Refused.because(
            Code.INVALID_ARGUMENT,
            "convert with only half of an opset change",
            f"operations are {request.operations} and opset is {request.opset}",
            "name operation 'opset' and the argument opset together, for example operations=['opset'], opset=18",
        )
    return Plan(
        ConvertOrder(
            base=_base(run, request.base),
            original=_original(run),
            model_name=run.started.model_name,
            format=Format(request.format),
            operations=tuple(request.operations),
            opset=request.opset,
            validation=_profiled(run).validation,
            lineage=_profiled(run).root.sha256,
        )
    )


def plan_benchmark(house: House, _look: Transaction, run: Run, request: requests.Benchmark) -> Plan:
    """Plan the paired timing of baseline and candidate."""
    protocol = ProtocolName(request.protocol) if request.protocol else house.settings.protocol
    return Plan(
        BenchmarkOrder(
            baseline=_profiled(run).original,
            candidate=_candidate(run),
            original=_original(run),
            validation=_profiled(run).validation,
            protocol=PROTOCOLS[protocol],
            threads=house.settings.threads,
        )
    )


def plan_validate(house: House, _look: Transaction, run: Run, _request: requests.Validate) -> Plan:
    """Plan the measurement of the candidate's accuracy."""
    profiled = _profiled(run)
    return Plan(
        ValidateOrder(
            candidate=_candidate(run),
            original=_original(run),
            validation=profiled.validation,
            baseline=profiled.baseline.accuracy,
            threads=house.settings.threads,
        )
    )


def plan_decide(_house: House, _look: Transaction, run: Run, request: requests.Decide) -> Plan:
    """Plan a decision: it is an event and nothing else."""
    digest = _candidate(run).sha256
    return Plan(events=(Kept(digest) if request.decision == "keep" else Reverted(digest),))


def plan_package(house: House, look: Transaction, run: Run, request: requests.Package) -> Plan:
    """Plan a package of the current best artifact."""
    profiled, shipped = _profiled(run), guards.shipped(run, asked(request, house))
    if shipped is None:
        raise Refused.because(Code.EVIDENCE_MISSING, "packaging", "the run has no model", "call profile_model", "P1")
    number = len(run.packages) + 1
    return Plan(
        PackageOrder(
            artifact=shipped.artifact,
            original=_original(run),
            validation=profiled.validation,
            statement=statement(run, look.records(run.id), shipped.artifact),
            report=report(run, datetime.now(UTC).date(), shipped.artifact),
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
    return Original(run.started.model_path, _profiled(run).original.sha256)


def _base(run: Run, base: str) -> Artifact:
    named = {"current": run.current, "original": _profiled(run).original}
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
