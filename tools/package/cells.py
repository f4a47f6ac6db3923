"""How each measured quantity is written in a report. A number taken off the target goes nowhere without its label (P6).

The label stands in the cell itself, so that a table cut in two still says it.
"""

from edgewright.state.evidence import Accuracy, Label, Latency, Memory, Ratio
from edgewright.tools.package.markdown import figure, megabytes, percent
from edgewright.tools.package.variants import Status, Variant

UNMEASURED = "unmeasured"


def labelled(text: str, label: Label) -> str:
    """Return a number with where it was taken."""
    return f"{text} · {label}"


def mean_latency(latency: Latency | None, unit: str = " ms") -> str:
    """Return the mean of single inferences."""
    if latency is None:
        return UNMEASURED
    return labelled(f"{figure(latency.mean_ms)}{unit}", latency.environment.label)


def percentile_latency(latency: Latency | None, percentile: int) -> str:
    """Return a percentile, or the sentence that says why it is not printed (P10)."""
    if latency is None:
        return UNMEASURED
    if percentile in latency.percentiles_ms:
        return labelled(f"{figure(latency.percentiles_ms[percentile])} ms", latency.environment.label)
    reason = latency.withheld.get(percentile)
    return f"withheld: {reason.rstrip('.')}" if reason else UNMEASURED


def peak_memory(memory: Memory | None) -> str:
    """Return the peak of the resident set, runtime included."""
    if memory is None:
        return UNMEASURED
    return labelled(f"{megabytes(memory.peak_bytes)} MB", memory.environment.label)


def throughput(latency: Latency | None) -> str:
    """Return the samples a second that the mean latency amounts to."""
    if latency is None:
        return UNMEASURED
    return labelled(f"{figure(latency.throughput_per_s)} fps", latency.environment.label)


def accuracy(measured: Accuracy | None) -> str:
    """Return the metric, with the agreement with the original's answers beside it."""
    if measured is None:
        return UNMEASURED
    beside = "" if measured.agreement is None else f" (agreement with the original {measured.agreement:.4f})"
    return labelled(f"{measured.value:.4f}{beside}", measured.environment.label)


def faster(variant: Variant) -> str:
    """Return the speed-up with its interval, in the words that the interval allows."""
    ratio = variant.ratio
    if variant.status is Status.BASELINE:
        return "unchanged"
    if ratio is None or variant.latency is None:
        return UNMEASURED
    return labelled(_in_words(ratio), variant.latency.environment.label)


def _in_words(ratio: Ratio) -> str:
    interval = f"{ratio.confidence:.0%} interval {1 / ratio.high:.2f}x to {1 / ratio.low:.2f}x"
    if ratio.faster:
        return f"{1 / ratio.median:.2f}x faster ({interval})"
    if ratio.slower:
        return f"{1 / ratio.median:.2f}x, which is slower ({interval})"
    return f"{1 / ratio.median:.2f}x, no difference shown ({interval})"


def speedup(variant: Variant) -> str:
    """Return the speed-up alone; the baseline's is 1 by definition."""
    if variant.status is Status.BASELINE:
        return "1.0x"
    if variant.speedup is None or variant.latency is None:
        return UNMEASURED
    return labelled(f"{variant.speedup:.2f}x", variant.latency.environment.label)


def change_of(before: float | None, after: float | None, label: Label, *, better: str, worse: str) -> str:
    """Return how many times smaller `after` is, in the word for it; both must have been taken under `label`."""
    if not before or not after:
        return UNMEASURED
    factor = before / after
    return labelled(f"{factor:.2f}x {better if factor >= 1 else worse}", label)


def accuracy_delta(variant: Variant) -> str:
    """Return the relative change against the run's reference; negative is worse, whatever the metric's direction."""
    return UNMEASURED if variant.verdict is None else percent(-variant.verdict.drop)


def judged_by(variant: Variant) -> str:
    """Return the change of accuracy with its verdict, and both places where it is one between two kinds of machines."""
    said = f"{accuracy_delta(variant)} ({outcome(variant)})"
    if variant.accuracy is None or variant.reference is None:
        return said
    taken, reference = (found.environment.label for found in (variant.accuracy, variant.reference))
    return labelled(said, taken) if taken is reference else f"{labelled(said, taken)} against {reference}"


def outcome(variant: Variant) -> str:
    """Return the verdict in one word, and that a person accepted it where one did."""
    if variant.verdict is None:
        return UNMEASURED
    return f"{variant.verdict.outcome}{', WAIVED' if variant.waiver else ''}"
