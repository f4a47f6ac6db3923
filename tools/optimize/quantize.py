"""Fewer bits: half precision and integers. Which schemes there are depends on the format that is run in the end."""

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType

from edgewright.state.artifacts import Format
from edgewright.state.errors import Code, Refused
from edgewright.tools.optimize.scheme import OFFERED, refuse_scheme
from edgewright.tools.optimize.step import Made, Step, make
from edgewright.tools.orders import QuantizeOrder
from edgewright.tools.targets.emulated import place_of_accuracy
from edgewright.tools.targets.target import Places
from edgewright.tools.workspace import Workspace

# Named, not imported: the libraries of the other formats may not be installed.
_MODULES = MappingProxyType(
    {
        Format.ONNX: "edgewright.tools.optimize.onnx_schemes",
        Format.TFLITE: "edgewright.tools.optimize.tflite_schemes",
        Format.TENSORRT: "edgewright.tools.optimize.tensorrt_schemes",
    }
)


def quantize(order: QuantizeOrder, workspace: Workspace, places: Places) -> Made:
    """Make a candidate with fewer bits.

    Raises:
        Refused: SCHEME_NOT_OFFERED, CALIBRATION_MISSING, CALIBRATION_UNFIT, NOTHING_CHANGED, NO_GAIN,
            MODEL_NOT_FINITE, MODEL_UNSUPPORTED, MODEL_INVALID, DATA_MISMATCH, INVALID_ARGUMENT or MISSING_EXTRA.
        CorruptArtifact: The base is not what its digest says.
    """
    offered = OFFERED[order.deployed_as]
    if order.scheme not in offered:
        elsewhere = [str(other) for other, schemes in OFFERED.items() if order.scheme in schemes]
        refuse_scheme(
            order,
            f"the scheme is offered for {' and '.join(elsewhere)} only" if elsewhere else "the scheme is not offered",
        )
    step = _schemes(order.deployed_as)[order.scheme](order, workspace, places)
    return make(step, order, workspace, place_of_accuracy(order.target_device, places.host))


def _schemes(model_format: Format) -> Mapping[str, Callable[[QuantizeOrder, Workspace, Places], Step]]:
    try:
        module = import_module(_MODULES[model_format])
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("edgewright"):
            raise
        raise Refused.because(
            Code.MISSING_EXTRA,
            f"quantizing a model of the format {model_format}",
            f"{error.name} is not installed",
            f"have the operator run: pip install 'edgewright[{model_format}]'",
            install=f"pip install 'edgewright[{model_format}]'",
        ) from error
    schemes: Mapping[str, Callable[[QuantizeOrder, Workspace, Places], Step]] = module.SCHEMES
    return schemes
