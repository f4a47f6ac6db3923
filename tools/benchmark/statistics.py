"""From raw times to figures: what is printed, what is withheld, and how sure a comparison is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgewright.state.evidence import Ratio
from edgewright.state.protocols import LEAST_RUNS

Times = NDArray[np.int64]

NS_PER_MS = 1e6
PRINTED = (50, 90, 95, 99)
CONFIDENCE = 0.95
RESAMPLES = 2000
# Neighbouring times are correlated (a noisy neighbour, a falling clock), so whole stretches are drawn, not runs:
# Carlstein, "The use of subseries values for estimating the variance of a general statistic from a stationary
# sequence", Annals of Statistics 14 (1986). Twenty a process, however long it ran: 10 to 30 are enough, and more of
# them are shorter, which breaks the correlation and makes the interval too narrow (Schmeiser, "Batch size effects in
# the analysis of simulation output", Operations Research 30 (1982)).
BLOCKS = 20
# Percentile intervals from few draws are too narrow; the expanded one (Hesterberg, "What teachers should know about the
# bootstrap", The American Statistician 69 (2015)) cuts off Phi(-sqrt(n / (n - 1)) t(n - 1, 2.5 %)) at each end, n = 20.
TAIL = 0.0159
# 97.5 % quantiles of Student's t from one degree of freedom on (NIST/SEMATECH, "e-Handbook of Statistical Methods",
# section 1.3.6.7.2); beyond nine the last one errs on the wide side.
T_QUANTILES = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
# Medians are found on at most this many distinct values; ranks between them are 1/4096 of all runs.
GRID = 4096


@dataclass(frozen=True)
class Summary:
    """Figures of one series of times.

    Attributes:
        runs: Times in the series.
        mean_ms: Arithmetic mean.
        std_ms: Standard deviation (n - 1); 0 for a single run.
        percentiles_ms: Percentile to value, where there are runs enough.
        withheld: Percentile to the sentence that says why it is not printed.
    """

    runs: int
    mean_ms: float
    std_ms: float
    percentiles_ms: dict[int, float]
    withheld: dict[int, str]


def summarise(times_ns: Times, percentiles: Sequence[int] = PRINTED) -> Summary:
    """Return the figures that this many runs can carry.

    Percentiles interpolate linearly between order statistics (type 7 of Hyndman and Fan, "Sample quantiles in
    statistical packages", The American Statistician 50 (1996)).

    Args:
        times_ns: Nanoseconds, shape (runs,), at least one.
        percentiles: Those wanted, each a key of `LEAST_RUNS`.
    """
    runs = len(times_ns)
    allowed = [percentile for percentile in percentiles if runs >= LEAST_RUNS[percentile]]
    return Summary(
        runs=runs,
        mean_ms=float(np.mean(times_ns)) / NS_PER_MS,
        std_ms=float(np.std(times_ns, ddof=1)) / NS_PER_MS if runs > 1 else 0.0,
        percentiles_ms={percentile: float(np.percentile(times_ns, percentile)) / NS_PER_MS for percentile in allowed},
        withheld={
            percentile: f"P{percentile} needs {LEAST_RUNS[percentile]} runs to be known with 99 % confidence; "
            f"there are {runs}."
            for percentile in percentiles
            if percentile not in allowed
        },
    )


def ratio_interval(candidate_ns: Sequence[Times], baseline_ns: Sequence[Times], seed: int) -> Ratio:
    """Return the ratio of the medians, candidate over baseline, with a 95 % interval.

    A bootstrap percentile interval, resampled at both levels where chance acts (Kalibera and Jones, "Rigorous
    benchmarking in reasonable time", ISMM 2013): processes with replacement, then stretches of time inside each. The
    two models ran in turn, so stretch k of one saw the same moments as stretch k of the other and both are drawn
    together: what slowed both cancels.

    Resampling P processes gives (P - 1) / P of the variance between them, and P is small. So from two processes on
    either side reaches at least as far as Student's t over the logarithms of the P ratios. Simulated with three
    processes whose ratios differ by 1 % (standard deviation), 95 % of 2000 intervals held the truth, 77 % without it.

    Args:
        candidate_ns: One array of nanoseconds, in order, per process.
        baseline_ns: The same of the baseline; equal lengths, process by process.
        seed: Of the resampling.

    Raises:
        ValueError: The two do not belong together.
    """
    if [len(times) for times in candidate_ns] != [len(times) for times in baseline_ns] or not len(candidate_ns):
        raise ValueError("candidate and baseline were not timed in turn: their runs differ in number")
    blocks = min(BLOCKS, *(len(times) for times in candidate_ns))
    weights = _weights(len(candidate_ns), blocks, np.random.default_rng(seed))
    medians = [_medians(_blocks(series, blocks), weights) for series in (candidate_ns, baseline_ns)]
    low, high = np.quantile(medians[0] / medians[1], [TAIL, 1 - TAIL])
    t_low, t_high = _between_processes(candidate_ns, baseline_ns)
    median = float(np.median(np.concatenate(candidate_ns)) / np.median(np.concatenate(baseline_ns)))
    return Ratio(median, min(float(low), t_low, median), max(float(high), t_high, median), CONFIDENCE)


def _between_processes(candidate_ns: Sequence[Times], baseline_ns: Sequence[Times]) -> tuple[float, float]:
    """Return Student's t interval of the processes' ratios; (inf, 0), which widens nothing, for a single one."""
    processes = len(candidate_ns)
    if processes == 1:
        return math.inf, 0.0
    medians = np.array([[np.median(times) for times in series] for series in (candidate_ns, baseline_ns)])
    logarithms = np.log(medians[0] / medians[1])
    quantile = T_QUANTILES[min(processes - 1, len(T_QUANTILES)) - 1]
    reach = quantile * float(logarithms.std(ddof=1)) / math.sqrt(processes)
    middle = float(logarithms.mean())
    return math.exp(middle - reach), math.exp(middle + reach)


def _weights(processes: int, blocks: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return how often each block is drawn in each resample: shape (RESAMPLES, processes * blocks)."""
    drawn = rng.multinomial(processes, np.full(processes, 1 / processes), size=RESAMPLES)
    inside = rng.multinomial(drawn * blocks, np.full(blocks, 1 / blocks), size=(RESAMPLES, processes))
    return inside.reshape(RESAMPLES, processes * blocks).astype(np.float64)


def _blocks(series: Sequence[Times], blocks: int) -> list[Times]:
    return [block for times in series for block in np.array_split(times, blocks)]


def _medians(blocks: Sequence[Times], weights: NDArray[np.float64]) -> Times:
    """Return the median of every resample: shape (RESAMPLES,).

    A resample is a weighting of the blocks, so its distribution is the weighted sum of the blocks' own.
    """
    pooled = np.sort(np.concatenate(blocks))
    ranks = np.linspace(0, len(pooled) - 1, min(GRID, len(pooled))).round().astype(np.int64)
    grid = np.unique(pooled[ranks])
    counts = np.array([np.searchsorted(np.sort(block), grid, side="right") for block in blocks], dtype=np.float64)
    below = weights @ counts
    totals = weights @ np.array([len(block) for block in blocks], dtype=np.float64)
    medians: Times = grid[np.argmax(below >= totals[:, None] / 2, axis=1)]
    return medians
