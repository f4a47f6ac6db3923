"""From what a probe left behind to facts, or to the refusal that it amounts to. Nothing in it is believed unchecked."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from edgewright.state.artifacts import Artifact, Device
from edgewright.state.errors import Code, Refused, WorkerFailed
from edgewright.state.evidence import Environment
from edgewright.tools.probe import environment
from edgewright.tools.targets.answer import ErrorDocument, Facts, FactsDocument, ProbeAnswer, ProbeFailure
from edgewright.tools.targets.label import label_of, require_kind
from edgewright.tools.targets.request import ProbeRequest, runtime_of
from edgewright.tools.workspace import Workspace

LONGEST_MESSAGE = 600

_DOCUMENT: TypeAdapter[FactsDocument | ErrorDocument] = TypeAdapter(FactsDocument | ErrorDocument)


def read_answer(
    request: ProbeRequest[Facts],
    folder: Path,
    workspace: Workspace,
    *,
    sandbox: str,
    target: str = "",
    kind: Device | None = None,
) -> ProbeAnswer[Facts]:
    """Return the facts in a folder that a probe has filled, with the label that they deserve.

    Args:
        request: What was asked.
        folder: Where `answer.json` and the files that it names lie.
        workspace: Knows the paths that a runtime's message may quote.
        sandbox: How the probe was confined.
        target: Alias of the enrolled target, where the probe ran on one.
        kind: What that target was enrolled as.

    Raises:
        Refused: The model or the data is the reason that there are no facts, or the machine is not what it was
            enrolled as.
        WorkerFailed: The answer has another shape.
    """
    try:
        document = _DOCUMENT.validate_json((folder / "answer.json").read_bytes())
        if isinstance(document, ErrorDocument):
            raise _refused(document.error, request, workspace, target)
        adapter = TypeAdapter(request.task.facts)
        facts = {name: adapter.validate_python(document.models.get(name)) for name in request.models}
    except ValidationError as error:
        raise WorkerFailed(f"what the probe wrote cannot be read: {error}") from error
    machine, here = document.environment, environment.facts()
    if kind is not None:
        require_kind(machine, kind, target)
    label = label_of(machine, host_machine=here["machine"], host_boot_id=here["boot_id"])
    known = machine.model_dump(exclude={"runtimes"})
    environments = {
        name: Environment(
            label=label,
            runtime=runtime_of(artifact, kind),
            runtime_version=machine.runtimes.get(runtime_of(artifact, kind), "unknown"),
            threads=request.threads,
            sandbox=sandbox,
            target=target,
            **known,
        )
        for name, artifact in request.models.items()
    }
    return ProbeAnswer(facts, environments, folder)


def _refused(failure: ProbeFailure, request: ProbeRequest[Facts], workspace: Workspace, target: str) -> Refused:
    blamed = [request.models[failure.model]] if failure.model in request.models else request.models.values()
    place = f" on {target}" if target else ""
    what = f"running {', '.join(artifact.name for artifact in blamed)}{place}"
    why = _clause(failure.message, request.models, workspace)
    match failure.kind:
        case "missing" if target:
            do = f"have a person run `edgewright target check {target}`: it says how to install it"
            return Refused.because(Code.TARGET_UNFIT, what, why, do)
        case "missing":
            return Refused.because(Code.MISSING_EXTRA, what, why, "have the operator run `edgewright doctor`")
        case "load":
            do = "check the file with the tool that wrote it, and export it again with a supported operator set"
            if target:
                do = (
                    f"see with `edgewright target check {target}` which runtime version it has; install a newer one "
                    "there, or export the model with an older operator set"
                )
            return Refused.because(Code.MODEL_INVALID, what, f"it does not load: {why}", do)
        case "input":
            do = "correct the data card, or export the model with the inputs that the preprocessing yields"
            return Refused.because(Code.DATA_MISMATCH, what, why, do, "P9")
        case "memory":
            do = "use a smaller model or input, or raise the memory limit in the operator's configuration"
            return Refused.because(Code.MEMORY_LIMIT, what, f"memory ran out: {why}", do)
        case "disk":
            where = f"free space on {target}" if target else "free space on the disk of the state folder"
            do = f"{where} and call again; nothing was changed"
            return Refused.because(Code.DISK_FULL, what, f"the disk takes no more: {why}", do, "P11")
        case "output":
            do = "give the model outputs that are arrays of numbers, one entry a sample"
            return Refused.because(Code.MODEL_UNSUPPORTED, what, why, do)
        case "run":
            do = "run the model once with the framework that it comes from, on the same sample, and export it again"
            return Refused.because(Code.MODEL_INVALID, what, f"it fails on the data: {why}", do)


def _clause(message: str, models: Mapping[str, Artifact], workspace: Workspace) -> str:
    """Return a runtime's message as one line of bounded length, models called by name instead of by path."""
    for artifact in models.values():
        message = message.replace(str(workspace.path_of(artifact.sha256)), artifact.name)
        message = message.replace(artifact.sha256, artifact.name)
    line = "".join(character if character.isprintable() else " " for character in message)
    return " ".join(line.split())[:LONGEST_MESSAGE].rstrip(". ")
