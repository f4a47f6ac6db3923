"""TensorRT on an NVIDIA GPU, as the probe sees it: an engine is built where it runs, from the ONNX file that came.

Nothing is loaded that was built elsewhere: an engine is native code, and no file of one is ever sent here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import tensorrt

from edgewright.tools.probe.answer import ProbeError
from edgewright.tools.probe.columns import Array
from edgewright.tools.probe.cuda_memory import CudaError, cuda
from edgewright.tools.probe.session import Feed, OperatorTime, Port
from edgewright.tools.probe.tensorrt_builder import Build, Options, Unbuildable, timing_cache_of
from edgewright.tools.probe.tensorrt_runner import Runner

# One batch, and of every other size that a graph leaves open the one of the samples: what a package is built for too.
_CACHE = "timing.cache"


class TensorRtSession:
    """An engine with its memory, built for the shapes of the first inference."""

    def __init__(self, model: bytes, folder: Path) -> None:
        self._model, self._folder = model, folder
        self._build = Build(tensorrt)
        try:
            self._build.parse(model)
        except Unbuildable as error:
            raise ProbeError("load", str(error)) from error
        self._runner: Any = None
        self.inputs = tuple(_port(tensor) for tensor in self._build.inputs())
        self.outputs = tuple(_port(tensor) for tensor in self._build.outputs())
        if not self._build.open_inputs():
            self._runner = self._built({})

    def run(self, feed: Feed) -> List[Array]:
        """Run one inference; the first builds the engine, where the graph leaves sizes open.

        Raises:
            ProbeError: TensorRT refused or failed.
        """
        if self._runner is None:
            self._runner = self._built({name: array.shape for name, array in feed.items()})
        try:
            outputs: List[Array] = self._runner.run(feed)
        except (ValueError, CudaError) as error:
            raise ProbeError("run", str(error)) from error
        return outputs

    def _built(self, shapes: Dict[str, Sequence[int]]) -> Runner:
        cache = self._folder / _CACHE
        options = Options(timing_cache=cache.read_bytes() if cache.is_file() else b"")
        try:
            config = self._build.configured(shapes, options)
            engine = self._build.engine(config)
            cache.write_bytes(timing_cache_of(config))
            return Runner(engine, tensorrt, cuda())
        except Unbuildable as error:
            raise ProbeError("load", str(error)) from error
        except CudaError as error:
            raise ProbeError("missing", str(error)) from error


def version() -> str:
    """Return the version of the library."""
    return str(tensorrt.__version__)


def load(path: str, threads: int) -> TensorRtSession:
    """Build an engine from an ONNX file; `threads` are the processor's and mean nothing here.

    Raises:
        ProbeError: TensorRT does not take the file.
    """
    del threads
    return TensorRtSession(Path(path).read_bytes(), Path(path).resolve().parent)


def profile(path: str, threads: int, feeds: Sequence[Feed], warmup_runs: int, folder: Path) -> Tuple[OperatorTime, ...]:
    """Return nothing: layers of an engine are fused operators, and their times say nothing of the graph's own."""
    del path, threads, feeds, warmup_runs, folder
    return ()


def _port(tensor: Tuple[str, str, Tuple[int, ...]]) -> Port:
    name, dtype, shape = tensor
    return Port(name, dtype, tuple(size if size >= 0 else None for size in shape))
