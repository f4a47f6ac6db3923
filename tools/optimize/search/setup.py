"""What a search and an analysis look through: mixes are written, timed where that tells, compared on few samples."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgewright.state.artifacts import Device
from edgewright.state.evidence import Dataset, Label
from edgewright.tools.benchmark.measure import measure_memory
from edgewright.tools.datasets.subset import subset
from edgewright.tools.optimize.calibrate.candidate import Calibrated, Calibration, Samples
from edgewright.tools.optimize.search.clock import Clock, Estimate, Stopwatch
from edgewright.tools.optimize.search.mix import Mixer
from edgewright.tools.orders import QuantizeOrder
from edgewright.tools.runtimes.onnxruntime.outputs import Reference
from edgewright.tools.targets.target import Places
from edgewright.tools.workspace import Workspace

# More samples than this tell candidates apart no better than a search needs.
MOST_SAMPLES = 512
THREADS = 1


@dataclass(frozen=True)
class Setup:
    """Everything that looks at mixes of one model.

    Attributes:
        mixer: Writes them.
        clock: Times them.
        reference: The outputs that errors are relative to.
        exact: Whether errors are computed as 8 bits are defined, and not by this processor's kernels.
        float32: The file that times are compared with.
        samples: Calibration samples, at most `MOST_SAMPLES`, in a shuffled order.
        apart: The workspace that they lie in; it is never settled.
        timed: Label of where times are taken; empty where they are estimates.
        report: Told what is being done.
    """

    mixer: Mixer
    clock: Clock
    reference: Reference
    exact: bool
    float32: Path
    samples: Dataset
    apart: Workspace
    timed: str
    report: Callable[[str], None]


def set_up(
    order: QuantizeOrder,
    workspace: Workspace,
    places: Places,
    *,
    calibration: tuple[Calibration, Calibrated],
    samples: Samples,
    float32: Path,
) -> Setup:
    """Lay out what there is to look through.

    Args:
        order: Names base, data and device.
        workspace: The job's.
        places: Where times are taken, and where outputs are computed.
        calibration: What writes 8 bits, and of which model.
        samples: A few of them are what errors are measured on.
        float32: The base's file; intermediate ones are written beside it.
    """
    folder = float32.parent
    mixer = Mixer(*calibration, folder)
    room = workspace.scratch("search")
    room.mkdir()
    apart = Workspace(room, workspace.objects)
    if order.calibration is None:
        raise ValueError("there is no calibration set to look at mixes with")
    rows = np.random.default_rng(0).permutation(order.calibration.n)[:MOST_SAMPLES].tolist()
    few = subset(order.calibration, rows, workspace, apart)
    threads = order.terms.threads if order.terms else THREADS
    timed = _label(order, workspace, places, threads)
    clock: Clock = Estimate(tuple(mixer.groups.values()))
    if timed:
        clock = Stopwatch(order.base, few, threads, apart, places.device)
    return Setup(
        mixer=mixer,
        clock=clock,
        reference=Reference(calibration[1].model, samples.few, folder),
        exact=order.target_device is not Device.CPU_GENERIC,
        float32=float32,
        samples=few,
        apart=apart,
        timed=timed,
        report=lambda doing: workspace.progress(1, 3, doing),
    )


def _label(order: QuantizeOrder, workspace: Workspace, places: Places, threads: int) -> str:
    """Return the label of times that speak of the run's device (P6), or nothing where none could be taken."""
    generic = order.target_device is Device.CPU_GENERIC
    if places.device is places.host:
        return str(Label.HOST) if generic else ""
    label = measure_memory(order.base, order.validation, threads, workspace, places.device).environment.label
    speaks = label is not Label.EMULATED if generic else label is Label.TARGET
    return str(label) if speaks else ""
