"""Which files may be worked on: each reason against one is its own, and no valid model is turned away."""

import itertools
import os
from contextlib import suppress
from pathlib import Path

import onnx
import onnx_models as models
import pytest
from admission_desk import one_node, refusal_of
from onnx import ModelProto, TensorProto, helper
from onnx.helper import make_node as node
from onnx.helper import make_tensor_value_info as value

from edgewright.state.errors import Code, Refused
from edgewright.tools.profile.admission import admit_onnx
from edgewright.tools.profile.inspect import inspect_model

VALID = Path(onnx.__file__).parent / "backend" / "test" / "data"


def with_tensor(tensor: TensorProto) -> ModelProto:
    return models.model(
        [node("Add", ["x", tensor.name], ["y"])],
        [value("x", TensorProto.FLOAT, ["n", 4])],
        [value("y", TensorProto.FLOAT, ["n", 4])],
        [tensor],
    )


def outside(**entries: str) -> ModelProto:
    tensor = TensorProto(name="w", dims=[4], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    for key, text in entries.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, text
    return with_tensor(tensor)


def raw(dims: list[int], content: bytes, kind: int = TensorProto.FLOAT) -> ModelProto:
    return with_tensor(TensorProto(name="w", dims=dims, data_type=kind, raw_data=content))


def nested(levels: int) -> bytes:
    graph = b""
    for _ in range(levels):
        # GraphProto.node(1) { attribute(5) { name(1) "then_branch", g(6) graph, type(20) GRAPH }, op_type(4) "If" }
        attribute = field(1, b"then_branch") + field(6, graph) + b"\xa0\x01\x05"
        graph = field(1, field(4, b"If") + field(5, attribute))
    return b"\x08\x08" + field(7, graph) + field(8, b"\x10\x11")


def field(number: int, content: bytes) -> bytes:
    length, size = len(content), b""
    while length > 0x7F:
        size += bytes([length & 0x7F | 0x80])
        length >>= 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + content


@pytest.mark.parametrize("path", sorted(VALID.rglob("*.onnx")), ids=lambda path: path.parent.name + path.stem)
def test_valid_models_of_the_onnx_package_are_admitted(path: Path) -> None:
    model = onnx.load(path)
    if any(entry.domain == "ai.onnx.preview.training" for entry in model.opset_import):
        pytest.skip("training operators are of no use on a device")
    assert admit_onnx(path).graph.name == model.graph.name


@pytest.mark.parametrize(
    "model",
    [
        models.conv_net(),
        models.gru(),
        models.lstm(),
        models.old_net(),
        models.constants_net(),
        models.branch_net(),
        models.function_net(),
        models.model([], [value("x", TensorProto.FLOAT, [1])], [value("x", TensorProto.FLOAT, [1])]),
    ],
    ids=["conv", "gru", "lstm", "old", "constants", "branch", "function", "no nodes"],
)
def test_small_real_models_are_admitted(model: ModelProto, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    assert admit_onnx(path) == model


@pytest.mark.parametrize(
    ("content", "code", "reason"),
    [
        (b"", Code.MODEL_INVALID, "an empty file"),
        (b"import torch\nprint('hello')\n", Code.MODEL_FORMAT_UNKNOWN, "text"),
        (models.conv_net().SerializeToString()[:3000], Code.MODEL_INVALID, "cut off"),
        (models.conv_net().SerializeToString()[:-2000], Code.MODEL_INVALID, "cut off"),
        (b"\x08\x08" + field(7, b"\x0a\xff\xff\xff\xff\x0f"), Code.MODEL_INVALID, "damaged"),
        (b"\x08\x08\x12\x04test", Code.MODEL_INVALID, "without an ONNX graph"),
        (bytes(range(128, 256)) * 40, Code.MODEL_FORMAT_UNKNOWN, "no known model format"),
        (nested(5000), Code.MODEL_INVALID, "nested deeper"),
        (nested(36), Code.MODEL_INVALID, "nested deeper"),
    ],
    ids=["empty", "text", "half", "tail", "damaged", "no graph", "random", "nesting 5000", "nesting 36"],
)
def test_files_that_are_no_whole_model_are_refused(content: bytes, code: Code, reason: str, tmp_path: Path) -> None:
    refusal = refusal_of(content, tmp_path)
    assert refusal.code is code
    assert reason in refusal.why


def test_a_file_beyond_two_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\x08\x08" + b"\x3a" + b"\x80\x80\x80\x80\x08")
    os.truncate(path, 2 + 6 + 2**31)
    with pytest.raises(Refused, match="2147483647") as caught:
        admit_onnx(path)
    assert caught.value.refusal.code is Code.MODEL_UNSUPPORTED


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("../../../etc/passwd", "../../../etc/passwd"),
        ("sub/../../../secret", "sub/../../../secret"),
        ("/etc/passwd", "/etc/passwd"),
        ("weights.bin", "weights.bin"),
        ("*/_ORT_MEM_ADDR_/*", "_ORT_MEM_ADDR_"),
        ("evil\u202ename", "evil\\u202ename"),
    ],
)
def test_weights_outside_the_file_are_refused_with_the_way_out(location: str, shown: str, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(bytes(16))
    refusal = refusal_of(outside(location=location), tmp_path)
    assert refusal.code is Code.MODEL_EXTERNAL_DATA
    assert shown in refusal.why
    assert "one file" in refusal.do


@pytest.mark.parametrize(
    "model",
    [
        outside(location="w.bin", offset="-8"),
        outside(location="w.bin", length=str(2**50)),
        outside(__class__="w.bin"),
        outside(),
    ],
    ids=["negative offset", "huge length", "attribute key", "no entries"],
)
def test_strange_keys_of_external_data_change_nothing(model: ModelProto, tmp_path: Path) -> None:
    assert refusal_of(model, tmp_path).code is Code.MODEL_EXTERNAL_DATA


def test_external_data_is_found_wherever_it_hides(tmp_path: Path) -> None:
    in_constant, in_branch, in_function = models.constants_net(), models.branch_net(), models.function_net()
    in_constant.graph.node[0].attribute[0].t.data_location = TensorProto.EXTERNAL
    in_branch.graph.node[2].attribute[0].g.initializer[0].data_location = TensorProto.EXTERNAL
    in_function.functions[0].node[0].attribute[0].t.data_location = TensorProto.EXTERNAL
    pretending = models.mlp()
    pretending.graph.initializer[0].external_data.add(key="location", value="w.bin")
    for model in (in_constant, in_branch, in_function, pretending):
        assert refusal_of(model, tmp_path).code is Code.MODEL_EXTERNAL_DATA


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (raw([4], bytes(8)), "holds 8 bytes, its dimensions [4] ask for 16"),
        (raw([4], bytes(40)), "holds 40 bytes"),
        (raw([-4], bytes(16)), "negative size -4"),
        (raw([2**40, 2**40], bytes(16)), "more than any tensor can hold"),
        (raw([2**31, 2**20], bytes(16)), "ask for"),
        (raw([4], bytes(16), 999), "unknown data type 999"),
        (raw([4], bytes(16), 0), "unknown data type 0"),
        (with_tensor(TensorProto(name="w", dims=[4], data_type=1, float_data=[1, 2])), "holds 2 values"),
        (with_tensor(TensorProto(name="w", dims=[4], data_type=1)), "holds 0 values"),
    ],
    ids=["short", "long", "negative", "overflow", "huge", "dtype 999", "dtype 0", "few values", "nothing"],
)
def test_stored_tensors_must_hold_what_their_shape_says(model: ModelProto, reason: str, tmp_path: Path) -> None:
    refusal = refusal_of(model, tmp_path)
    assert refusal.code is Code.MODEL_INVALID
    assert "'w'" in refusal.why
    assert reason in refusal.why


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_refused_with_name_and_count(number: float, tmp_path: Path) -> None:
    model = models.conv_net()
    weights = onnx.numpy_helper.to_array(model.graph.initializer[2]).copy()
    weights.flat[:3] = number
    model.graph.initializer[2].CopyFrom(onnx.numpy_helper.from_array(weights, "w2"))
    refusal = refusal_of(model, tmp_path)
    assert refusal.code is Code.MODEL_NOT_FINITE
    assert "'w2'" in refusal.why
    assert (refusal.facts["nan"], refusal.facts["infinite"]) in {(3, 0), (0, 3)}


