"""From raw times to figures: what is printed, what is withheld, and how sure a comparison is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgewright.state.evidence import Ratio
from edgewright.state.protocols import LEAST_RUNS

Times = NDArray[np.int64]
LogRatios = NDArray[np.float64]

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
# Share of the slowest runs that does not count towards the spread.
SET_ASIDE = 0.01
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


def spread(times_ns: Times, samples: NDArray[np.int64]) -> float:
    """Return the coefficient of variation within samples: what is left when larger samples may take longer.

    The within-group standard deviation of a one-way analysis of variance, over the mean of all. The slowest percent of
    runs is set aside: single interrupts belong to P99 and would decide alone here.

    Args:
        times_ns: Nanoseconds, shape (runs,).
        samples: Which prepared sample each run was over, shape (runs,).
    """
    usual = times_ns <= np.percentile(times_ns, 100 * (1 - SET_ASIDE))
    times, groups = times_ns[usual].astype(np.float64), samples[usual]
    counts = np.bincount(groups)
    means = np.bincount(groups, weights=times) / np.maximum(counts, 1)
    freedom = len(times) - np.count_nonzero(counts)
    if freedom < 1:
        return float(np.std(times) / np.mean(times))
    return float(np.sqrt(((times - means[groups]) ** 2).sum() / freedom) / np.mean(times))


def ratio_interval(candidate_ns: Sequence[Times], baseline_ns: Sequence[Times], seed: int) -> Ratio:
    """Return the median ratio of runs that took turns, candidate over baseline, with a 95 % interval.

    Run k of one and run k of the other were neighbours over the same sample, so each pair has its own ratio: what
    slowed both cancels before anything is averaged (Bulej et al., "Duet benchmarking: improving measurement accuracy in
    the cloud", ICPE 2020). On a machine with two cores and a load of 3 to 7, ratios of medians of one model against
    itself scattered up to three times as wide.

    The interval is a bootstrap percentile interval, resampled at both levels where chance acts (Kalibera and Jones,
    "Rigorous benchmarking in reasonable time", ISMM 2013): processes with replacement, then stretches of time in each.

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
    ratios = [_log_ratios(candidate, baseline) for candidate, baseline in zip(candidate_ns, baseline_ns, strict=True)]
    count = min(BLOCKS, *map(len, ratios))
    weights = _weights(len(ratios), count, np.random.default_rng(seed))
    low, high = np.quantile(_medians(_blocks(ratios, count), weights), [TAIL, 1 - TAIL])
    t_low, t_high = _between_processes(ratios)
    middle = float(np.median(np.concatenate(ratios)))
    return Ratio(
        math.exp(middle),
        math.exp(min(float(low), t_low, middle)),
        math.exp(max(float(high), t_high, middle)),
        CONFIDENCE,
    )


def _log_ratios(candidate_ns: Times, baseline_ns: Times) -> LogRatios:
    """Return the logarithm of each pair's ratio; a clock that stood still, which is told elsewhere, counts as 1 ns."""
    logarithms: LogRatios = np.log(np.maximum(candidate_ns, 1)) - np.log(np.maximum(baseline_ns, 1))
    return logarithms


def _between_processes(ratios: Sequence[LogRatios]) -> tuple[float, float]:
    """Return Student's t interval of the processes' ratios; (inf, -inf), which widens nothing, for a single one."""
    processes = len(ratios)
    if processes == 1:
        return math.inf, -math.inf
    medians = np.array([np.median(logarithms) for logarithms in ratios])
    quantile = T_QUANTILES[min(processes - 1, len(T_QUANTILES)) - 1]
    reach = quantile * float(medians.std(ddof=1)) / math.sqrt(processes)
    middle = float(medians.mean())
    return middle - reach, middle + reach


def _weights(processes: int, blocks: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return how often each block is drawn in each resample: shape (RESAMPLES, processes * blocks)."""
    drawn = rng.multinomial(processes, np.full(processes, 1 / processes), size=RESAMPLES)
    inside = rng.multinomial(drawn * blocks, np.full(blocks, 1 / blocks), size=(RESAMPLES, processes))
    return inside.reshape(RESAMPLES, processes * blocks).astype(np.float64)


def _blocks(series: Sequence[LogRatios], count: int) -> list[LogRatios]:
    return [block for logarithms in series for block in np.array_split(logarithms, count)]


def _medians(blocks: Sequence[LogRatios], weights: NDArray[np.float64]) -> LogRatios:
    """Return the median of every resample: shape (RESAMPLES,).

    A resample is a weighting of the blocks, so its distribution is the weighted sum of the blocks' own.
    """
    pooled = np.sort(np.concatenate(blocks))
    ranks = np.linspace(0, len(pooled) - 1, min(GRID, len(pooled))).round().astype(np.int64)
    grid = np.unique(pooled[ranks])
    counts = np.array([np.searchsorted(np.sort(block), grid, side="right") for block in blocks], dtype=np.float64)
    below = weights @ counts
    totals = weights @ np.array([len(block) for block in blocks], dtype=np.float64)
    medians: LogRatios = grid[np.argmax(below >= totals[:, None] / 2, axis=1)]
    return medians
