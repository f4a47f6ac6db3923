"""A TensorRT engine on the GPU that it was built on. Also shipped in packages, so it imports nothing of Edgewright."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.generic]

Module = Any  # TensorRT's has no types
Memory = Any  # one of the two shapes in cuda_memory


@dataclass(frozen=True)
class Tensor:
    """One input or output of the engine.

    Attributes:
        name: As the graph calls it.
        dtype: NumPy's name of the element type.
        shape: `None` where the size is open.
    """

    name: str
    dtype: str
    shape: Tuple[Optional[int], ...]


@dataclass(frozen=True)
class Times:
    """One inference in milliseconds by the GPU's own clock.

    Attributes:
        copy_in_ms: Inputs to the device.
        compute_ms: The engine.
        copy_out_ms: Outputs from the device.
    """

    copy_in_ms: float
    compute_ms: float
    copy_out_ms: float


class Runner:
    """An engine with memory of its own for inputs and outputs."""

    def __init__(self, engine: bytes, trt: Module, cuda: Memory) -> None:
        """Load an engine. It is native code: only what was built here may be given.

        Args:
            engine: The file's content.
            trt: The module `tensorrt`.
            cuda: What `cuda_memory.cuda` returns.

        Raises:
            ValueError: TensorRT does not take it.
        """
        self._trt, self._cuda = trt, cuda
        self._logger = trt.Logger(trt.Logger.ERROR)
        self._runtime = trt.Runtime(self._logger)
        self._engine = self._runtime.deserialize_cuda_engine(engine)
        if self._engine is None:
            raise ValueError("TensorRT %s does not take this engine" % trt.__version__)
        self._context = self._engine.create_execution_context()
        names = [self._engine.get_tensor_name(number) for number in range(self._engine.num_io_tensors)]
        self.inputs = tuple(self._tensor(name) for name in names if self._is_input(name))
        self.outputs = tuple(self._tensor(name) for name in names if not self._is_input(name))
        self._memory: Dict[str, Tuple[int, int]] = {}
        self._events = [cuda.event() for _ in range(4)]

    def run(self, feed: "Mapping[str, Array]") -> "List[Array]":
        """Run one inference.

        Args:
            feed: Input name to array, batch dimension included.

        Returns:
            The outputs, in the order of `outputs`.

        Raises:
            ValueError: An array does not fit, or the engine failed.
        """
        cuda, context = self._cuda, self._context
        arrays = {tensor.name: np.ascontiguousarray(feed[tensor.name]) for tensor in self.inputs}
        for name, array in arrays.items():
            if not context.set_input_shape(name, tuple(array.shape)):
                raise ValueError("input %s: the engine was not built for the shape %s" % (name, array.shape))
        results = [
            np.empty(tuple(context.get_tensor_shape(tensor.name)), dtype=np.dtype(tensor.dtype))
            for tensor in self.outputs
        ]
        for name, array in [*arrays.items(), *((t.name, r) for t, r in zip(self.outputs, results))]:
            context.set_tensor_address(name, self._room(name, array.nbytes))
        cuda.record(self._events[0])
        for name, array in arrays.items():
            cuda.to_device(self._memory[name][0], array)
        cuda.record(self._events[1])
        if not context.execute_async_v3(cuda.stream):
            raise ValueError("the engine failed")
        cuda.record(self._events[2])
        for tensor, result in zip(self.outputs, results):
            cuda.to_host(result, self._memory[tensor.name][0])
        cuda.record(self._events[3])
        cuda.wait()
        return results

    def times(self) -> Times:
        """Return how long the last inference took by the GPU's own clock."""
        points = self._events
        parts = (self._cuda.elapsed_ms(start, end) for start, end in zip(points, points[1:]))
        return Times(*parts)

    def layers(self) -> "List[Dict[str, Any]]":
        """Return what the engine says of its layers, in order; without detail where it was built without."""
        inspector = self._engine.create_engine_inspector()
        said = json.loads(inspector.get_engine_information(self._trt.LayerInformationFormat.JSON))
        found = said.get("Layers", [])
        return [layer if isinstance(layer, dict) else {"Name": layer} for layer in found]

    def _is_input(self, name: str) -> bool:
        return bool(self._engine.get_tensor_mode(name) == self._trt.TensorIOMode.INPUT)

    def _tensor(self, name: str) -> Tensor:
        sizes = tuple(self._engine.get_tensor_shape(name))
        dtype = np.dtype(self._trt.nptype(self._engine.get_tensor_dtype(name))).name
        return Tensor(name, dtype, tuple(int(size) if size >= 0 else None for size in sizes))

    def _room(self, name: str, size: int) -> int:
        """Return device memory for a tensor: what it had, where that is large enough."""
        address, has = self._memory.get(name, (0, -1))
        if has < size:
            if has >= 0:
                self._cuda.free(address)
            address = self._cuda.allocate(size)
            self._memory[name] = (address, size)
        return address
