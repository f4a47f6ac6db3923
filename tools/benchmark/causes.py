"""Why a candidate is not faster, and what to do about it: a table of causes, each seen in profiles and file.

Names of operators are those of ONNX Runtime's profile, where its optimiser has rewritten the graph (microsoft/
onnxruntime, docs/ContribOperators.md and core/graph/constants.h).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from edgewright.state.artifacts import Artifact, Device
from edgewright.state.causes import Cause
from edgewright.state.evidence import Environment, Label, Operator, Ratio
from edgewright.tools.benchmark.anatomy import Anatomy

# A smaller part of the time does not explain a lost speed-up.
NOTABLE_SHARE = 0.05
# Half of the time: even if everything else cost nothing, the candidate could not be twice as fast.
DOMINANT_SHARE = 0.5
# One convolution in three in a MobileNet's blocks, one in five where squeeze-and-excitation adds more of them.
DEPTHWISE_SHARE = 0.2
# Whatever takes longer than this a call works; the runtime's own cost of a call is a few microseconds.
LONGEST_EMPTY_CALL_MS = 0.01
# A runtime changes format and layout once at each end of a model, whatever is done to it.
ENDS = 2

FORMATS = frozenset({"Cast", "DequantizeLinear", "DynamicQuantizeLinear", "QuantizeLinear"})
LAYOUTS = frozenset({"ReorderInput", "ReorderOutput", "Transpose"})
FLOAT_KERNELS = frozenset(
    {"Conv", "ConvTranspose", "FusedConv", "FusedGemm", "FusedMatMul", "GRU", "Gemm", "LSTM", "MatMul", "NhwcFusedConv"}
)
DYNAMIC_KERNELS = frozenset({"ConvInteger", "DynamicQuantizeLSTM", "DynamicQuantizeMatMul", "MatMulInteger"})
STATIC_KERNELS = frozenset({"MatMulIntegerToFloat", "QGemm", "QLinearConv", "QLinearMatMul"})
PRODUCTS = FLOAT_KERNELS | DYNAMIC_KERNELS | STATIC_KERNELS
X86 = frozenset({"x86_64", "AMD64", "i686"})

Operators = Mapping[str, Operator]


@dataclass(frozen=True)
class Case:
    """What is known of a candidate that is not faster.

    Attributes:
        ratio: Its time over the baseline's.
        before: The baseline's operators by type, from the runtime's profile.
        after: The candidate's.
        candidate: The file.
        environment: What ran it, and where.
        anatomy: What the file itself says; `None` for formats that are not read.
    """

    ratio: Ratio
    before: Operators
    after: Operators
    candidate: Artifact
    environment: Environment
    anatomy: Anatomy | None

    @property
    def left(self) -> float:
        """Products that the candidate still computes in float, an inference."""
        return _calls(self.after, FLOAT_KERNELS)

    @property
    def unfused(self) -> float:
        """Those of them that the file wants in 8 bits."""
        wanted = self.anatomy.wrapped if self.anatomy else 0
        return min(self.left, max(0.0, wanted - _calls(self.after, STATIC_KERNELS)))


@dataclass(frozen=True)
class Kind:
    """A kind of cause: how it shows, and what helps.

    Attributes:
        name: As evidence records it.
        seen: Returns the sentence with the numbers, nothing where the kind does not apply.
        remedy: What to do.
        mendable: Whether that can make the same kind of step pay.
    """

    name: str
    seen: Callable[[Case], str]
    remedy: str
    mendable: bool


def causes_of(case: Case) -> tuple[Cause, ...]:
    """Return why the candidate is not faster, the most telling first; nothing where a profile is empty."""
    if not case.before or not case.after:
        return ()
    found = tuple(
        Cause(kind.name, sentence, kind.remedy, kind.mendable) for kind in KINDS if (sentence := kind.seen(case))
    )
    return found or _largest_loss(case)


def conclusion_of(case: Case, causes: Iterable[Cause], device: Device) -> str:
    """Return what to ship where no cause can be mended; nothing where one can, or where these times do not speak.

    Times of another machine advise nothing on a device (P6).
    """
    label = case.environment.label
    speaks = label is Label.TARGET or (label is Label.HOST and device is Device.CPU_GENERIC)
    causes = tuple(causes)
    if not speaks or not causes or any(cause.mendable for cause in causes):
        return ""
    precision = case.candidate.precision
    if precision.startswith("int"):
        return "INT8 brings no speed here, and the cause cannot be mended: ship FP32, or FP16 for a smaller file."
    if precision == "fp16":
        return "FP16 brings no speed here, and the cause cannot be mended: ship FP32, or keep FP16 for its size alone."
    return "This conversion brings no speed here, and the cause cannot be mended: ship the original."


def _dynamic_convolutions(case: Case) -> str:
    found = case.after.get("ConvInteger")
    if found is None:
        return ""
    return (
        f"{found.calls:g} convolutions are quantised anew at every inference (ConvInteger, {found.share:.0%} of the "
        "candidate's operator time)."
    )


def _half_in_float(case: Case) -> str:
    # MLAS has kernels for 16-bit float on ARM64 alone (microsoft/onnxruntime, core/mlas/inc/mlas.h,
    # MLAS_F16VEC_INTRINSICS_SUPPORTED).
    environment = case.environment
    if case.anatomy is None or not case.anatomy.half or environment.runtime != "onnxruntime":
        return ""
    if environment.machine not in X86:
        return ""
    casts = _calls(case.after, {"Cast"})
    return (
        f"Its 16-bit weights are computed in FP32: ONNX Runtime has no 16-bit kernels on {environment.machine} "
        f"processors, and casts instead ({casts:g} Cast calls an inference, the weights once when loading)."
    )


def _not_fused(case: Case) -> str:
    if case.unfused < 1 or case.anatomy is None:
        return ""
    return (
        f"{case.unfused:g} of {case.anatomy.wrapped} quantised products run in float: the runtime did not fuse the "
        f"QuantizeLinear and DequantizeLinear around them ({_calls(case.after, {'DequantizeLinear'}):g} "
        "DequantizeLinear calls an inference)."
    )


def _left_in_float(case: Case) -> str:
    quantised = case.after.keys() & (DYNAMIC_KERNELS | STATIC_KERNELS | {"QuantizeLinear", "DequantizeLinear"})
    left = case.left - case.unfused
    if not quantised or left < 1 or case.candidate.recipe.option == "int8_static":
        return ""
    parts = ", ".join(f"{name} {case.after[name].calls:g}" for name in sorted(case.after.keys() & FLOAT_KERNELS))
    return (
        f"{left:g} of the baseline's {_calls(case.before, FLOAT_KERNELS):g} convolutions, matrix products and "
        f"recurrences were left in float (in float now: {parts})."
    )


def _no_integer_kernel(case: Case) -> str:
    left = case.left - case.unfused
    candidate = case.candidate
    if left < 1 or not candidate.precision.startswith("int") or candidate.recipe.option != "int8_static":
        return ""
    parts = ", ".join(f"{name} {case.after[name].calls:g}" for name in sorted(case.after.keys() & FLOAT_KERNELS))
    return f"{left:g} products stay in float after static quantisation, which has no 8-bit form of them ({parts})."


def _formats(case: Case) -> str:
    return _rewriting(case, FORMATS, "number formats") if _calls(case.after, FORMATS) > ENDS else ""


def _layouts(case: Case) -> str:
    if case.anatomy is None or case.anatomy.transposes == 0:
        return ""  # nothing that a change of the file could cancel
    added = _calls(case.after, LAYOUTS) - _calls(case.before, LAYOUTS)
    return _rewriting(case, LAYOUTS, "layouts") if added > 0 and _calls(case.after, LAYOUTS) > ENDS else ""


def _ends(case: Case) -> str:
    rewriting = FORMATS | LAYOUTS
    inside = any(_calls(case.after, names) > ENDS for names in (FORMATS, LAYOUTS))
    return "" if inside else _rewriting(case, rewriting, "formats and layouts at its two ends")


def _rewriting(case: Case, names: frozenset[str], what: str) -> str:
    total, former = _share(case.after, names), _share(case.before, names)
    if total - former < NOTABLE_SHARE:
        return ""
    shares = sorted(((case.after[name].share, name) for name in case.after.keys() & names), reverse=True)
    parts = ", ".join(f"{name} {share:.0%}" for share, name in shares)
    return (
        f"{total:.0%} of the candidate's operator time goes into changing {what} ({parts}); in the baseline it is "
        f"{former:.0%}."
    )


def _depthwise(case: Case) -> str:
    anatomy = case.anatomy
    if not case.candidate.precision.startswith("int") or anatomy is None or not anatomy.convolutions:
        return ""
    if anatomy.depthwise < DEPTHWISE_SHARE * anatomy.convolutions:
        return ""
    return (
        f"{anatomy.depthwise} of {anatomy.convolutions} convolutions are depthwise: each value read enters only a "
        "handful of products, so memory sets their pace and not arithmetic."
    )


def _memory_bound(case: Case) -> str:
    other = 1 - _share(case.before, PRODUCTS)
    if other < DOMINANT_SHARE or _too_small(case):
        return ""
    slow = sorted((operator.share, name) for name, operator in case.before.items() if name not in PRODUCTS)
    parts = ", ".join(f"{name} {share:.0%}" for share, name in reversed(slow[-3:]))
    return (
        f"{other:.0%} of the baseline's operator time moves or maps values and multiplies nothing ({parts}): memory "
        "sets its pace, and faster products cannot shorten it."
    )


def _too_small(case: Case) -> str:
    # What the cheapest call of something that multiplies nothing takes, every call takes.
    prices = {n: o.mean_ms / o.calls for n, o in case.before.items() if o.calls and n not in PRODUCTS}
    cheapest = min(prices, key=prices.__getitem__, default=None)
    if cheapest is None or not 0 < prices[cheapest] <= LONGEST_EMPTY_CALL_MS:
        return ""
    calls, total_ms = _calls(case.before, case.before), sum(operator.mean_ms for operator in case.before.values())
    share = calls * prices[cheapest] / total_ms
    if share < DOMINANT_SHARE:
        return ""
    return (
        f"The model is too small to gain: a call as cheap as {cheapest}'s takes {1000 * prices[cheapest]:.1f} us, and "
        f"at that price alone the {calls:g} calls of an inference make {share:.0%} of the baseline's operator time."
    )


def _same_work(case: Case) -> str:
    calls = [{name: operator.calls for name, operator in side.items()} for side in (case.before, case.after)]
    if case.ratio.slower or calls[0] != calls[1]:
        return ""
    return (
        f"Both files run the same {_calls(case.after, case.after):g} operator calls an inference: the runtime makes "
        "these rewrites itself when it loads a model."
    )


def _largest_loss(case: Case) -> tuple[Cause, ...]:
    def loss(name: str) -> float:
        return case.after[name].mean_ms - (case.before[name].mean_ms if name in case.before else 0.0)

    worst = max(case.after, key=loss)
    if loss(worst) <= 0:
        return ()
    former = case.before[worst].mean_ms if worst in case.before else 0.0
    sentence = (
        f"The candidate loses most in {worst}: {case.after[worst].mean_ms:.3f} ms an inference against {former:.3f} ms."
    )
    remedy = "put it aside with decide(decision='revert') and try another step"
    return (Cause("slower_operator", sentence, remedy, mendable=True),)


def _calls(operators: Operators, names: Iterable[str]) -> float:
    return sum(operators[name].calls for name in names if name in operators)


def _share(operators: Operators, names: Iterable[str]) -> float:
    return sum(operators[name].share for name in names if name in operators)


KINDS = (
    Kind(
        "dynamic_convolutions",
        _dynamic_convolutions,
        "quantise with scheme='int8_static' and calibration data, or only matrix products with scheme='int8_dynamic'",
        mendable=True,
    ),
    Kind(
        "half_in_float",
        _half_in_float,
        "keep FP16 for its size alone; for speed on this processor take INT8, or stay with FP32",
        mendable=False,
    ),
    Kind(
        "not_fused",
        _not_fused,
        "quantise the original again with scheme='int8_static': the runtime fuses pairs of 8-bit types around whole "
        "operators, on both sides",
        mendable=True,
    ),
    Kind(
        "left_in_float",
        _left_in_float,
        "quantise these too with scheme='int8_static' and calibration data",
        mendable=True,
    ),
    Kind(
        "no_integer_kernel",
        _no_integer_kernel,
        "stay with FP32, or replace these operators in the architecture",
        mendable=False,
    ),
    Kind(
        "formats_inside",
        _formats,
        "let 8-bit stretches be longer: quantise the operators between them too, or leave the whole stretch in float",
        mendable=True,
    ),
    Kind(
        "layouts_inside",
        _layouts,
        "export the model in the layout that the runtime computes in, and convert with operations=['simplify'] so that "
        "pairs of transposes cancel",
        mendable=True,
    ),
    Kind("same_work", _same_work, "ship the original, or choose a step that changes the arithmetic", mendable=False),
    Kind(
        "depthwise",
        _depthwise,
        "stay with FP32: leaving these layers alone in float only adds changes of layout around them",
        mendable=False,
    ),
    Kind(
        "too_small",
        _too_small,
        "stay with FP32: only fewer operators help, by a simpler architecture or more samples a call",
        mendable=False,
    ),
    Kind(
        "memory_bound",
        _memory_bound,
        "stay with FP32: fewer or smaller tensors help, by a lower input resolution or a leaner architecture",
        mendable=False,
    ),
    Kind(
        "formats_at_ends",
        _ends,
        "stay with FP32: so short a model does not earn its conversions back",
        mendable=False,
    ),
)
"""In the order in which they are told."""
