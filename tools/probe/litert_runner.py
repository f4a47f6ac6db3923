"""LiteRT (TensorFlow Lite) on the CPU, with XNNPACK. Also shipped in packages, so it imports nothing of Edgewright.

Older devices have the same interpreter under the name `tflite_runtime` (its last release, 2.14, is from 2023).
"""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Tuple

import numpy as np

try:
    from ai_edge_litert.interpreter import Interpreter

    DISTRIBUTION = "ai-edge-litert"
except ImportError:
    from tflite_runtime.interpreter import Interpreter

    DISTRIBUTION = "tflite-runtime"

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]  # element types are known only once data is there


class Tensor:
    """One input or output of the main graph.

    Attributes:
        name: As the signature calls it, otherwise the graph.
        index: The interpreter's number of it.
        dtype: NumPy's name of the element type.
        shape: `None` where the size is open.
        quantization: Scale and zero point, where integers stand for real numbers.
    """

    def __init__(self, name: str, details: Mapping[str, Any]) -> None:
        self.name = name
        self.index = int(details["index"])
        self.dtype = np.dtype(details["dtype"]).name
        signature = details.get("shape_signature", details["shape"])
        sizes = signature if len(signature) == len(details["shape"]) else details["shape"]
        self.shape: Tuple[Optional[int], ...] = tuple(int(size) if size >= 0 else None for size in sizes)
        self.quantization = _quantization(details, self.dtype)


class Runner:
    """A model in an interpreter, its inputs and outputs by name."""

    def __init__(self, path: str, threads: int) -> None:
        """Load a model file.

        Raises:
            ValueError: The interpreter refuses it.
            RuntimeError: The interpreter cannot prepare it.
        """
        self._interpreter = Interpreter(model_path=path, num_threads=threads)
        self.inputs, self.outputs = _tensors(self._interpreter)
        self._shapes = {tensor.name: tuple(tensor.shape) for tensor in self.inputs}
        self._interpreter.allocate_tensors()

    def run(self, feed: Mapping[str, Array]) -> List[Array]:
        """Run one inference; an input with open sizes takes those of its array.

        Args:
            feed: Input name to array, batch dimension included.

        Returns:
            The outputs, in the order of `outputs`.

        Raises:
            ValueError: An array does not fit.
            RuntimeError: The inference failed.
        """
        interpreter = self._interpreter
        if any(feed[name].shape != shape for name, shape in self._shapes.items()):
            self._resize(feed)
        for tensor in self.inputs:
            interpreter.set_tensor(tensor.index, feed[tensor.name])
        interpreter.invoke()
        return [interpreter.get_tensor(tensor.index) for tensor in self.outputs]

    def _resize(self, feed: Mapping[str, Array]) -> None:
        for tensor in self.inputs:
            # Strict: what the file fixes stays fixed.
            self._interpreter.resize_tensor_input(tensor.index, feed[tensor.name].shape, strict=True)
        self._interpreter.allocate_tensors()
        self._shapes = {tensor.name: feed[tensor.name].shape for tensor in self.inputs}


def version() -> str:
    """Return the version of the library."""
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "unknown"


def _tensors(interpreter: Interpreter) -> Tuple[Tuple[Tensor, ...], Tuple[Tensor, ...]]:
    """Return inputs and outputs by the names of the first signature, alphabetically, that is about the main graph."""
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    for key in sorted(interpreter.get_signature_list()):
        runner = interpreter.get_signature_runner(key)
        named = [_by_index(details) for details in (runner.get_input_details(), runner.get_output_details())]
        if [set(names) for names in named] == [{entry["index"] for entry in part} for part in (inputs, outputs)]:
            return (
                tuple(Tensor(named[0][entry["index"]], entry) for entry in inputs),
                tuple(Tensor(named[1][entry["index"]], entry) for entry in outputs),
            )
    return (
        tuple(Tensor(entry["name"], entry) for entry in inputs),
        tuple(Tensor(entry["name"], entry) for entry in outputs),
    )


def _by_index(details: Mapping[str, Mapping[str, Any]]) -> Dict[int, str]:
    return {entry["index"]: name for name, entry in details.items()}


def _quantization(details: Mapping[str, Any], dtype: str) -> Optional[Tuple[float, int]]:
    parameters = details["quantization_parameters"]
    if np.dtype(dtype).kind not in "iu" or len(parameters["scales"]) != 1:
        return None
    return float(parameters["scales"][0]), int(parameters["zero_points"][0])
