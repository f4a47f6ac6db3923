"""What mixes cost in time: measured where the device can be, otherwise estimated from their multiply-accumulates."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from edgewright.state.artifacts import Artifact
from edgewright.state.evidence import Dataset, Ratio
from edgewright.state.protocols import PROTOCOLS, ProtocolName
from edgewright.tools.benchmark.measure import TIMED_SAMPLES, time_in_turn
from edgewright.tools.benchmark.statistics import ratio_interval
from edgewright.tools.optimize.search.groups import Group
from edgewright.tools.optimize.search.mix import Form, Mix
from edgewright.tools.targets.request import LATENCY, ProbeRequest
from edgewright.tools.targets.target import Target
from edgewright.tools.workspace import Workspace

# Long enough to rank by, and short: what is chosen in the end is benchmarked afterwards like any candidate.
SHORT = replace(PROTOCOLS[ProtocolName.QUICK], warmup_s=0.1, runs=60, duration_s=0.4, settle_s=0.3)
# Sessions that are held and timed at once, the reference among them.
AT_ONCE = 9
SEED = 7
# Of float32's time, where nothing can be measured: an assumption, good for an order and for nothing else. Products
# without ranges of their own find them each time, so they come second.
ESTIMATES = {Form.STATIC: 0.45, Form.DYNAMIC: 0.55}


class Clock(Protocol):
    """Compares times.

    Attributes:
        measured: Whether anything is measured, or times are estimates that advise on no device.
    """

    measured: bool

    def ratios(self, reference: Path, files: Mapping[Mix, Path]) -> Mapping[Mix, Ratio]:
        """Return the time of each file over the reference's."""


class Stopwatch:
    """Times files in turn where the run is measured."""

    measured = True

    def __init__(self, base: Artifact, samples: Dataset, threads: int, apart: Workspace, device: Target) -> None:
        """Take what a timing needs.

        Args:
            base: What the files were made from.
            samples: Real samples to run on, in `apart`.
            threads: Intra-operator threads.
            apart: A workspace that is never settled.
            device: Where to measure.
        """
        self._base, self._samples, self._threads = base, samples, threads
        self._apart, self._device = apart, device

    def ratios(self, reference: Path, files: Mapping[Mix, Path]) -> Mapping[Mix, Ratio]:
        """See `Clock`; a few files at once, each portion with the reference among them."""
        mixes = list(files)
        portions = [mixes[start : start + AT_ONCE - 1] for start in range(0, len(mixes), AT_ONCE - 1)]
        found: dict[Mix, Ratio] = {}
        for portion in portions:
            found |= self._timed(reference, {mix: files[mix] for mix in portion})
        return found

    def _timed(self, reference: Path, files: Mapping[Mix, Path]) -> Mapping[Mix, Ratio]:
        with self._apart.holding(reference, *files.values()) as digests:
            models = {str(place): replace(self._base, sha256=digest) for place, digest in enumerate(digests)}
            request = ProbeRequest(LATENCY, models, self._samples.index, self._threads, TIMED_SAMPLES, SHORT)
            _, times = time_in_turn(request, SHORT, self._apart, self._device, lambda *_: None)
        return {mix: ratio_interval(times[str(place)], times["0"], SEED) for place, mix in enumerate(files, start=1)}


class Estimate:
    """Counts multiply-accumulates, where no time that could be taken here would speak of the device."""

    measured = False

    def __init__(self, groups: Sequence[Group]) -> None:
        self._macs = {group.name: max(group.macs, 1) for group in groups}

    def ratios(self, reference: Path, files: Mapping[Mix, Path]) -> Mapping[Mix, Ratio]:  # noqa: ARG002
        """See `Clock`."""
        total = sum(self._macs.values())

        def ratio(mix: Mix) -> Ratio:
            spent = sum(macs * ESTIMATES.get(mix.form(name), 1.0) for name, macs in self._macs.items())
            return Ratio(spent / total, spent / total, spent / total, 1.0)

        return {mix: ratio(mix) for mix in files}
