"""What the kernels that computed an accuracy have to do with its value: 8-bit products are not the same everywhere."""

from edgewright.state.evidence import Accuracy, Label
from edgewright.tools.orders import ValidateOrder

# Relative difference of a metric between two machines that rounding alone explains.
SAME = 0.005


def kernels(order: ValidateOrder, accuracy: Accuracy) -> tuple[str, ...]:
    """Return what to know of where the accuracy was computed: a saturating host, or a device that disagrees with it."""
    said = [_saturating(order, accuracy), _emulated(accuracy), _compared(order.earlier, accuracy)]
    return tuple(sentence for sentence in said if sentence)


def _saturating(order: ValidateOrder, accuracy: Accuracy) -> str:
    """Return the warning about a host whose 8-bit sums saturate.

    x86 before VNNI multiplies U8 by S8 with VPMADDUBSW, which saturates at 16 bits (Intel, "Intrinsics Guide",
    _mm256_maddubs_epi16; ONNX Runtime, "Quantize ONNX models", section on reduce_range).
    """
    environment = accuracy.environment
    if environment.vnni != "no" or "int8" not in order.candidate.precision:
        return ""
    return (
        f"This {environment.machine} processor has no VNNI: sums of 8-bit products can saturate here, and the accuracy "
        "then is lower than on ARM or with VNNI. The device's own kernels decide: validate(on_target=true)."
    )


def _emulated(accuracy: Accuracy) -> str:
    """Return what an emulation of float16 leaves open."""
    if accuracy.environment.label is not Label.EMULATED_HALF:
        return ""
    return (
        "float16 was emulated: every operator's result was rounded to float16, its sums kept in float32. Kernels that "
        "also sum in float16 lose more, and fused ones less: the device's own kernels decide."
    )


def _compared(earlier: Accuracy | None, now: Accuracy) -> str:
    """Return how the device's accuracy compares with the host's, once both were measured."""
    if earlier is None or not now.environment.target:
        return ""
    where = f"{now.environment.target} ({now.environment.label})"
    before = f"{earlier.value:.4f} on {earlier.environment.machine} ({earlier.environment.label})"
    if abs(now.value - earlier.value) <= SAME * abs(earlier.value):
        return f"The kernels of {where} give {now.metric} {now.value:.4f}, as before: {before}."
    return f"The kernels of {where} give {now.metric} {now.value:.4f}, and before it was {before}: the device's count."
