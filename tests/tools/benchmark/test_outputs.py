"""What the probe writes down against a plain loop over ONNX Runtime."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto
from onnx_models import conv_net, mlp, old_net
from probe_models import (
    across_the_batch,
    keep_model,
    keep_ragged,
    keep_regular,
    logarithm,
    new_workspace,
    product,
    sequence_gru,
    token_model,
    vector_model,
)

from edgewright.state.evidence import Dataset
from edgewright.tools.benchmark.outputs import Outputs, open_outputs, run_outputs
from edgewright.tools.probe.columns import Array
from edgewright.tools.targets.host import Host
from edgewright.tools.workspace import Workspace

RNG = np.random.default_rng(2)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return new_workspace(tmp_path)


def normal(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def plain_loop(proto: ModelProto, name: str, samples: list[Array]) -> dict[str, list[Array]]:
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    rows = [session.run(None, {name: sample}) for sample in samples]
    return {output: [row[number] for row in rows] for number, output in enumerate(names)}


def run(proto: ModelProto, data: Dataset, workspace: Workspace) -> Outputs:
    return run_outputs(keep_model(proto, workspace), data, 1, workspace, Host())


@pytest.mark.parametrize(
    ("proto", "name", "rows", "tolerance"),
    [
        (conv_net(), "image", normal(70, 3, 16, 16), 1e-5),
        (mlp(), "x", normal(40, 12), 1e-5),
        (token_model(), "ids", RNG.integers(0, 50, (70, 6)), 1e-5),
        (old_net(), "image", normal(5, 3, 8, 8), 1e-5),
        (product(1), "x", normal(7, 8), 0),
        (product("n"), "x", normal(1, 8), 0),
        (across_the_batch(), "x", normal(50, 8), 0),
    ],
    ids=["convolutions", "mlp", "integers", "weights among the inputs", "batch of 1", "one sample", "across the batch"],
)
def test_outputs_are_those_of_single_inferences(
    workspace: Workspace, proto: ModelProto, name: str, rows: Array, tolerance: float
) -> None:
    outputs = run(proto, keep_regular(workspace, {name: rows}), workspace)
    expected = plain_loop(proto, name, [row[None] for row in rows])
    found = open_outputs(outputs, workspace)
    assert list(found) == list(expected)
    assert (outputs.n, outputs.non_finite_samples) == (len(rows), 0)
    for output, column in found.items():
        reference = np.concatenate(expected[output])
        assert (column.regular, column.dtype) == (True, reference.dtype.name)
        np.testing.assert_allclose(column.batch(0, len(rows)), reference, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("n", [1, 4, 6, 9])
def test_a_fixed_batch_is_filled_up_and_what_filled_it_dropped(workspace: Workspace, n: int) -> None:
    rows = normal(n, 8)
    column = open_outputs(run(product(4), keep_regular(workspace, {"x": rows}), workspace), workspace)["y"]
    expected = np.concatenate(plain_loop(product("n"), "x", [row[None] for row in rows])["y"])
    np.testing.assert_allclose(column.batch(0, n), expected, rtol=1e-5, atol=1e-6)
    assert len(column) == n


def test_ragged_samples_run_one_by_one_and_give_ragged_or_regular_outputs(workspace: Workspace) -> None:
    samples = [normal(length, 4) for length in (3, 9, 1, 6)]
    found = open_outputs(run(sequence_gru(), keep_ragged("x", samples, workspace), workspace), workspace)
    expected = plain_loop(sequence_gru(), "x", [sample[None] for sample in samples])
    assert [found["steps"].regular, found["last"].regular] == [False, True]
    for index in range(len(samples)):
        np.testing.assert_array_equal(found["steps"][index], expected["steps"][index][0])
        np.testing.assert_array_equal(found["last"][index], expected["last"][index][0])


def test_ragged_samples_fill_a_fixed_batch_by_repetition(workspace: Workspace) -> None:
    samples = [normal(8), normal(8), normal(8)]
    found = open_outputs(run(product(4), keep_ragged("x", samples, workspace), workspace), workspace)["y"]
    expected = plain_loop(product(1), "x", [sample[None] for sample in samples])["y"]
    np.testing.assert_allclose(found.batch(0, 3), np.concatenate(expected), rtol=1e-5, atol=1e-6)


def test_a_model_without_a_batch_dimension_gets_samples_as_they_are(workspace: Workspace) -> None:
    rows = normal(5, 8)
    found = open_outputs(run(vector_model(), keep_regular(workspace, {"x": rows}), workspace), workspace)["y"]
    np.testing.assert_array_equal(found.batch(0, 5), np.stack(plain_loop(vector_model(), "x", list(rows))["y"]))


def test_samples_with_values_that_are_not_finite_are_counted(workspace: Workspace) -> None:
    rows = np.abs(normal(40, 4)) + np.float32(0.5)
    rows[3, 1] = rows[17, 2] = -1
    rows[20, 0] = 0
    outputs = run(logarithm(), keep_regular(workspace, {"x": rows}), workspace)
    assert outputs.non_finite_samples == 3


def test_what_is_kept_is_all_that_is_needed_to_read_it_again(workspace: Workspace) -> None:
    samples = [normal(length, 4) for length in (3, 9)]
    data = keep_ragged("x", samples, workspace)
    before = {file.sha256 for file in workspace.new_files}
    outputs = run(sequence_gru(), data, workspace)
    kept = {file.sha256 for file in workspace.new_files} - before
    digests = {digest for digests in outputs.arrays.values() for digest in digests}
    assert kept == {outputs.artifact, outputs.index, *digests}
    assert [len(outputs.arrays[name]) for name in ("steps", "last")] == [2, 1]
    assert outputs.dataset == data.digest
