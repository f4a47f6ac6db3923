"""What the probe adds to a bare loop over ONNX Runtime, and how far one file is from itself.

    python benchmarks/probe_overhead.py [ROUNDS]

First table: bare loop and probe take turns in one process, ROUNDS times each (default 6), single-threaded, over the
same samples; the ratio is that of the medians of all times. Second table: each model against itself in ROUNDS fresh
processes, the way `compare` times two models: the ratio of every process, and how many intervals come within 1 % of 1.
"""

import sys
import tempfile
from pathlib import Path
from time import perf_counter_ns

import numpy as np
import onnx
import onnxruntime
from onnx import ModelProto, TensorProto, helper, numpy_helper

from edgewright.state.artifacts import Artifact, Format, Recipe
from edgewright.state.evidence import Dataset
from edgewright.state.protocols import Protocol, ProtocolName
from edgewright.tools.benchmark.findings import RESOLUTION
from edgewright.tools.benchmark.statistics import ratio_interval
from edgewright.tools.probe import onnxruntime_session, timing
from edgewright.tools.probe.progress import Progress
from edgewright.tools.targets.host import Host
from edgewright.tools.targets.request import LATENCY, ProbeRequest
from edgewright.tools.workspace import Workspace

SIZE, SAMPLES, RUNS_A_ROUND = 32, 64, 200
PROTOCOL = Protocol(ProtocolName.QUICK, 10, 0.2, 100, 1.5, 1)
# Convolutions in a row: about 0.1, 1 and 10 ms on one core of a server of 2023.
DEPTHS = {"0.1 ms": (8, 2), "1 ms": (32, 8), "10 ms": (64, 20)}


def chain(channels: int, depth: int) -> ModelProto:
    """A chain of 3x3 convolutions with ReLU."""
    rng = np.random.default_rng(0)
    nodes, stored, tensor = [], [], "x"
    for number in range(depth):
        shape = (channels, 3 if number == 0 else channels, 3, 3)
        stored.append(numpy_helper.from_array(rng.standard_normal(shape).astype(np.float32) * 0.1, f"w{number}"))
        nodes.append(helper.make_node("Conv", [tensor, f"w{number}"], [f"c{number}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{number}"], [f"r{number}"]))
        tensor = f"r{number}"
    nodes.append(helper.make_node("GlobalAveragePool", [tensor], ["y"]))
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", channels, 1, 1])],
        stored,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def keep(workspace: Workspace, name: str, proto: ModelProto) -> tuple[Artifact, Path]:
    path = workspace.scratch("model.onnx")
    onnx.save(proto, path)
    size = path.stat().st_size
    return Artifact(workspace.keep(path), name, Format.ONNX, "fp32", size, None, Recipe("original"), (), ()), path


def keep_samples(workspace: Workspace) -> tuple[Dataset, Path]:
    path = workspace.scratch("x.npy")
    np.save(path, np.random.default_rng(1).standard_normal((SAMPLES, 3, SIZE, SIZE)).astype(np.float32))
    spec = {"kind": "regular", "dtype": "float32", "values": workspace.keep(path)}
    index = workspace.keep_json({"version": 1, "n": SAMPLES, "inputs": {"x": spec}}, "index.json")
    return Dataset(index, index, SAMPLES, {}, {}, index), path


def timed(models: dict[str, Artifact], data: Dataset, workspace: Workspace) -> dict[str, np.ndarray]:
    answer = Host().run(ProbeRequest(LATENCY, models, data.index, 1, SAMPLES, PROTOCOL), workspace)
    return {name: np.load(answer.folder / facts.times) for name, facts in answer.models.items()}


def bare(path: Path, samples: Path, rounds: int) -> tuple[list[int], list[int]]:
    """Return the times of a bare loop and of the probe's in turn."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feeds = [{"x": row[None]} for row in np.load(samples)]
    lane = timing.Lane("probe", onnxruntime_session.load(str(path), 1), feeds)
    times = []
    for _ in range(rounds):
        for number in range(RUNS_A_ROUND):
            begin = perf_counter_ns()
            session.run(None, feeds[number % SAMPLES])
            times.append(perf_counter_ns() - begin)
        runs = len(lane.times_ns) + RUNS_A_ROUND
        timing.measure([lane], warmup_runs=2, warmup_s=0, runs=runs, duration_s=0, progress=Progress(path.parent))
    return times, list(lane.times_ns)


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder), Path(folder) / "objects")
        data, samples = keep_samples(workspace)
        models = {name: keep(workspace, name, chain(*size)) for name, size in DEPTHS.items()}
        print("model    probe P50 [ms]  bare P50 [ms]  probe / bare")
        for name, (_, path) in models.items():
            alone, probed = (np.median(times) / 1e6 for times in bare(path, samples, rounds))
            print(f"{name:8} {probed:14.4f} {alone:14.4f} {probed / alone:13.3f}")
        print("\nmodel    same over same, process by process; intervals within 1 % of 1")
        for name, (artifact, _) in models.items():
            pairs = [timed({"b": artifact, "c": artifact}, data, workspace) for _ in range(rounds)]
            ratios = [ratio_interval([pair["c"]], [pair["b"]], 0) for pair in pairs]
            near = sum(ratio.low <= 1 + RESOLUTION and ratio.high >= 1 - RESOLUTION for ratio in ratios)
            print(f"{name:8} {' '.join(f'{ratio.median:.3f}' for ratio in ratios)}; {near} of {rounds}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 6)
