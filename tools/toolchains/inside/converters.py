"""The converters by name. Each reads `source`, writes `made`, and returns what to know about it.

Every result keeps the source's names: what a data card says of the one holds for the other.
"""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from edgewright.tools.probe.answer import ProbeError

Request = Mapping[str, Any]

MODULES = {
    "keras_to_tflite": "edgewright.tools.toolchains.inside.from_keras",
    "keras_to_onnx": "edgewright.tools.toolchains.inside.from_keras",
    "torch_to_onnx": "edgewright.tools.toolchains.inside.from_torch",
    "onnx_to_tflite": "edgewright.tools.toolchains.inside.from_onnx",
}


def convert(request: Request) -> list[str]:
    """Do what a request asks for.

    Raises:
        ProbeError: The source does not load, or no converter has that name.
    """
    name = request["converter"]
    if name not in MODULES:
        raise ProbeError("load", f"no converter is called {name}")
    converter: Callable[[Request], list[str]] = getattr(importlib.import_module(MODULES[name]), name)
    return converter(request)
