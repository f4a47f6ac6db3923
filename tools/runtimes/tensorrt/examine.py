"""Whether NVIDIA's own parser and builder take a graph: TensorRT-RTX, which builds ahead of time without a GPU.

It is a sibling of the TensorRT on a Jetson: the same parser, another builder, and architectures among which that of an
Orin is not. What it refuses, a Jetson refuses too, as far as the parser goes; what it takes is no proof (NVIDIA
TensorRT-RTX documentation, "Support Matrix" and "Ahead-of-Time Compilation").
"""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from edgewright.tools.extras import load
from edgewright.tools.inheritance import inherited
from edgewright.tools.probe.tensorrt_builder import Build, Fault, Options, Shapes, Unbuildable

LIBRARY, DISTRIBUTION = "tensorrt_rtx_bindings", "tensorrt-rtx-cu13-bindings"
# The nearest that it builds for: an Orin is 8.7 (NVIDIA, "CUDA GPU Compute Capability").
ARCHITECTURE, OF_AN_ORIN = "8.6", "8.7"
# Building ahead of time measures nothing and takes seconds.
LIMIT_S = 300.0


@dataclass(frozen=True)
class Examined:
    """A graph that was taken.

    Attributes:
        layers: What the parser made of it.
        engine_bytes: Size of the engine that was built and thrown away: it runs on no Jetson.
        library_version: Of TensorRT-RTX.
    """

    layers: int
    engine_bytes: int
    library_version: str


def library_version() -> str:
    """Return the version of TensorRT-RTX.

    Raises:
        Refused: MISSING_EXTRA.
    """
    load(LIBRARY)
    return version(DISTRIBUTION)


def examine(path: Path, shapes: Shapes, limit_s: float = LIMIT_S) -> Examined:
    """Parse a graph and build an engine of it that nobody will run, in a process of its own.

    Args:
        path: An ONNX file.
        shapes: Input to the shape that it is built for, where the graph leaves a size open.
        limit_s: How long that may take; on some graphs the builder does not come to an end (a GRU, version 1.7.1).

    Raises:
        Refused: MISSING_EXTRA.
        Unbuildable: The parser or the builder does not take it.
    """
    load(LIBRARY)
    command = [sys.executable, "-I", "-m", __name__, str(path), json.dumps(shapes)]
    try:
        ended = subprocess.run(
            command,
            env=inherited(LANG="C.UTF-8"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=limit_s,
        )
    except subprocess.TimeoutExpired as error:
        raise Unbuildable(f"it did not come to an end within {limit_s:g} s") from error
    if ended.returncode != 0:
        raise Unbuildable(f"it fell over (status {ended.returncode})")
    answer = json.loads(ended.stdout.splitlines()[-1])
    if "engine_bytes" in answer:
        return Examined(**answer)
    raise Unbuildable(answer["message"], tuple(Fault(**fault) for fault in answer["faults"]))


def main() -> None:
    """Examine the graph named on the command line; print what came of it as one line of JSON."""
    try:
        answer = asdict(_examined(Path(sys.argv[1]), json.loads(sys.argv[2])))
    except Unbuildable as unbuildable:
        answer = {"message": str(unbuildable), "faults": [asdict(fault) for fault in unbuildable.faults]}
    sys.stdout.write(f"\n{json.dumps(answer)}\n")


def _examined(path: Path, shapes: Shapes) -> Examined:
    trt = load(LIBRARY)
    build = Build(trt)
    layers = build.parse(path.read_bytes())
    config = build.configured(shapes, Options())
    config.num_compute_capabilities = 1
    config.set_compute_capability(getattr(trt.ComputeCapability, f"SM{ARCHITECTURE.replace('.', '')}"), 0)
    return Examined(layers, len(build.engine(config)), version(DISTRIBUTION))


if __name__ == "__main__":
    main()
