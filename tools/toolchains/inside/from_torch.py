"""PyTorch to ONNX by its own exporter, from a program that was exported already."""

from collections.abc import Mapping
from typing import Any

import torch

from edgewright.tools.probe.torch_session import load

Request = Mapping[str, Any]


def torch_to_onnx(request: Request) -> list[str]:
    """Convert with the exporter that works on exported programs; weights stay inside the file."""
    session = load(request["source"], 1)
    torch.onnx.export(
        session.program,
        f=request["made"],
        dynamo=True,
        opset_version=request["opset"],
        external_data=False,
        verbose=False,
    )
    return [f"converted by torch.onnx of PyTorch {torch.__version__}, opset {request['opset']} asked for"]
