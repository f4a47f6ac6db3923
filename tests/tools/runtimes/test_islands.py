"""A layer that is left in float32 beside 8-bit ones is computed in float32 by a session with default options."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions
from search_bench import DEMO, demo_network

from edgewright.tools.optimize.calibrate.candidate import Calibration, Choices, Samples
from edgewright.tools.optimize.search import mix as subject
from edgewright.tools.optimize.search.mix import Mix, Mixer
from edgewright.tools.optimize.upgrade import name_nodes
from edgewright.tools.runtimes.onnxruntime.activations import Feed
from edgewright.tools.runtimes.onnxruntime.quantization import CPU_INTEGERS, prepare
from edgewright.tools.workspace import Workspace


@pytest.fixture
def mixer(tmp_path: Path) -> Mixer:
    with np.load(DEMO / "calibration.npz") as stored:
        images = (stored["image"][:16].astype(np.float32) / 255).transpose(0, 3, 1, 2)

    def feeds() -> Iterator[Feed]:
        return ({"image": image[None]} for image in images)

    onnx.save(demo_network(), tmp_path / "base.onnx")
    prepare(tmp_path / "base.onnx", tmp_path / "prepared.onnx")
    model = onnx.load(tmp_path / "prepared.onnx")
    name_nodes(model)
    onnx.save(model, tmp_path / "prepared.onnx")
    choices = Choices(per_channel=True, ranges="minmax", equalize=False, correct_bias=False, integers=CPU_INTEGERS)
    samples = Samples("pictures", tuple(range(16)), feeds, feeds)
    calibration = Calibration(choices, samples, Workspace(tmp_path, tmp_path / "objects"), (), tmp_path)
    return Mixer(calibration, calibration.calibrate(tmp_path / "prepared.onnx"), tmp_path)


def layers_in_8_bits(mixer: Mixer) -> int:
    """Return how many of the eight convolutions a session computes in 8 bits, where one is left in float32."""
    with mixer.written(Mix(static=frozenset(mixer.groups)).without(["node_Conv_128"])) as path:
        options = SessionOptions()
        options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(path.with_name("loaded.onnx"))
        InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    loaded = onnx.load(path.with_name("loaded.onnx"))
    return sum(node.op_type == "QLinearConv" for node in loaded.graph.node)


def test_a_layer_that_is_left_in_float32_stays_so_when_a_file_is_loaded(mixer: Mixer) -> None:
    assert layers_in_8_bits(mixer) == 7


def test_without_what_keeps_it_the_runtime_quantises_it_again(mixer: Mixer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "keep_islands", lambda _: 0)
    assert layers_in_8_bits(mixer) == 8
