"""What the probe adds to a bare loop over ONNX Runtime, and how far one file is from itself.

    python benchmarks/probe_overhead.py [ROUNDS]

First table: bare loop and probe take turns in one process, a few inferences each, single-threaded over equal samples;
ROUNDS times (default 50) with each of a few freshly loaded pairs of sessions, since where a model's memory lies moves
its time too. The ratio is the median of those of neighbouring inferences. Second table: each model against itself in a
few fresh processes, the way `compare` times two models: the ratio of every process, and how many intervals come within
1 % of 1. Exits 1 where a ratio of the first table is not within 0.98 and 1.02.
"""

import sys
import tempfile
from pathlib import Path
from time import perf_counter_ns

import numpy as np
import onnxruntime
from chains import SAMPLES, keep_chain, keep_images

from edgewright.state.artifacts import Artifact
from edgewright.state.drift import RESOLUTION
from edgewright.state.evidence import Dataset, Ratio
from edgewright.state.protocols import PROTOCOLS, ProtocolName
from edgewright.tools.benchmark.measure import time_in_turn
from edgewright.tools.benchmark.statistics import ratio_interval
from edgewright.tools.probe import onnxruntime_session, timing
from edgewright.tools.probe.progress import Progress
from edgewright.tools.targets.host import Host
from edgewright.tools.targets.request import LATENCY, ProbeRequest
from edgewright.tools.workspace import Workspace

QUICK = PROTOCOLS[ProtocolName.QUICK]
PAIRS, PROCESSES = 6, 6
# Inferences a turn: many where what happens between turns would weigh, few where other work would come between.
TURNS = {"0.1 ms": 16, "1 ms": 8, "10 ms": 2}
NEAR = 0.98, 1.02
# Channels, depth and image size: about 0.1, 1 and 10 ms on one core of a server of 2023.
SIZES = {"0.1 ms": (16, 20, 10), "1 ms": (32, 20, 16), "10 ms": (64, 20, 32)}


def turns(path: Path, samples: Path, rounds: int, a_turn: int) -> tuple[list[int], list[int]]:
    """Return the times of a bare loop and the probe's, in nanoseconds; time k of both were neighbours."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    feeds = [{"x": row[None]} for row in np.load(samples)]
    progress = Progress(path.parent)
    bare: list[int] = []
    probed: list[int] = []
    for _ in range(PAIRS):
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        lane = timing.Lane("probe", onnxruntime_session.load(str(path), 1), feeds)
        for turn in range(rounds):
            runs = a_turn * (turn + 1)
            timing.measure([lane], warmup_runs=a_turn, warmup_s=0, runs=runs, duration_s=0, progress=progress)
            times = []
            for number in range(2 * a_turn):
                feed = feeds[(a_turn * turn + number % a_turn) % SAMPLES]
                begin = perf_counter_ns()
                session.run(None, feed)
                times.append(perf_counter_ns() - begin)
            # The first turn warms both up, and the first inferences of a turn find the other model in the caches.
            bare += times[a_turn:] if turn else []
        probed += lane.times_ns[a_turn:]
    return bare, probed


def against_itself(model: Artifact, data: Dataset, workspace: Workspace) -> Ratio:
    request = ProbeRequest(LATENCY, {"b": model, "c": model}, data.index, 1, SAMPLES, QUICK)
    _, times = time_in_turn(request, QUICK, workspace, Host(), workspace.progress)
    return ratio_interval(times["c"], times["b"], 0)


def main(rounds: int) -> bool:
    held = True
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder), Path(folder) / "objects")
        models = {name: keep_chain(workspace, *shape) for name, shape in SIZES.items()}
        data = {name: keep_images(workspace, channels, size) for name, (channels, _, size) in SIZES.items()}
        print("model    probe P50 [ms]  bare P50 [ms]  probe / bare")
        for name, model in models.items():
            bare, probed = map(np.array, turns(workspace.path_of(model.sha256), data[name][1], rounds, TURNS[name]))
            ratio = float(np.median(probed / bare))
            held &= NEAR[0] <= ratio <= NEAR[1]
            print(f"{name:8} {np.median(probed) / 1e6:14.4f} {np.median(bare) / 1e6:14.4f} {ratio:13.3f}")
        print("\nmodel    same over same, process by process; intervals within 1 % of 1")
        for name, model in models.items():
            ratios = [against_itself(model, data[name][0], workspace) for _ in range(PROCESSES)]
            near = sum(ratio.low <= 1 + RESOLUTION and ratio.high >= 1 - RESOLUTION for ratio in ratios)
            print(f"{name:8} {' '.join(f'{ratio.median:.3f}' for ratio in ratios)}; {near} of {PROCESSES}")
    return held


if __name__ == "__main__":
    sys.exit(0 if main(int(sys.argv[1]) if len(sys.argv) > 1 else 50) else 1)