@pytest.mark.parametrize("kind", ["float16", "float64"])
def test_weights_of_other_widths_are_looked_at_too(kind: str, tmp_path: Path) -> None:
    onnx_kind = helper.np_dtype_to_tensor_dtype(onnx.numpy_helper.np.dtype(kind))
    model = models.model(
        [node("MatMul", ["x", "w"], ["y"])],
        [value("x", onnx_kind, [1, 2])],
        [value("y", onnx_kind, [1, 1])],
        [models.array("w", [[float("nan")], [1.0]], kind)],
    )
    assert refusal_of(model, tmp_path).code is Code.MODEL_NOT_FINITE


def test_minus_infinity_in_a_mask_is_no_broken_weight(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(with_tensor(models.array("w", [0, 0, 0, float("-inf")], "float32")), path)
    admit_onnx(path)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (one_node("SuperOp", "my.company"), "the custom operator 'SuperOp' of 'my.company'"),
        (one_node("EPContext", "com.microsoft"), "'the-node' is an EPContext"),
        (one_node("Conv", "com.microsoft.nchwc"), "com.microsoft.nchwc"),
    ],
    ids=["custom", "EPContext", "one processor's layout"],
)
def test_operators_that_would_need_foreign_code_are_named(model: ModelProto, reason: str, tmp_path: Path) -> None:
    refusal = refusal_of(model, tmp_path)
    assert refusal.code is Code.MODEL_UNSUPPORTED
    assert reason in refusal.why


