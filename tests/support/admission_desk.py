"""What a refused ONNX file is answered with, and the smallest model around one operator."""

from pathlib import Path

import onnx_models as models
import pytest
from onnx import ModelProto, TensorProto, helper
from onnx.helper import make_node as node
from onnx.helper import make_tensor_value_info as value

from edgewright.state.errors import Refusal, Refused
from edgewright.tools.profile.admission import admit_onnx


def refusal_of(content: bytes | ModelProto, folder: Path) -> Refusal:
    path = folder / "model"
    path.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
    before = sorted(folder.iterdir())
    with pytest.raises(Refused) as caught:
        admit_onnx(path)
    assert sorted(folder.iterdir()) == before
    refusal = caught.value.refusal
    for clause in (refusal.what, refusal.why, refusal.do):
        assert clause
        assert clause.isprintable()
        assert not clause.endswith(".")
    return refusal


def one_node(op_type: str, domain: str = "", **attributes: object) -> ModelProto:
    model = models.model(
        [node(op_type, ["x"], ["y"], "the-node", domain=domain, **attributes)],
        [value("x", TensorProto.FLOAT, ["n", 4])],
        [value("y", TensorProto.FLOAT, ["n", 4])],
    )
    if domain:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    return model
