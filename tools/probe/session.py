"""The one shape that every runtime takes here, and the table of runtimes. A new one is a module and a row."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, Mapping, Optional, Protocol, Sequence, Tuple, cast

from edgewright.tools.probe.answer import ProbeError
from edgewright.tools.probe.columns import Array

RUNTIMES = {
    "onnxruntime": "edgewright.tools.probe.onnxruntime_session",
    "litert": "edgewright.tools.probe.litert_session",
    "keras": "edgewright.tools.probe.keras_session",
    "torch": "edgewright.tools.probe.torch_session",
    "tensorrt": "edgewright.tools.probe.tensorrt_session",
}

Feed = Mapping[str, Array]


@dataclass(frozen=True)
class Port:
    """One input or output as the loaded model declares it.

    Attributes:
        name: As the graph calls it.
        dtype: NumPy's name of the element type, or the runtime's word for what is no array of numbers.
        shape: `None` where the size is open.
        quantization: Scale and zero point, where integers stand for real numbers.
    """

    name: str
    dtype: str
    shape: Tuple[Optional[int], ...]
    quantization: Optional[Tuple[float, int]] = None

    def __str__(self) -> str:
        return f"{self.dtype} ({', '.join('?' if size is None else str(size) for size in self.shape)})"


@dataclass(frozen=True)
class OperatorTime:
    """Time that one kind of operator took, over all profiled inferences."""

    op_type: str
    calls: int
    total_ns: int


class Session(Protocol):
    """A loaded model."""

    @property
    def inputs(self) -> Tuple[Port, ...]:
        """What must be fed."""

    @property
    def outputs(self) -> Tuple[Port, ...]:
        """What comes out, in this order."""

    def run(self, feed: Feed) -> List[Array]:
        """Run one inference."""


@dataclass(frozen=True)
class Description:
    """What a framework says of a model that it has loaded.

    Attributes:
        parameters: Trained numbers.
        operators: Kind of layer or operator to count.
        weights: NumPy's name of the type of most trained numbers.
        dialect: Format and version in words.
    """

    parameters: int
    operators: Mapping[str, int]
    weights: str
    dialect: str


class Runtime(Protocol):
    """What a runtime's module offers."""

    def version(self) -> str:
        """Version of the library."""

    def load(self, path: str, threads: int) -> Session:
        """Load a model file; raise `ProbeError` of kind `load` where the runtime refuses it."""

    def profile(
        self, path: str, threads: int, feeds: Sequence[Feed], warmup_runs: int, folder: Path
    ) -> Tuple[OperatorTime, ...]:
        """Run every feed once under the runtime's own profiler; the first `warmup_runs` of them do not count."""


def runtime(name: str) -> Runtime:
    """Import a runtime by its name in the request.

    Raises:
        ProbeError: No such runtime is known, or it is not installed here.
    """
    if name not in RUNTIMES:
        raise ProbeError("load", f"this probe knows the runtimes {', '.join(sorted(RUNTIMES))}, not {name}")
    try:
        module: Any = importlib.import_module(RUNTIMES[name])
    except ImportError as error:
        raise ProbeError("missing", f"{name} cannot be imported there: {error}") from error
    return cast("Runtime", module)  # a module satisfies the protocol with its functions