def test_a_custom_operator_in_a_branch_is_found(tmp_path: Path) -> None:
    model = models.branch_net()
    model.graph.node[2].attribute[0].g.node[0].domain = "my.company"
    assert refusal_of(model, tmp_path).code is Code.MODEL_UNSUPPORTED


def test_an_unknown_operator_set_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    refusal = refusal_of(models.model([], [], [], opset=9999), tmp_path)
    assert refusal.code is Code.MODEL_UNSUPPORTED
    assert "9999" in refusal.why
    assert str(onnx.defs.onnx_opset_version()) in refusal.why


def test_a_cycle_is_refused(tmp_path: Path) -> None:
    model = models.model(
        [node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"])],
        [value("x", TensorProto.FLOAT, [1])],
        [value("b", TensorProto.FLOAT, [1])],
    )
    refusal = refusal_of(model, tmp_path)
    assert refusal.code is Code.MODEL_INVALID
    assert "onnx.checker" in refusal.why


def test_an_operator_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    assert refusal_of(one_node("Frobnicate"), tmp_path).code is Code.MODEL_INVALID


@pytest.mark.parametrize("name", ["", "a\u202eb", "x" * 200])
def test_inputs_with_names_that_cannot_be_shown_are_refused(name: str, tmp_path: Path) -> None:
    model = models.mlp()
    model.graph.input[0].name = name
    assert refusal_of(model, tmp_path).code is Code.MODEL_UNSUPPORTED


def test_training_graphs_are_refused(tmp_path: Path) -> None:
    model = models.mlp()
    model.training_info.add()
    assert refusal_of(model, tmp_path).code is Code.MODEL_UNSUPPORTED


def calling(*bodies: list[str]) -> ModelProto:
    """Functions f0, f1, ... whose bodies are chains of these operators; the graph calls the last."""
    functions = [
        helper.make_function(
            "own",
            f"f{number}",
            ["v0"],
            [f"v{len(body)}"],
            [
                node(name, [f"v{step}"], [f"v{step + 1}"], domain="own" if name.startswith("f") else "")
                for step, name in enumerate(body)
            ],
            [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)],
        )
        for number, body in enumerate(bodies)
    ]
    return models.model(
        [node(f"f{len(bodies) - 1}", ["x"], ["y"], domain="own")],
        [value("x", TensorProto.FLOAT, ["n", 4])],
        [value("y", TensorProto.FLOAT, ["n", 4])],
        functions=functions,
    )


