"""What the sampler beside a timing costs: the models' times with it and without it, and its own processor time.

    python benchmarks/sampler_cost.py [ROUNDS]

Rounds with and without the sampler take turns in one process, ROUNDS of each (default 6), a second a round; the ratio
is that of the medians of all times.
"""

import sys
import tempfile
from pathlib import Path
from time import monotonic_ns

import numpy as np
import psutil
from probe_overhead import DEPTHS, chain, keep, keep_samples

from edgewright.tools.probe import onnxruntime_session, timing
from edgewright.tools.probe.progress import Progress
from edgewright.tools.probe.sampling import Sampling
from edgewright.tools.targets.bundle import write_bundle
from edgewright.tools.workspace import Workspace


def one_round(lane: timing.Lane, folder: Path) -> None:
    timing.measure([lane], warmup_runs=2, warmup_s=0.1, runs=1, duration_s=1.0, progress=Progress(folder))


def watched_round(lane: timing.Lane, folder: Path) -> float:
    """Time one round with the sampler beside it; return the share of a processor that the sampler took."""
    with Sampling(folder) as sampling:
        sampling.wait_until_ready()
        (sampler,) = psutil.Process().children()
        begin_ns, begin = monotonic_ns(), sampler.cpu_times()
        one_round(lane, folder)
        end = sampler.cpu_times()
        return (end.user + end.system - begin.user - begin.system) * 1e9 / (monotonic_ns() - begin_ns)


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workspace = Workspace(folder, folder / "objects")
        write_bundle(folder / "probe.pyz")
        sys.argv[0] = str(folder / "probe.pyz")
        _, samples = keep_samples(workspace)
        feeds = [{"x": row[None]} for row in np.load(samples)]
        print("model    with P50 [ms]  without P50 [ms]  with / without  sampler [cores]")
        for label, size in DEPTHS.items():
            session = onnxruntime_session.load(str(keep(workspace, label, chain(*size))[1]), 1)
            lanes = [timing.Lane(word, session, feeds) for word in ("with", "without")]
            shares = []
            for _ in range(rounds):
                shares.append(watched_round(lanes[0], folder))
                one_round(lanes[1], folder)
            watched, alone = (np.median(lane.times_ns) / 1e6 for lane in lanes)
            print(f"{label:8} {watched:13.4f} {alone:17.4f} {watched / alone:15.3f} {np.mean(shares):16.4f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 6)
