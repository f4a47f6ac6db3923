"""How often a quick benchmark calls equal models different, and how often it misses one that is 5 % slower.

    python benchmarks/comparison_errors.py [BENCHMARKS]

Each of BENCHMARKS comparisons of either kind (default 100; twenty minutes for all) is protocol `quick` in a fresh
process, as the tool `benchmark` makes it, over models of about 0.1, 1 and 10 ms in turn, single-threaded. The slower
model is the same chain of convolutions with one more of them; how long the chain must be for that to cost 5 % is
measured first, in this run. Exits 1 where more than 5 % of the equal ones are called different, fewer than 80 % of the
slower ones are called slower, or the slower ones turn out more than 5.5 % slower, which would be too easy.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from statistics import median

from chains import SAMPLES, keep_chain, keep_images

from edgewright.state.artifacts import Artifact
from edgewright.state.evidence import Dataset, Ratio
from edgewright.state.protocols import PROTOCOLS, ProtocolName
from edgewright.tools.benchmark.measure import time_in_turn
from edgewright.tools.benchmark.statistics import ratio_interval
from edgewright.tools.targets.host import Host
from edgewright.tools.targets.request import LATENCY, ProbeRequest
from edgewright.tools.workspace import Workspace

QUICK = PROTOCOLS[ProtocolName.QUICK]
# Channels and image size of the chains that take about so long with some twenty convolutions.
SIZES = {"0.1 ms": (16, 10), "1 ms": (32, 16), "10 ms": (64, 32)}
DEPTH, SLOWER, TOO_EASY = 18, 0.05, 0.055
MOST_FALSE, LEAST_FOUND = 0.05, 0.80
PROBES = 6


class Pairs:
    """Equal and unequal pairs of one size, ready to be compared."""

    def __init__(self, workspace: Workspace, channels: int, size: int) -> None:
        self._workspace, self._shape = workspace, (channels, size)
        self._data, _ = keep_images(workspace, channels, size)
        self.depth = DEPTH
        gain = median(self.slower().median for _ in range(PROBES)) - 1
        # The gain is about one in the number of convolutions: the chain is that many too long or too short.
        self.depth += round(1 / SLOWER - 1 / min(max(gain, 0.04), 0.07))

    def same(self) -> Ratio:
        model = self._chain(self.depth)
        return compared(model, model, self._data, self._workspace)

    def slower(self) -> Ratio:
        return compared(self._chain(self.depth), self._chain(self.depth + 1), self._data, self._workspace)

    def _chain(self, depth: int) -> Artifact:
        channels, size = self._shape
        return keep_chain(self._workspace, channels, depth, size)


def compared(baseline: Artifact, candidate: Artifact, data: Dataset, workspace: Workspace) -> Ratio:
    models = {"baseline": baseline, "candidate": candidate}
    request = ProbeRequest(LATENCY, models, data.index, 1, SAMPLES, QUICK)
    _, times = time_in_turn(request, QUICK, workspace, Host(), workspace.progress)
    return ratio_interval(times["candidate"], times["baseline"], 0)


def ready(folder: Path) -> Iterator[Pairs]:
    for name, shape in SIZES.items():
        room = folder / name.replace(" ", "-")
        room.mkdir()
        pairs = Pairs(Workspace(room, room / "objects"), *shape)
        print(f"{name}: chains of {pairs.depth} and {pairs.depth + 1} convolutions", flush=True)
        yield pairs


def main(benchmarks: int) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        in_turn = list(islice(cycle(ready(Path(folder))), benchmarks))
        # Equal and unequal pairs in turn too, so that both meet the same noise.
        both = [(pairs.same(), pairs.slower()) for pairs in in_turn]
    same, slower = zip(*both, strict=True)
    for number, name in enumerate(SIZES):
        of_size = slice(number, None, len(SIZES))
        print(f"{name}: {summary(same[of_size], slower[of_size])}")
    print(f"together: {summary(same, slower)}")
    false, found, gain = different(same), called_slower(slower), gained(slower)
    print(
        f"held to: at most {MOST_FALSE:.0%} different, at least {LEAST_FOUND:.0%} slower, at most {TOO_EASY:.1%} of it"
    )
    return false <= MOST_FALSE * benchmarks and found >= LEAST_FOUND * benchmarks and gain <= TOO_EASY


def summary(same: Sequence[Ratio], slower: Sequence[Ratio]) -> str:
    width = median((ratio.high - ratio.low) / 2 for ratio in (*same, *slower))
    return (
        f"{different(same)} of {len(same)} equal ones called different; {called_slower(slower)} of {len(slower)} that "
        f"are {gained(slower):.1%} slower called slower; half-width of the intervals {width:.1%}"
    )


def different(ratios: Sequence[Ratio]) -> int:
    return sum(ratio.faster or ratio.slower for ratio in ratios)


def called_slower(ratios: Sequence[Ratio]) -> int:
    return sum(ratio.slower for ratio in ratios)


def gained(ratios: Sequence[Ratio]) -> float:
    return median(ratio.median for ratio in ratios) - 1


if __name__ == "__main__":
    sys.exit(0 if main(int(sys.argv[1]) if len(sys.argv) > 1 else 100) else 1)