def test_functions_may_call_functions(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(calling(["Relu", "Neg"], ["f0", "f0"], ["f1", "Abs"]), path)
    assert inspect_model(admit_onnx(path)).operators == {"Relu": 2, "Neg": 2, "Abs": 1}


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (calling(["f0"]), "must not be recursive"),
        (calling(["f1"], ["f0"]), "must not be recursive"),
        (calling(["Relu"], *([f"f{n}", f"f{n}"] for n in range(40))), "unfold into 1099511627776 nodes"),
    ],
    ids=["itself", "each other", "doubling 40 times"],
)
def test_functions_without_an_end_are_refused(model: ModelProto, reason: str, tmp_path: Path) -> None:
    refusal = refusal_of(model, tmp_path)
    assert refusal.code is Code.MODEL_INVALID
    assert reason in refusal.why


def test_overloads_that_call_each_other_are_refused(tmp_path: Path) -> None:
    model = calling(["f1"], ["f0"])
    for function, overload in zip(model.functions, ("a", "b"), strict=True):
        function.name, function.overload = "f", overload
        function.node[0].op_type, function.node[0].overload = "f", {"a": "b", "b": "a"}[overload]
    model.graph.node[0].op_type, model.graph.node[0].overload = "f", "a"
    model.ir_version = 10
    assert refusal_of(model, tmp_path).code is Code.MODEL_INVALID


def test_a_call_with_too_many_arguments_is_refused(tmp_path: Path) -> None:
    model = models.function_net()
    model.graph.node[0].input.extend(["x", "x"])
    assert refusal_of(model, tmp_path).code is Code.MODEL_INVALID


def test_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    for name in (b"logits", b"first", b"Relu"):
        content = models.conv_net().SerializeToString().replace(name, b"\xff" * len(name))
        refusal = refusal_of(content, tmp_path)
        assert refusal.code is Code.MODEL_INVALID
        assert "not UTF-8" in refusal.why


def test_an_input_of_an_unknown_type_is_refused(tmp_path: Path) -> None:
    model = models.mlp()
    model.graph.input[0].type.tensor_type.elem_type = 91
    assert refusal_of(model, tmp_path).code is Code.MODEL_INVALID


@pytest.mark.parametrize("size", [2**40, 2**62])
def test_a_graph_that_would_fill_the_memory_is_inspected_without_doing_so(size: int, tmp_path: Path) -> None:
    for op_type, inputs in (("ConstantOfShape", ["shape"]), ("Expand", ["one", "shape"])):
        model = models.model(
            [node(op_type, inputs, ["big"]), node("ReduceSum", ["big"], ["y"], keepdims=0)],
            [value("x", TensorProto.FLOAT, [1])],
            [value("y", TensorProto.FLOAT, [])],
            [models.array("shape", [size]), models.array("one", [1], "float32")],
        )
        path = tmp_path / "model.onnx"
        onnx.save(model, path)
        assert inspect_model(admit_onnx(path)).nodes == 2


def test_any_single_byte_may_be_wrong_without_anything_but_a_refusal_or_an_admission(tmp_path: Path) -> None:
    content = models.branch_net().SerializeToString()
    path = tmp_path / "model.onnx"
    for position, flip in itertools.product(range(0, len(content), 3), (0x01, 0x80)):
        path.write_bytes(content[:position] + bytes([content[position] ^ flip]) + content[position + 1 :])
        with suppress(Refused):
            inspect_model(admit_onnx(path))
