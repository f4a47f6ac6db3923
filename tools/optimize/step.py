"""The contract of every optimisation: `requires` -> `run` -> `ensures`, on a copy of the base.

A step writes a new file and says what to know about it. Everything that makes that file a candidate is done here, once
for all steps and formats: it must differ from its base, be well formed, keep the base's interface, run, and answer with
numbers. What a file says, `edgewright.tools.formats` reads; a candidate has the format of its base.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Protocol

from edgewright.state.artifacts import Artifact, Format, Recipe, TensorSpec
from edgewright.state.errors import Code, CorruptArtifact, Refused
from edgewright.state.files import file_sha256
from edgewright.tools.formats.model import MODULES, Model, read
from edgewright.tools.legible import clause, legible
from edgewright.tools.optimize.comparison import OutputComparison, compare
from edgewright.tools.optimize.naming import EXTENSIONS, candidate_name
from edgewright.tools.orders import ConvertOrder, QuantizeOrder
from edgewright.tools.targets.target import Target
from edgewright.tools.workspace import Workspace

# Operators that only move data, and those that only change its type, by ONNX's names and TFLite's.
MOVES = frozenset({"Transpose", "TRANSPOSE"})
CASTS = frozenset({"Cast", "CAST", "QUANTIZE", "DEQUANTIZE", "QuantizeLinear", "DequantizeLinear"})


@dataclass(frozen=True)
class Made:
    """A candidate.

    Attributes:
        artifact: The new file, kept in the workspace.
        findings: What to know about it, a sentence each without a full stop.
    """

    artifact: Artifact
    findings: tuple[str, ...]


class Step(Protocol):
    """One way to make a candidate.

    Attributes:
        call: The call it belongs to: `quantize` or `convert`.
        option: What it is called there.
        optimization: Middle part of the candidate's name.
        parameters: Everything that has to be said to make the same file again.
        tools: Versions of the libraries that do the work.
    """

    call: str
    option: str
    optimization: str
    parameters: Mapping[str, object]
    tools: Mapping[str, str]

    def requires(self, model: Model) -> None:
        """Refuse a base that the step cannot work on. Must not change it."""

    def run(self, source: Path, made: Path) -> tuple[str, ...]:
        """Read `source`, write `made`, return findings. Both lie in a folder of this step alone."""

    def ensures(self, comparison: tuple[OutputComparison, ...]) -> tuple[str, ...]:
        """Judge the outputs: refuse, or return findings."""


def make(
    step: Step, order: QuantizeOrder | ConvertOrder, workspace: Workspace, target: Target, *, changes: bool = True
) -> Made:
    """Make a candidate and keep it, if all that a candidate promises holds.

    Args:
        step: What makes it.
        order: What was asked for.
        workspace: The job's.
        target: Where outputs are computed.
        changes: Whether the step has to change what is computed, or how.

    Raises:
        Refused: What the step requires is missing, or what it ensures does not hold; nothing is kept then.
        CorruptArtifact: The base is not what its digest says.
    """
    folder = workspace.scratch(step.option)
    folder.mkdir()
    model_format = order.format if isinstance(order, ConvertOrder) else order.base.format
    source, made = (
        folder / f"{name}.{EXTENSIONS[of]}" for name, of in (("base", order.base.format), ("candidate", model_format))
    )
    shutil.copyfile(workspace.path_of(order.base.sha256), source)
    # A framework's file is read by that framework alone, elsewhere.
    base = read(source, order.base.format) if order.base.format in MODULES else None
    if base is not None:
        step.requires(base)
    workspace.progress(0, 3, f"{step.call} {step.option}")
    findings = _run(step, source, made)
    candidate = read(made, model_format)
    _check_interface(step, order.base, candidate, crossed=order.base.format is not model_format)
    _check_candidate(step, base if changes and order.base.format is model_format else None, candidate)
    if order.base.format is not model_format:
        before = f" ({_moves_and_casts(base)} in its base)" if base else ""
        findings += (f"{_moves_and_casts(candidate)} in it{before}",)
    candidate.mark(order.lineage)
    candidate.save(made)
    artifact = _artifact(step, order, candidate, model_format, made)
    workspace.progress(1, 3, "comparing outputs with the base's")
    comparison = compare(order.base, (artifact, made), order.validation, workspace, target)
    _check_finite(step, comparison)
    findings += step.ensures(comparison)
    findings += tuple(output.sentence for output in comparison)
    workspace.progress(2, 3, "checking that the base is as it was")
    _check_base(order.base, workspace)
    workspace.keep(made)
    return Made(artifact, findings)


def _moves_and_casts(model: Model) -> str:
    counts = model.graph().operators
    moves, casts = (sum(counts.get(kind, 0) for kind in kinds) for kinds in (MOVES, CASTS))
    return f"{moves} transposes and {casts} casts"


def _check_base(base: Artifact, workspace: Workspace) -> None:
    if file_sha256(workspace.path_of(base.sha256)) != base.sha256:
        raise CorruptArtifact(f"{base.name} no longer has the SHA-256 {base.sha256} that names it")


def _run(step: Step, source: Path, made: Path) -> tuple[str, ...]:
    try:
        return step.run(source, made)
    except (Refused, MemoryError, OSError):
        raise
    except Exception as error:  # the libraries raise whatever comes, and none of it may look like a crash of ours
        raise Refused.because(
            Code.MODEL_UNSUPPORTED,
            _doing(step),
            f"the library gave up with {type(error).__name__}: {clause(error)}",
            "simplify the model first, or export it with a newer opset_version",
            option=step.option,
            tools=dict(step.tools),
        ) from error


def _doing(step: Step) -> str:
    return f"{'quantizing' if step.call == 'quantize' else 'converting'} this model by {step.option}"


def _check_interface(step: Step, base: Artifact, candidate: Model, *, crossed: bool) -> None:
    """Refuse a result that no longer takes what the preprocessing yields, or gives what the card decodes (P9)."""
    changed = [
        f"{old} became {new}"
        for before, after in ((base.inputs, candidate.inputs), (base.outputs, candidate.outputs))
        for old, new in zip_longest([spec.meaning for spec in before], [spec.meaning for spec in after])
        if old is None or new is None or not _stands_for(new, old, fixed=crossed)
    ]
    if changed:
        raise Refused.because(
            Code.CONVERSION_DIVERGED,
            _doing(step),
            f"the result has another interface than its base: {clause('; '.join(changed))}",
            "choose another option; the preprocessing must fit baseline and candidate alike",
            "P9",
            option=step.option,
        )


def _stands_for(new: TensorSpec, old: TensorSpec, *, fixed: bool) -> bool:
    """Whether a tensor takes the place of another; between formats, a size that was open may have been fixed."""
    if not fixed:
        return new == old
    sizes = len(old.shape) == len(new.shape) and all(
        before in {None, after} or (after is None and axis == 0)
        for axis, (before, after) in enumerate(zip(old.shape, new.shape, strict=True))
    )
    return (new.name, new.dtype) == (old.name, old.dtype) and sizes


def _check_candidate(step: Step, base: Model | None, candidate: Model) -> None:
    """Refuse a result that computes what its base does, where they can be compared, or that is unsound."""
    what = _doing(step)
    if base is not None and base.fingerprint() == candidate.fingerprint():
        raise Refused.because(
            Code.NOTHING_CHANGED,
            what,
            "the result computes exactly what its base computes, node for node",
            "choose another option, or another base",
            option=step.option,
        )
    fault = candidate.fault()
    if fault is not None:
        raise Refused.because(
            Code.MODEL_INVALID,
            what,
            fault,
            "simplify the model first, or choose another option",
            option=step.option,
        )


def _check_finite(step: Step, comparison: tuple[OutputComparison, ...]) -> None:
    for output in comparison:
        if output.non_finite:
            raise Refused.because(
                Code.MODEL_NOT_FINITE,
                _doing(step),
                f"for {output.non_finite} of {output.non_finite + output.samples} samples the output "
                f"'{legible(output.name)}' holds NaN or infinity where the base has numbers",
                "choose another scheme; in float16 everything beyond 65504 overflows",
                output=output.name,
                samples=output.non_finite,
            )


def _artifact(
    step: Step, order: QuantizeOrder | ConvertOrder, candidate: Model, model_format: Format, made: Path
) -> Artifact:
    precision = candidate.precision
    return Artifact(
        sha256=file_sha256(made),
        name=candidate_name(order.model_name, step.optimization, precision, model_format),
        format=model_format,
        precision=precision,
        size_bytes=made.stat().st_size,
        parent=order.base.sha256,
        recipe=Recipe(step.call, step.option, step.parameters, step.tools),
        inputs=candidate.inputs,
        outputs=candidate.outputs,
    )
