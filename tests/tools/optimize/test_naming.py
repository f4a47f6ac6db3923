"""Names of candidates."""

import pytest

from edgewright.state.artifacts import Format
from edgewright.tools.optimize.naming import candidate_name


@pytest.mark.promise("P5")
@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("mobilenet_v2", "mobilenet_v2_static_int8.onnx"),
        ("my model (final)", "my-model-final_static_int8.onnx"),
        ("../../etc/passwd", "etc-passwd_static_int8.onnx"),
        ("-rf", "rf_static_int8.onnx"),
        ("\u202egpj", "gpj_static_int8.onnx"),
        ("модель", "model_static_int8.onnx"),
        ("x" * 300, "x" * 80 + "_static_int8.onnx"),
    ],
)
def test_any_model_name_gives_a_plain_file_name(model: str, name: str) -> None:
    assert candidate_name(model, "static", "int8", Format.ONNX) == name
