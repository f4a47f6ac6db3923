"""What a model file says of itself, against numbers worked out by hand."""

from pathlib import Path

import onnx
import onnx_models as models
import pytest
from onnx import ModelProto, TensorProto, helper
from onnx.helper import make_node as node
from onnx.helper import make_tensor_value_info as value

from edgewright.state.artifacts import TensorSpec
from edgewright.tools.profile.inspect import inspect_model, precision_of


@pytest.mark.parametrize(
    ("model", "parameters", "macs"),
    [
        # 3*8*9 + 8 + 8*8*9 + 8 + 10*8 + 10; 16*16 positions * (216 + 576) + 80
        pytest.param(models.conv_net(), 898, 16 * 16 * (8 * 27 + 8 * 72) + 80, id="residual convolutions"),
        pytest.param(models.mlp(), 12 * 32 + 32 + 32 * 5 + 5, 12 * 32 + 32 * 5, id="matrix products"),
        pytest.param(models.gru(), 15 * 4 + 15 * 5, 6 * (15 * 4 + 15 * 5), id="GRU"),
        pytest.param(models.lstm(), 2 * 16 * 7, 7 * 2 * (16 * 3 + 16 * 4), id="bidirectional LSTM"),
        pytest.param(models.old_net(), 4 * 27 + 4 + 24 + 6, 64 * 108 + 24, id="weights listed as inputs"),
        pytest.param(models.constants_net(), 12 * 5 + 5, 60, id="weights in Constant nodes"),
        pytest.param(models.branch_net(), 24, None, id="weights in the branches of an If"),
        pytest.param(models.function_net(), 16, 32, id="a function called twice, its weights stored once"),
        pytest.param(models.shared_net(), 16, 32, id="one weight used twice"),
        pytest.param(
            models.one_conv((8, 6, 6), (8, 1, 3, 3), (8, 4, 4), group=8), 72, 16 * 8 * 9, id="depthwise convolution"
        ),
        pytest.param(models.one_conv((4, 10), (6, 2, 3), (6, 8), group=2), 36, 8 * 6 * 6, id="grouped, one dimension"),
        pytest.param(models.one_conv((2, 4, 4, 4), (3, 2, 2, 2, 2), (3, 3, 3, 3)), 48, 27 * 48, id="three dimensions"),
        pytest.param(
            models.one_conv((4, 5, 5), (4, 2, 3, 3), (2, 11, 11), "ConvTranspose", strides=[2, 2]),
            72,
            25 * 72,
            id="transposed convolution",
        ),
    ],
)
def test_parameters_and_multiplications_are_exact(model: ModelProto, parameters: int, macs: int | None) -> None:
    onnx.checker.check_model(model)
    graph = inspect_model(model)
    assert graph.parameters == parameters
    assert graph.macs == macs


@pytest.mark.parametrize(
    ("model", "readers"),
    [
        pytest.param(models.conv_net(), {"Conv", "Gemm"}, id="initialisers"),
        pytest.param(models.constants_net(), {"MatMul", "Add"}, id="weights in Constant nodes"),
        pytest.param(models.shared_net(), {"MatMul"}, id="one weight used twice"),
        pytest.param(models.function_net(), {"MatMul"}, id="a function called twice"),
    ],
)
def test_the_bytes_of_stored_tensors_are_those_of_the_operators_that_read_them(
    model: ModelProto, readers: set[str]
) -> None:
    graph = inspect_model(model)
    names_and_shapes = 64 * graph.nodes
    weights = sum(size for name, size in graph.stored_bytes.items() if name in readers)
    assert 4 * graph.parameters <= weights <= 4 * graph.parameters + names_and_shapes
    assert sum(graph.stored_bytes.values()) <= model.ByteSize() + names_and_shapes


def test_everything_else_a_file_says_is_reported(tmp_path: Path) -> None:
    onnx.save(models.branch_net(), tmp_path / "m.onnx")
    graph = inspect_model(onnx.load(tmp_path / "m.onnx"))
    assert (graph.opset, graph.ir_version, graph.producer) == (17, 8, "tests 1")
    assert graph.nodes == 5
    assert graph.operators == {"MatMul": 2, "ReduceSum": 1, "Greater": 1, "If": 1}
    assert graph.inputs == (TensorSpec("x", "float32", (None, 4)),)
    assert graph.outputs == (TensorSpec("y", "float32", (None, 3)),)


def test_weights_listed_as_inputs_are_not_inputs() -> None:
    assert [spec.name for spec in inspect_model(models.old_net()).inputs] == ["image"]


def test_multiplications_are_unknown_where_a_size_is_open() -> None:
    model = models.model(
        [node("MatMul", ["x", "w"], ["y"])],
        [value("x", TensorProto.FLOAT, ["batch", "tokens", 8])],
        [value("y", TensorProto.FLOAT, ["batch", "tokens", 4])],
        [models.weights("w", 8, 4)],
    )
    assert inspect_model(model).macs is None


def test_shapes_computed_in_the_graph_are_followed() -> None:
    model = models.model(
        [
            node("Shape", ["x"], ["shape"]),
            node("Gather", ["shape", "zero"], ["n"], axis=0),
            node("Concat", ["n", "rest"], ["target"], axis=0),
            node("Reshape", ["x", "target"], ["flat"]),
            node("MatMul", ["flat", "w"], ["y"]),
        ],
        [value("x", TensorProto.FLOAT, ["batch", 2, 3])],
        [value("y", TensorProto.FLOAT, ["batch", 5])],
        [models.array("zero", [0]), models.array("rest", [6]), models.weights("w", 6, 5)],
    )
    graph = inspect_model(model)
    assert (graph.macs, graph.parameters) == (30, 30)


def test_operators_whose_work_is_not_counted_make_the_total_unknown() -> None:
    model = models.model(
        [node("Einsum", ["x", "w"], ["y"], equation="bi,ij->bj")],
        [value("x", TensorProto.FLOAT, ["batch", 4])],
        [value("y", TensorProto.FLOAT, ["batch", 4])],
        [models.weights("w", 4, 4)],
    )
    assert inspect_model(model).macs is None


def test_a_producer_cannot_smuggle_characters_that_hide_text() -> None:
    model = models.mlp()
    model.producer_name = "pytorch\u202eevil\u200b\n" + "x" * 500
    producer = inspect_model(model).producer
    assert producer.startswith("pytorch\\u202eevil\\u200b\\u000a")
    assert len(producer) < 130
    assert producer.isprintable()


def test_inputs_that_are_no_tensors_are_named_for_what_they_are() -> None:
    sequence = helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None)
    model = models.model(
        [node("SequenceLength", ["s"], ["n"])], [sequence], [value("n", TensorProto.INT64, [])], opset=17
    )
    assert inspect_model(model).inputs == (TensorSpec("s", "sequence", ()),)


def test_precision_is_what_most_weights_are_stored_in() -> None:
    half = models.model(
        [node("MatMul", ["x", "w"], ["y"])],
        [value("x", TensorProto.FLOAT16, [1, 4])],
        [value("y", TensorProto.FLOAT16, [1, 4])],
        [models.array("w", [[1] * 4] * 4, "float16")],
    )
    assert [precision_of(model) for model in (models.mlp(), half)] == ["fp32", "fp16"]
