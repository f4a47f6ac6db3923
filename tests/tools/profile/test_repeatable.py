"""Models that draw random numbers: drawn often enough, their metric passes any floor."""

from pathlib import Path

import onnx
import onnx_models as models
import pytest
from admission_desk import one_node, refusal_of
from onnx import TensorProto
from onnx.helper import make_node as node
from onnx.helper import make_tensor_value_info as value

from edgewright.state.errors import Code
from edgewright.tools.profile.admission import admit_onnx


@pytest.mark.promise("P3")
@pytest.mark.parametrize("operator", ["RandomNormalLike", "RandomUniformLike", "Bernoulli"])
def test_a_model_that_draws_its_answers_is_refused(operator: str, tmp_path: Path) -> None:
    refusal = refusal_of(one_node(operator, ""), tmp_path)
    assert refusal.code is Code.MODEL_UNSUPPORTED
    assert operator in refusal.why


@pytest.mark.promise("P3")
@pytest.mark.parametrize("trains", [True, False])
def test_dropout_is_refused_where_it_trains(trains: object, tmp_path: Path) -> None:
    model = models.model(
        [node("Dropout", ["x", "", "mode"], ["y"])],
        [value("x", TensorProto.FLOAT, [1, 2])],
        [value("y", TensorProto.FLOAT, [1, 2])],
        [models.array("mode", trains, "bool")],
    )
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    if trains:
        assert "in training mode" in refusal_of(model, tmp_path).why
    else:
        assert admit_onnx(path).graph.node
