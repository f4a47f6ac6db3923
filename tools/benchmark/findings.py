"""What the numbers of a comparison mean, in sentences."""

from collections.abc import Iterable, Mapping

import numpy as np

from edgewright.state.evidence import RESOLUTION, Latency, Operator, Ratio
from edgewright.state.protocols import BASELINE_RUNS
from edgewright.tools.benchmark.statistics import Times

# Off target nobody owns the machine's clock; noise widens the interval, and beyond this it is worth a word.
CALM_VARIATION = 0.25
# A smaller rise of overhead does not explain a lost speed-up.
NOTABLE_SHARE = 0.05

# Operators that only change how numbers are written down. Names as in ONNX Runtime's profile, where its optimiser has
# rewritten the graph (microsoft/onnxruntime, docs/ContribOperators.md and core/graph/constants.h).
CONVERSIONS = frozenset(
    {
        "Cast",
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "QuantizeLinear",
        "ReorderInput",
        "ReorderOutput",
        "Transpose",
    }
)
FLOAT_KERNELS = frozenset(
    {"Conv", "ConvTranspose", "FusedConv", "FusedGemm", "FusedMatMul", "GRU", "Gemm", "LSTM", "MatMul", "NhwcFusedConv"}
)
INTEGER_KERNELS = frozenset(
    {
        "ConvInteger",
        "DynamicQuantizeLSTM",
        "DynamicQuantizeMatMul",
        "MatMulInteger",
        "MatMulIntegerToFloat",
        "QGemm",
        "QLinearConv",
        "QLinearMatMul",
    }
)


def invalidity(times: Mapping[str, Iterable[Times]]) -> tuple[str, ...]:
    """Return why the times may not be used; nothing where they may."""
    faults = []
    for name, series in times.items():
        pooled = np.concatenate(list(series))
        if len(pooled) < BASELINE_RUNS:
            faults.append(f"The {name} was timed {len(pooled)} times; {BASELINE_RUNS} are the least.")
        if pooled.min(initial=1) <= 0:
            faults.append(f"The clock went back or stood still during {int((pooled <= 0).sum())} runs of the {name}.")
    return tuple(faults)


def noise(baseline: Latency, candidate: Latency) -> tuple[str, ...]:
    """Return a sentence for each model whose times vary more than a calm machine's."""
    return tuple(
        f"The times of the {name} vary by {latency.std_ms / latency.mean_ms:.0%} around their mean (calm is below "
        f"{CALM_VARIATION:.0%}): other work ran beside it, or its samples differ much in size. The interval is wider "
        "for it."
        for name, latency in (("baseline", baseline), ("candidate", candidate))
        if latency.std_ms > CALM_VARIATION * latency.mean_ms
    )


def comparison(ratio: Ratio) -> tuple[str, ...]:
    """Return the sentence that keeps a reader from seeing a gain that the times do not show."""
    if ratio.faster:
        return ()
    interval = f"candidate over baseline is {ratio.low:.3f} to {ratio.high:.3f} with {ratio.confidence:.0%} confidence"
    if ratio.slower:
        return (f"The candidate is slower: {interval}.",)
    if ratio.low <= 1 <= ratio.high:
        return (f"No difference shown: {interval}, which includes 1.",)
    return (f"No difference shown: {interval}, and one file against itself comes out up to {RESOLUTION:.0%} apart.",)


def reasons(baseline: Iterable[Operator], candidate: Iterable[Operator]) -> tuple[str, ...]:
    """Return where the candidate's time goes that the baseline's does not; nothing where a profile is empty."""
    before = {operator.op_type: operator for operator in baseline}
    after = {operator.op_type: operator for operator in candidate}
    if not before or not after:
        return ()
    found = [*_conversions(before, after), *_left_in_float(before, after)]
    return tuple(found) or _largest_loss(before, after)


def _conversions(before: Mapping[str, Operator], after: Mapping[str, Operator]) -> list[str]:
    share = {name: operator.share for name, operator in after.items() if name in CONVERSIONS}
    total, former = sum(share.values()), sum(before[name].share for name in before if name in CONVERSIONS)
    if total - former < NOTABLE_SHARE:
        return []
    parts = ", ".join(f"{name} {part:.0%}" for name, part in sorted(share.items(), key=lambda item: -item[1]))
    return [
        f"{total:.0%} of the candidate's operator time converts between number formats or layouts ({parts}); in the "
        f"baseline it is {former:.0%}."
    ]


def _left_in_float(before: Mapping[str, Operator], after: Mapping[str, Operator]) -> list[str]:
    quantised = any(name in INTEGER_KERNELS or name in {"QuantizeLinear", "DequantizeLinear"} for name in after)
    left = {name: operator.calls for name, operator in after.items() if name in FLOAT_KERNELS}
    if not quantised or not left:
        return []
    former = sum(operator.calls for name, operator in before.items() if name in FLOAT_KERNELS)
    parts = ", ".join(f"{name} {calls:g}" for name, calls in sorted(left.items()))
    return [
        f"{sum(left.values()):g} of the baseline's {former:g} convolutions, matrix products and recurrences still run "
        f"in float ({parts})."
    ]


def _largest_loss(before: Mapping[str, Operator], after: Mapping[str, Operator]) -> tuple[str, ...]:
    def loss(name: str) -> float:
        return after[name].mean_ms - (before[name].mean_ms if name in before else 0.0)

    worst = max(after, key=loss, default=None)
    if worst is None or loss(worst) <= 0:
        return ()
    former = before[worst].mean_ms if worst in before else 0.0
    return (
        f"The candidate loses most in {worst}: {after[worst].mean_ms:.3f} ms an inference against {former:.3f} ms.",
    )
