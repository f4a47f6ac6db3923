"""ONNX Runtime on the CPU, as a package uses it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when the library loads
import onnxruntime

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Array = NDArray[Any]  # element types are known only once data is there


class Runner:
    """A model, loaded with a number of threads."""

    def __init__(self, path: str, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(self, feed: Mapping[str, Array]) -> list[Array]:
        """Run one inference; return the outputs in the model's order."""
        outputs: list[Array] = self._session.run(None, dict(feed))
        return outputs
