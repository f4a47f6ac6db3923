"""Each repair on a twin that computes the same and collapses in 8 bits: the demo's network, its channels rescaled."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from hardened_twin import harden
from onnx import ModelProto

from edgewright.tools.optimize.calibrate.candidate import Calibrated, Calibration, Choices, Samples
from edgewright.tools.optimize.upgrade import name_nodes
from edgewright.tools.runtimes.onnxruntime.activations import Feed, open_session
from edgewright.tools.runtimes.onnxruntime.quantization import CPU_INTEGERS, prepare
from edgewright.tools.workspace import Workspace

Pictures = dict[str, tuple[np.ndarray, np.ndarray]]
N = 400


def accuracy(model: ModelProto | Path, pictures: Pictures, folder: Path) -> float:
    """Computed as 8 bits are defined, so that this processor's sums do not matter."""
    images, labels = pictures["validation"]
    session = open_session(model, folder / "judged.onnx", fused=False)
    scores = session.run(None, {"image": images[:N]})[0]
    return float((scores.argmax(1) == labels[:N]).mean())


@pytest.fixture
def quantised(tmp_path: Path, pictures: Pictures) -> Callable[..., tuple[float, Calibrated]]:
    """Quantises a model and returns its accuracy, computed as the definition of 8 bits says."""

    def feeds(start: int, stop: int) -> Callable[[], Iterator[Feed]]:
        images = pictures["calibration"][0]
        return lambda: ({"image": images[row : row + 4]} for row in range(start, stop, 4))

    def quantise(model: ModelProto, **options: object) -> tuple[float, Calibrated]:
        onnx.save(model, tmp_path / "base.onnx")
        prepare(tmp_path / "base.onnx", tmp_path / "prepared.onnx")
        prepared = onnx.load(tmp_path / "prepared.onnx")
        name_nodes(prepared)
        onnx.save(prepared, tmp_path / "prepared.onnx")
        settings = {"per_channel": True, "ranges": "minmax", "equalize": False, "correct_bias": False} | options
        choices = Choices(**settings, integers=CPU_INTEGERS, here=False)
        samples = Samples("pictures", tuple(range(64)), feeds(0, 64), feeds(64, 88))
        calibration = Calibration(choices, samples, Workspace(tmp_path, tmp_path / "objects"), (), tmp_path)
        done = calibration.calibrate(tmp_path / "prepared.onnx")
        calibration.write(done, tmp_path / "made.onnx")
        return accuracy(tmp_path / "made.onnx", pictures, tmp_path), done

    return quantise


Quantised = Callable[..., tuple[float, Calibrated]]


def test_the_twin_computes_the_same_in_float32(cnn: ModelProto, pictures: Pictures, tmp_path: Path) -> None:
    one, other = (
        open_session(model, tmp_path / "m.onnx").run(None, {"image": pictures["validation"][0][:50]})[0]
        for model in (cnn, harden(cnn))
    )
    assert np.abs(one - other).max() <= 1e-4 * np.abs(one).max()


def test_equalisation_brings_a_collapsed_twin_back(
    cnn: ModelProto, quantised: Quantised, pictures: Pictures, tmp_path: Path
) -> None:
    twin = harden(cnn)
    assert quantised(twin)[0] < 0.3
    repaired, done = quantised(twin, equalize=True)
    assert repaired >= 0.995 * accuracy(cnn, pictures, tmp_path)
    assert any("8 tensors were equalised" in finding for finding in done.findings)


def test_better_ranges_help_a_milder_twin(cnn: ModelProto, quantised: Quantised) -> None:
    twin = harden(cnn, spread=4)
    best, done = quantised(twin, ranges="best")
    plain, _ = quantised(twin)
    assert best > plain + 0.1
    assert done.ranges == "entropy"


def test_bias_correction_helps_where_rounding_is_coarse(cnn: ModelProto, quantised: Quantised) -> None:
    twin = harden(cnn, spread=2)
    corrected, done = quantised(twin, per_channel=False, correct_bias=True)
    assert corrected > quantised(twin, per_channel=False)[0] + 0.2
    assert any("the biases of 9 layers were corrected" in finding for finding in done.findings)


def test_a_correction_that_does_harm_is_not_made(cnn: ModelProto, quantised: Quantised) -> None:
    _, done = quantised(cnn, ranges="entropy", correct_bias=True)
    assert any("biases were left as they are" in finding for finding in done.findings)
