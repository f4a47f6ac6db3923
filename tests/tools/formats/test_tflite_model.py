"""What a TFLite file says of itself, and the mark that it is given."""

from pathlib import Path

import numpy as np
import pytest
import tflite_models as models

from edgewright.state.artifacts import Quantization, TensorSpec
from edgewright.tools.formats import tflite_model
from edgewright.tools.probe.litert_session import load

DEMO = Path(__file__).parents[3] / "server/demo/fashion_mnist/fashion_mnist_mobile.tflite"


def test_the_demo_model_is_known_by_operators_parameters_work_and_interface() -> None:
    graph = tflite_model.admit(DEMO).graph()
    assert graph.operators == {"CONV_2D": 6, "DEPTHWISE_CONV_2D": 3, "ADD": 3, "MEAN": 1, "FULLY_CONNECTED": 1}
    # Three times an ordinary, a depthwise and a pointwise convolution, each with a bias an output (432 in all), over
    # 14x14, 7x7 and 4x4 positions; then 72x10 + 10.
    assert graph.parameters == 216 + 216 + 576 + 10368 + 432 + 2304 + 31104 + 648 + 5184 + 720 + 432 + 10
    work = 196 * (216 + 216 + 576) + 49 * (10368 + 432 + 2304) + 16 * (31104 + 648 + 5184) + 720
    assert graph.macs == work
    axes = graph.stored_bytes["MEAN"]
    assert sum(graph.stored_bytes.values()) - axes == 4 * graph.parameters
    assert graph.stored_bytes["FULLY_CONNECTED"] == 4 * (720 + 10)
    assert graph.inputs == (TensorSpec("image", "float32", (None, 28, 28, 1)),)
    assert graph.outputs == (TensorSpec("logits", "float32", (None, 10)),)


def test_a_model_without_a_signature_has_the_names_of_its_graph(tmp_path: Path) -> None:
    model = tflite_model.admit(models.save(models.dense_net(), tmp_path / "m.tflite"))
    assert [spec.name for spec in (*model.inputs, *model.outputs)] == ["x", "y"]
    assert (model.precision, model.graph().macs, model.lineage) == ("fp32", 48, None)


@pytest.mark.promise("P3")
def test_the_mark_is_written_once_and_changes_no_answer(tmp_path: Path) -> None:
    marked = tmp_path / "marked.tflite"
    model = tflite_model.read(DEMO)
    before = model.fingerprint()
    for digest in ("a" * 64, "b" * 64):
        model.mark(digest)
        model.save(marked)
        model = tflite_model.admit(marked)
    assert model.lineage == "b" * 64
    assert [entry.name for entry in model.objects.metadata].count(b"edgewright.original") == 1
    assert model.fingerprint() == before
    feed = {"image": np.random.default_rng(0).standard_normal((1, 28, 28, 1)).astype(np.float32)}
    answers = [load(str(path), 1).run(feed)[0] for path in (DEMO, marked)]
    np.testing.assert_array_equal(*answers)


def test_stored_weights_are_aligned_for_vector_loads(tmp_path: Path) -> None:
    path = tmp_path / "marked.tflite"
    model = tflite_model.read(DEMO)
    model.mark("a" * 64)
    model.save(path)
    content = path.read_bytes()
    filled = [number for number, buffer in enumerate(model.objects.buffers) if buffer.data is not None]
    assert len(filled) > 20
    assert {models.weights_offset(content, number) % 16 for number in filled} == {0}


def test_a_changed_weight_or_option_is_another_computation(tmp_path: Path) -> None:
    def digest(change: models.Change) -> str:
        return tflite_model.admit(models.changed(change, tmp_path / "m.tflite")).fingerprint()

    def larger(model: object) -> None:
        model.buffers[1].data = np.roll(model.buffers[1].data, 4)  # type: ignore[attr-defined]

    def renamed(model: object) -> None:
        model.subgraphs[0].tensors[1].name = b"other"  # type: ignore[attr-defined]

    def fused(model: object) -> None:
        model.subgraphs[0].operators[0].builtinOptions.fusedActivationFunction = 1  # type: ignore[attr-defined]

    same = digest(lambda _model: None)
    assert digest(renamed) == same
    assert len({same, digest(larger), digest(fused)}) == 3


def test_integers_that_stand_for_real_numbers_say_which() -> None:
    spec = TensorSpec("x", "int8", (1, 4), Quantization(0.5, -3))
    assert spec.meaning == TensorSpec("x", "float32", (1, 4))
    assert TensorSpec("x", "int8", (1, 4)).meaning.dtype == "int8"
    assert str(Quantization(0.5, -3)) == "each stands for (integer + 3) * 0.5"
