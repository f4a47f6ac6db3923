"""A layer that is left in float32 beside 8-bit ones is computed in float32 by a session with default options."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnxruntime import InferenceSession, SessionOptions
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


def scores(path: Path, *without: str) -> np.ndarray:
    """Return a file's answer to a picture, by a session without some of the runtime's optimisers."""
    options = SessionOptions()
    options.add_session_config_entry("optimization.disable_specified_optimizers", ";".join(without))
    session = InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    answer: np.ndarray = session.run(None, {"image": np.ones((1, 1, 28, 28), np.float32)})[0]
    return answer


def test_a_layer_that_is_left_in_float32_keeps_its_weights_when_a_file_is_loaded(mixer: Mixer) -> None:
    with mixer.written(Mix(static=frozenset(["node_Conv_128"]))) as path:
        assert np.array_equal(scores(path), scores(path, "WeightBiasQuantization"))


def test_without_what_keeps_them_the_runtime_rounds_them(mixer: Mixer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "keep_islands", lambda _: 0)
    with mixer.written(Mix(static=frozenset(["node_Conv_128"]))) as path:
        assert not np.allclose(scores(path), scores(path, "WeightBiasQuantization"), rtol=1e-4)
