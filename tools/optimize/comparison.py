"""How far a candidate's outputs are from its base's on real samples.

Both models run in fresh processes, in a workspace of their own that is never settled: none of this reaches the store.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgewright.state.artifacts import Artifact
from edgewright.state.errors import Code, Refused
from edgewright.state.evidence import Dataset
from edgewright.tools.benchmark.outputs import open_outputs, run_outputs
from edgewright.tools.datasets.subset import subset
from edgewright.tools.legible import legible
from edgewright.tools.probe.columns import Array, Column
from edgewright.tools.targets.target import Target
from edgewright.tools.workspace import Workspace

SAMPLES = 64
THREADS = 1
# Rewriting reorders additions, which in float32 costs parts in 10^6; in a model that computes in 8 bits a rounding that
# falls the other way costs a step of 1/255, and a cosine of about 0.9999. Below 0.999 something else has happened.
LEAST_COSINE = 0.999
# Integer outputs (labels, counts) may differ where two scores tie.
LEAST_AGREEMENT = 0.99


@dataclass(frozen=True)
class OutputComparison:
    """One output of the candidate against the same output of its base, over the compared samples together.

    Attributes:
        name: The output.
        dtype: Its element type, NumPy's name.
        samples: Samples compared.
        max_absolute: Largest difference of two numbers.
        max_relative: The same over the largest magnitude that the base gave.
        cosine: Cosine between all numbers of the one and all of the other; 1 is the same direction.
        agreement: For outputs of real numbers the share of positions with the same largest entry along the last axis,
            for integers and booleans the share of equal entries; `None` where there is nothing to choose from.
        reshaped: Samples whose output has another shape than the base's; they are in none of the figures above.
        non_finite: Samples with NaN or infinity where the base has numbers.
    """

    name: str
    dtype: str
    samples: int
    max_absolute: float
    max_relative: float
    cosine: float
    agreement: float | None
    reshaped: int
    non_finite: int

    @property
    def sentence(self) -> str:
        """The figures in words, without a full stop."""
        same = "" if self.agreement is None else f", same answer in {100 * self.agreement:.1f} %"
        return (
            f"output '{legible(self.name)}' against the base's on {self.samples} samples: cosine {self.cosine:.6f}, "
            f"largest difference {self.max_absolute:.3g} ({100 * self.max_relative:.2f} % of the largest value){same}"
        )


def compare(
    base: Artifact, candidate: tuple[Artifact, Path], validation: Dataset, workspace: Workspace, target: Target
) -> tuple[OutputComparison, ...]:
    """Run both models over samples spread evenly over the validation set.

    Args:
        base: In the store.
        candidate: The candidate and its file, which is not kept yet.
        validation: Where the samples come from.
        workspace: The job's.
        target: Where to run.

    Raises:
        Refused: A model does not load, run, or fit the data; of the candidate it is said that the base does.
    """
    folder = workspace.scratch("comparison")
    folder.mkdir()
    apart = Workspace(folder, workspace.objects)
    for path in (workspace.path_of(base.sha256), candidate[1]):
        apart.keep(path)
    count = min(SAMPLES, validation.n)
    rows = [number * validation.n // count for number in range(count)]
    samples = subset(validation, rows, workspace, apart)
    before = open_outputs(run_outputs(base, samples, THREADS, apart, target, progress=_silent), apart)
    try:
        after = open_outputs(run_outputs(candidate[0], samples, THREADS, apart, target, progress=_silent), apart)
    except Refused as refused:
        raise Refused.because(
            refused.refusal.code,
            f"keeping {candidate[0].name}",
            f"its base runs on the samples, and it does not: {refused.refusal.why}",
            "choose another option, or simplify the model first",
            "P9",
            option=candidate[0].recipe.option,
        ) from refused
    return tuple(compare_columns(name, before[name], after[name]) for name in before)


def _silent(done: int, total: int, message: str) -> None:
    """Two short runs are not worth a line each."""


@dataclass
class _Sums:
    """What a comparison accumulates, in double precision."""

    product: float = 0.0
    base_square: float = 0.0
    candidate_square: float = 0.0
    max_absolute: float = 0.0
    base_peak: float = 0.0
    agreeing: int = 0
    choices: int = 0
    reshaped: int = 0
    non_finite: int = 0
    compared: int = field(default=0)

    def add(self, base: Array, candidate: Array) -> None:
        """Take one sample's output of both."""
        if base.shape != candidate.shape:
            self.reshaped += 1
            return
        if bool((np.isfinite(base) & ~np.isfinite(candidate)).any()):
            self.non_finite += 1
            return
        self.compared += 1
        self._count_choices(base, candidate)
        # Where both are infinite alike, as in a mask, there is nothing to measure.
        finite = np.isfinite(base) & np.isfinite(candidate)
        x, y = base[finite].astype(np.float64), candidate[finite].astype(np.float64)
        self.product += float(x @ y)
        self.base_square += float(x @ x)
        self.candidate_square += float(y @ y)
        self.max_absolute = max(self.max_absolute, float(np.abs(x - y).max(initial=0.0)))
        self.base_peak = max(self.base_peak, float(np.abs(x).max(initial=0.0)))

    def _count_choices(self, base: Array, candidate: Array) -> None:
        if base.dtype.kind in "iub":
            self.agreeing += int((base == candidate).sum())
            self.choices += base.size
        elif base.ndim and base.shape[-1] > 1:
            self.agreeing += int((base.argmax(-1) == candidate.argmax(-1)).sum())
            self.choices += base.size // base.shape[-1]

    @property
    def cosine(self) -> float:
        """1 between two zeros, 0 between a zero and anything else."""
        norm = np.sqrt(self.base_square) * np.sqrt(self.candidate_square)
        return float(self.product / norm) if norm else float(self.base_square == self.candidate_square)


def compare_columns(name: str, base: Column, candidate: Column) -> OutputComparison:
    """Compare one output, sample by sample.

    Args:
        name: The output.
        base: What the base answered, one entry a sample.
        candidate: What the candidate answered to the same samples.
    """
    sums = _Sums()
    for row in range(len(base)):
        sums.add(base[row], candidate[row])
    return OutputComparison(
        name=name,
        dtype=base.dtype,
        samples=sums.compared,
        max_absolute=sums.max_absolute,
        max_relative=sums.max_absolute / sums.base_peak if sums.base_peak else sums.max_absolute,
        cosine=sums.cosine,
        agreement=sums.agreeing / sums.choices if sums.choices else None,
        reshaped=sums.reshaped,
        non_finite=sums.non_finite,
    )


def require_same_outputs(option: str, comparison: tuple[OutputComparison, ...], do: str) -> None:
    """Refuse a rewriting or conversion that changed the outputs.

    Raises:
        Refused: CONVERSION_DIVERGED.
    """
    for output in comparison:
        counted = np.dtype(output.dtype).kind in "iub"
        agreement = 1.0 if output.agreement is None or not counted else output.agreement
        if output.reshaped or output.cosine < LEAST_COSINE or agreement < LEAST_AGREEMENT:
            raise Refused.because(
                Code.CONVERSION_DIVERGED,
                f"keeping the result of {option}",
                f"{output.sentence}; required are a cosine of {LEAST_COSINE}, for integers the same answer in "
                f"{100 * LEAST_AGREEMENT:.0f} %, and the same shape, which {output.reshaped} samples lack",
                do,
                "P9",
                output=output.name,
                cosine=output.cosine,
                agreement=output.agreement,
                reshaped=output.reshaped,
            )
