"""What the schemes of all formats have in common: their options, what they refuse to start from, how they report."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from types import MappingProxyType
from typing import NoReturn

from pydantic import BaseModel, ConfigDict, ValidationError

from edgewright.state.artifacts import Format
from edgewright.state.errors import Code, Refused
from edgewright.tools.formats.model import Model
from edgewright.tools.legible import legible
from edgewright.tools.optimize.comparison import OutputComparison
from edgewright.tools.orders import QuantizeOrder

OFFERED: Mapping[Format, Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        Format.ONNX: {
            "fp16": (),
            "int8_dynamic": ("per_channel",),
            "int8_static": ("per_channel", "ranges", "equalize", "correct_bias"),
            "int8_mixed": ("evaluations", "minutes"),
        },
        Format.TFLITE: {
            "fp16": (),
            "int8_dynamic": ("per_channel",),
            "int8_weight_only": ("per_channel",),
            "int8_static": ("per_channel", "io_dtype"),
            "int16x8": (),
        },
        Format.TENSORRT: {
            "fp16": (),
            "int8_static": ("per_channel", "ranges", "equalize", "correct_bias"),
            "int8_mixed": ("evaluations", "minutes"),
        },
    }
)
"""The format that a candidate ends up in on its device to the schemes for it, each with its options."""


class Parameters(BaseModel):
    """Options of a scheme: none."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Scheme:
    """One way to fewer bits.

    Attributes:
        precision: That of the result; a base of it has nothing to gain.
    """

    call = "quantize"
    option = ""
    optimization = ""
    precision = "int8"

    def __init__(self, order: QuantizeOrder, options: type[Parameters], libraries: Sequence[str]) -> None:
        """Validate the options.

        Args:
            order: Holds them.
            options: What they may be.
            libraries: Distributions that do the work.

        Raises:
            Refused: SCHEME_NOT_OFFERED, if one is unknown or of another type.
        """
        self.parameters: Mapping[str, object] = _validated(options, order).model_dump()
        self.tools: Mapping[str, str] = {name: version(name) for name in libraries}

    def requires(self, model: Model) -> None:
        """Refuse a base that has fewer bits already: FP16 and INT8 are alternatives, not a stack."""
        precision = model.precision
        if precision != "fp32" or not model.has_float32_weights:
            raise Refused.because(
                Code.SCHEME_NOT_OFFERED if precision not in {"fp32", self.precision} else Code.NOTHING_CHANGED,
                f"quantizing this base by {self.option}",
                f"its precision is {precision}"
                if precision != "fp32"
                else "it holds no float32 weights that fewer bits could save",
                "take base 'original' if that is in float32, or package what there is",
                precision=precision,
            )

    def ensures(self, comparison: tuple[OutputComparison, ...]) -> tuple[str, ...]:
        """Report how far outputs moved; whether that is too far, accuracy decides."""
        return tuple(
            f"output '{legible(output.name)}' has another shape than the base's on {output.reshaped} samples"
            for output in comparison
            if output.reshaped
        )


def refuse_scheme(order: QuantizeOrder, why: str) -> NoReturn:
    """Refuse what a format does not offer.

    Raises:
        Refused: SCHEME_NOT_OFFERED, with what is.
    """
    offered = OFFERED[order.deployed_as]
    raise Refused.because(
        Code.SCHEME_NOT_OFFERED,
        f"quantizing by {order.scheme} with {dict(order.parameters) or 'no parameters'}",
        f"{why}; offered for {order.deployed_as} are {', '.join(offered)}",
        "choose one of those",
        scheme=order.scheme,
        offered=dict(offered),
    )


def _validated(kind: type[Parameters], order: QuantizeOrder) -> Parameters:
    try:
        return kind.model_validate(dict(order.parameters))
    except ValidationError as error:
        first = error.errors()[0]
        refuse_scheme(order, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
