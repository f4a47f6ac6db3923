"""What a package says of an engine that is still to be built, and how that is done on the device."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from edgewright.state.artifacts import Artifact
from edgewright.tools.probe.tensorrt_builder import Options

Engine = dict[str, Any]  # JSON, as the manifest's schema has it

BUILDER = "build_engine.py"
NOT_BUILT = (
    "TensorRT engine: not built. An engine runs only on the kind of device that it was built on, so it is built there; "
    "its speed, memory and accuracy are unmeasured, but for what is labelled as measured on target."
)
# Where JetPack has it (NVIDIA Jetson Linux; TensorRT documentation, "Command-Line Programs").
TRTEXEC = "/usr/src/tensorrt/bin/trtexec"
CHECKED_BY = "tensorrt-rtx"
_SHAPES: TypeAdapter[dict[str, list[int]]] = TypeAdapter(dict[str, list[int]])


def engine_of(artifact: Artifact, file_name: str) -> Engine | None:
    """Return the recipe of an engine for the manifest; `None` where the file is no graph that awaits one.

    Args:
        artifact: What is shipped.
        file_name: Its name in the package.
    """
    if not artifact.awaits_engine:
        return None
    recipe = artifact.recipe
    shapes = _SHAPES.validate_python(recipe.parameters.get("shapes", {}))
    workspace_mib = Options().workspace_mib
    return {
        "status": "not built",
        "why": NOT_BUILT,
        "checked_by": next((f"{name} {found}" for name, found in recipe.tools.items() if CHECKED_BY in name), ""),
        "built_ahead_for": str(recipe.parameters.get("built_ahead_for", "")),
        "shapes": shapes,
        "workspace_mib": workspace_mib,
        "build": BUILDER,
        "trtexec": _trtexec(file_name, shapes, workspace_mib),
    }


def _trtexec(file_name: str, shapes: Mapping[str, list[int]], workspace_mib: int) -> list[str]:
    """Return the command of TensorRT 10, which is what JetPack 6 has (its `trtexec --help`)."""
    said = ",".join(f"{name}:{'x'.join(map(str, sizes))}" for name, sizes in shapes.items())
    profile = [f"--{bound}Shapes={said}" for bound in ("min", "opt", "max")] if said else []
    return [
        TRTEXEC,
        f"--onnx={file_name}",
        f"--saveEngine={file_name.rpartition('.')[0]}.engine",
        "--stronglyTyped",
        f"--memPoolSize=workspace:{workspace_mib}",
        "--timingCacheFile=timing.cache",
        *profile,
    ]
