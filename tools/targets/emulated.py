"""A host that stands in for a device which computes in float16: what has float16 inside is computed as such (P6)."""

from dataclasses import replace
from pathlib import Path

import onnx

from edgewright.state.artifacts import Artifact, Device, Format
from edgewright.state.evidence import Label
from edgewright.tools.formats.onnx_half import rounded
from edgewright.tools.targets.answer import Facts, ProbeAnswer
from edgewright.tools.targets.request import ProbeRequest
from edgewright.tools.targets.target import Target
from edgewright.tools.workspace import Progress, Workspace

# What computes float16 in float16. A CPU's runtime does not, and what is made for one may be judged by one.
HALF_DEVICES = frozenset({Device.JETSON_ORIN_NANO})


def place_of_accuracy(device: Device, host: Target) -> Target:
    """Return where answers of a model for this device are computed, as long as the device itself is not asked."""
    return HalfEmulated(host) if device in HALF_DEVICES else host


class HalfEmulated:
    """A host on which every result of an operator in float16 is rounded to float16. Times of it mean nothing."""

    def __init__(self, host: Target) -> None:
        self._host = host

    def run(
        self, request: ProbeRequest[Facts], workspace: Workspace, progress: Progress | None = None
    ) -> ProbeAnswer[Facts]:
        """Run the probe once; see `Target.run`. Answers of models without float16 are those of the host."""
        written = {name: _rounded(artifact, workspace) for name, artifact in request.models.items()}
        paths = {name: path for name, path in written.items() if path is not None}
        with workspace.holding(*paths.values()) as digests:
            rounded_models = {
                name: replace(request.models[name], sha256=digest) for name, digest in zip(paths, digests, strict=True)
            }
            asked = replace(request, models={**request.models, **rounded_models})
            answer = self._host.run(asked, workspace, progress)
        environments = {
            name: replace(environment, label=Label.EMULATED_HALF) if name in paths else environment
            for name, environment in answer.environments.items()
        }
        return replace(answer, environments=environments)


def _rounded(artifact: Artifact, workspace: Workspace) -> Path | None:
    """Write the model with its float16 as such; return where, or nothing where it has none."""
    if artifact.format is not Format.ONNX:
        return None
    model = rounded(onnx.load(workspace.path_of(artifact.sha256), load_external_data=False))
    if model is None:
        return None
    path = workspace.scratch("rounded.onnx")
    onnx.save(model, path)
    return path
