"""Before anything is measured: is all there that the run needs? Each item is answered, or refused with its reason."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from edgewright.state.artifacts import Ancestor, Artifact, Device, Format, Recipe, deployed_as
from edgewright.state.errors import Code, Refused
from edgewright.state.evidence import Check, Dataset, Graph
from edgewright.state.guards import FORMAT_OF_DEVICE
from edgewright.tools.datasets.calibration import LEAST_SAMPLES, Severity, calibration_findings
from edgewright.tools.datasets.entry import import_file
from edgewright.tools.datasets.prepare import prepare
from edgewright.tools.datasets.prepared import PreparedData, check_fits, check_words, open_dataset, says_something
from edgewright.tools.datasets.repeats import repeated
from edgewright.tools.formats.model import FORMATS, Described, admit
from edgewright.tools.formats.source import ADMISSIONS, admit_source
from edgewright.tools.optimize.roads import ROADS
from edgewright.tools.orders import ProfileOrder
from edgewright.tools.profile.framework import framework_of, refuse_framework
from edgewright.tools.profile.proposals import Proposal, contradiction, files_beside, proposals, with_proposals
from edgewright.tools.targets.target import Target
from edgewright.tools.validate.metrics import metric_named, require_answers
from edgewright.tools.workspace import Progress, Workspace

# A run keeps several variants and works on copies of them.
VARIANTS = 10


@dataclass(frozen=True)
class Ready:
    """What passed the pre-flight.

    Attributes:
        original: The imported model.
        graph: What its file says.
        ancestor: What it descends from, where an earlier run made it.
        validation: The prepared validation set.
        calibration: The prepared calibration set, if one was given.
        checks: Every item of the list, in the order of SPEC.md.
    """

    original: Artifact
    graph: Graph
    ancestor: Ancestor | None
    validation: Dataset
    calibration: Dataset | None
    checks: tuple[Check, ...]


def preflight(order: ProfileOrder, workspace: Workspace, progress: Progress, host: Target) -> Ready:
    """Go through the list.

    Args:
        order: What the run needs.
        workspace: Where copies are kept.
        progress: Told how many samples are read.
        host: Where a framework is asked what its model is.

    Raises:
        Refused: An item that the run cannot do without is missing or unfit.
    """
    metric = metric_named(order.metric)  # before anything is read: a typing error costs nothing
    progress(0, 1, "importing the model")
    original, model, ancestor = _import_model(order, workspace, host)
    graph = model.graph()
    suggested = proposals(model, original.format, files_beside(order.model_path, order.roots))
    try:
        validation = prepare(order.validation, order.roots, workspace, "validation data", progress)
    except Refused as refused:
        raise with_proposals(refused.refusal, suggested) from refused
    require_answers(order.metric, open_dataset(validation, workspace).card)
    check_fits(open_dataset(validation, workspace), graph.inputs)
    check_words(open_dataset(validation, workspace), model.rows_looked_up())
    _require_enough(open_dataset(validation, workspace), order.least_validation)
    calibration = _prepare_calibration(order, graph, workspace, progress)
    free_bytes = shutil.disk_usage(workspace.folder).free
    checks = (
        Check("source model", "ok", f"{original.name} loads: {graph.nodes} nodes, {graph.parameters} parameters"),
        Check("framework", "ok", model.dialect),
        _device(order.target_device, original.format),
        Check("validation set", "ok", f"{validation.n} samples"),
        Check("metric", "ok", f"{order.metric}, {metric.direction} is better"),
        Check("tolerance", "ok", "within the operator's cap"),
        _latency_target(order),
        _calibration(order, calibration, validation, workspace),
        _disk(free_bytes, original.size_bytes),
        *_contradicted(open_dataset(validation, workspace), suggested),
    )
    return Ready(original, graph, ancestor, validation, calibration, checks)


def _import_model(
    order: ProfileOrder, workspace: Workspace, host: Target
) -> tuple[Artifact, Described, Ancestor | None]:
    """Copy the model, hashing what is copied; from here on only the copy is looked at."""
    copy = workspace.scratch("original")
    digest = import_file(order.model_path, order.roots, copy)
    framework = framework_of(copy)
    if framework not in FORMATS:
        refuse_framework(framework, copy, Path(order.model_path).suffix)
    name, model_format = Path(order.model_path).name, FORMATS[framework]
    is_source = model_format in ADMISSIONS
    model: Described = (
        admit_source(copy, digest=digest, name=name, model_format=model_format, workspace=workspace, host=host)
        if is_source
        else admit(copy, model_format)
    )
    artifact = Artifact(
        sha256=digest,
        name=name,
        format=model_format,
        precision=model.precision,
        size_bytes=copy.stat().st_size,
        parent=None,
        recipe=Recipe("original"),
        inputs=model.inputs,
        outputs=model.outputs,
    )
    workspace.keep(copy)
    return artifact, model, _descent(digest, model.lineage, order)


def _descent(digest: str, mark: str | None, order: ProfileOrder) -> Ancestor | None:
    """Return what the model descends from: by its digest, or by the mark that Edgewright wrote into it (P3).

    Raises:
        Refused: LINEAGE_UNKNOWN, if the mark names an original that no run here has seen.
    """
    if made_here := order.ancestors.get(digest):
        return made_here
    if mark is None:
        return None
    known = [*order.ancestors.values(), *order.originals.values()]
    marked = [ancestor for ancestor in known if ancestor.original.sha256 == mark]
    if not marked:
        raise Refused.because(
            Code.LINEAGE_UNKNOWN,
            "profiling this model as an original",
            f"it was made by Edgewright from another model (SHA-256 {mark}) that this state folder has never seen, so "
            "the floor it must keep is unknown",
            "profile the original model instead",
            "P3",
            original=mark,
        )
    return min(marked, key=lambda ancestor: ancestor.tolerance)


def _require_enough(validation: PreparedData, least: int) -> None:
    """Refuse too small a set; a sample that comes again counts once, and one whose label says nothing not at all."""
    counting = says_something(validation) & ~repeated(validation)
    distinct = int(counting.sum())
    if distinct < least:
        raise Refused.because(
            Code.VALIDATION_TOO_SMALL,
            f"a validation set of {validation.dataset.n} samples, {distinct} of them distinct and labelled",
            f"the operator's least number is {least}: fewer cannot tell a small loss from chance",
            "give more labelled samples, or have the operator lower `least_validation`",
            "P3",
            n=validation.dataset.n,
            distinct=distinct,
            least=least,
        )


def _prepare_calibration(order: ProfileOrder, graph: Graph, workspace: Workspace, progress: Progress) -> Dataset | None:
    if order.calibration is None:
        return None
    calibration = prepare(order.calibration, order.roots, workspace, "calibration data", progress)
    check_fits(open_dataset(calibration, workspace), graph.inputs)
    return calibration


def _contradicted(validation: PreparedData, suggested: tuple[Proposal, ...]) -> tuple[Check, ...]:
    differing = contradiction(validation.card, suggested)
    return () if differing is None else (Check("preprocessing", "warning", differing),)


def _device(device: Device, have: Format) -> Check:
    wanted = FORMAT_OF_DEVICE[device]
    if wanted is have:
        return Check("target device", "ok", f"{device} runs {wanted}")
    if have in ADMISSIONS:
        return Check("target device", "ok", f"{device} runs {wanted}; no device runs {have}, so it is converted first")
    if wanted is deployed_as(have, device):
        detail = f"{device} runs {wanted}, whose engine is built there; convert(format='{wanted}') prepares the graph"
        return Check("target device", "ok", detail)
    detail = f"{device} runs {wanted}, and package will refuse {have}"
    if (have, wanted) in ROADS:
        detail += f": convert(format='{wanted}') comes first"
    return Check("target device", "warning", detail)


def _latency_target(order: ProfileOrder) -> Check:
    if order.latency_target_ms is None:
        return Check("latency target", "warning", "none given")
    return Check("latency target", "ok", f"{order.latency_target_ms:g} ms")


def _calibration(order: ProfileOrder, calibration: Dataset | None, validation: Dataset, workspace: Workspace) -> Check:
    if calibration is None:
        return Check("calibration set", "warning", "none given; int8_static will be refused")
    pair = open_dataset(calibration, workspace), open_dataset(validation, workspace)
    findings = calibration_findings(*pair, least=LEAST_SAMPLES[FORMAT_OF_DEVICE[order.target_device]])
    said = "; ".join([f"{calibration.n} samples", *(finding.sentence for finding in findings)])
    unfit = any(finding.severity is Severity.UNFIT for finding in findings)
    return Check("calibration set", "warning" if unfit else "ok", said)


def _disk(free_bytes: int, model_bytes: int) -> Check:
    wanted = VARIANTS * model_bytes
    detail = f"{free_bytes >> 20} MiB free, {wanted >> 20} MiB wanted for {VARIANTS} variants"
    return Check("disk space", "ok" if free_bytes >= wanted else "warning", detail)
