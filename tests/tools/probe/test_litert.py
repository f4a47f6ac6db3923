"""LiteRT in the probe: names, open sizes, integers for real numbers, and faults that only the interpreter sees."""

from pathlib import Path

import numpy as np
import pytest
import tflite_models as models
from hypothesis import given
from hypothesis import strategies as st

from edgewright.tools.probe.answer import ProbeError
from edgewright.tools.probe.columns import Column
from edgewright.tools.probe.feeds import feeding
from edgewright.tools.probe.litert_session import load, profile, version
from edgewright.tools.probe.quantization import to_integers, to_real
from edgewright.tools.probe.session import Port

DEMO = Path(__file__).parents[3] / "server/demo/fashion_mnist/fashion_mnist_mobile.tflite"


def picture(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 28, 28, 1)).astype(np.float32)


def test_inputs_and_outputs_are_called_as_the_signature_calls_them() -> None:
    session = load(str(DEMO), 1)
    assert session.inputs == (Port("image", "float32", (None, 28, 28, 1)),)
    assert session.outputs == (Port("logits", "float32", (None, 10)),)


def test_without_a_signature_the_names_of_the_graph_are_used(tmp_path: Path) -> None:
    session = load(str(models.save(models.dense_net(), tmp_path / "m.tflite")), 1)
    assert [port.name for port in (*session.inputs, *session.outputs)] == ["x", "y"]


def test_an_open_size_follows_the_data_from_run_to_run() -> None:
    session = load(str(DEMO), 2)
    images = picture(5)
    single = np.concatenate([session.run({"image": image[np.newaxis]})[0] for image in images])
    (together,) = session.run({"image": images})
    assert together.shape == (5, 10)
    np.testing.assert_allclose(together, single, rtol=1e-4, atol=1e-4)
    (again,) = session.run({"image": images[:2]})
    np.testing.assert_allclose(again, single[:2], rtol=1e-4, atol=1e-4)


def test_a_size_that_the_file_fixes_stays_fixed() -> None:
    with pytest.raises(ProbeError) as caught:
        load(str(DEMO), 1).run({"image": np.zeros((1, 32, 32, 1), np.float32)})
    assert caught.value.kind == "run"


@pytest.mark.parametrize(("change", "kind"), [(models.weights_as_text, "load"), (models.gather_outside, "run")])
def test_what_only_the_interpreter_sees_is_an_error_of_the_model(
    change: models.Change, kind: str, tmp_path: Path
) -> None:
    path = models.changed(change, tmp_path / "m.tflite")
    with pytest.raises(ProbeError) as caught:
        load(str(path), 1).run({"x": np.zeros((1, 12), np.float32)})
    assert caught.value.kind == kind


def test_times_of_operators_are_unknown_and_stay_so(tmp_path: Path) -> None:
    assert profile(str(DEMO), 1, [], 0, tmp_path) == ()
    assert version()[0].isdigit()


@given(
    st.lists(st.floats(-1e4, 1e4, width=32), min_size=1),
    st.floats(1e-3, 10),
    st.sampled_from([("int8", -128, 127), ("uint8", 0, 255), ("int16", -32768, 32767)]),
    st.data(),
)
def test_a_number_within_reach_comes_back_within_half_a_step(
    numbers: list[float], scale: float, kind: tuple[str, int, int], data: st.DataObject
) -> None:
    dtype, low, high = kind
    zero_point = data.draw(st.integers(low, high))
    values = np.array(numbers, np.float32)
    integers = to_integers(values, dtype, scale, zero_point)
    assert integers.dtype == dtype
    reach = (np.clip(values, (low - zero_point) * scale, (high - zero_point) * scale)).astype(np.float64)
    np.testing.assert_allclose(to_real(integers, scale, zero_point), reach, rtol=1e-5, atol=scale * (0.5 + 1e-3))


def test_halves_are_rounded_away_from_zero() -> None:
    assert to_integers(np.array([0.5, -0.5, 1.5, -2.5], np.float32), "int8", 1.0, 0).tolist() == [1, -1, 2, -3]


@pytest.mark.promise("P9")
def test_real_samples_become_integers_and_samples_that_are_integers_stay_so() -> None:
    port = Port("x", "uint8", (None, 2), (0.5, 10))
    real, whole = np.array([[1.0, -2.0]], np.float32), np.array([[12, 6]], np.uint8)
    for samples in (real, whole):
        assert feeding((port,), {"x": Column(samples)}).feed([0])["x"].tolist() == [[12, 6]]
    with pytest.raises(ProbeError):
        feeding((port,), {"x": Column(real.astype(np.float64))})
    with pytest.raises(ProbeError):
        feeding((Port("x", "uint8", (None, 2)),), {"x": Column(real)})
