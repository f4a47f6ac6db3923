"""From one format to another in float32: which converter does it, and the ladder of what is tried where it fails.

What a converter leaves is a foreign file: it is admitted like one, its operator set and names are checked, and the
contract of every step (`edgewright.tools.optimize.step`) compares it with its base on real samples.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import onnx
import onnxsim

from edgewright.state.artifacts import Format, TensorSpec
from edgewright.state.errors import Code, Refused
from edgewright.tools.formats.model import Model, admit
from edgewright.tools.formats.onnx_names import rename
from edgewright.tools.legible import legible
from edgewright.tools.optimize.comparison import OutputComparison, require_same_outputs
from edgewright.tools.optimize.naming import EXTENSIONS
from edgewright.tools.orders import ConvertOrder
from edgewright.tools.profile.graphs import opset_of
from edgewright.tools.toolchains.conversion import Conversion, ConversionFailed, run_conversion
from edgewright.tools.toolchains.table import Toolchains
from edgewright.tools.workspace import Workspace


@dataclass(frozen=True)
class Leg:
    """One converter on a road.

    Attributes:
        toolchain: Where it lives.
        converter: Its name there (`edgewright.tools.toolchains.inside.converters`).
        to: Format of what it leaves.
    """

    toolchain: str
    converter: str
    to: Format


@dataclass(frozen=True)
class Road:
    """A way from one format to another.

    Attributes:
        legs: Its converters, one after the other.
        opsets: Operator sets to ask for where ONNX is made, the usual one first.
        static: Whether the first converter can be told to fix the batch at one sample.
    """

    legs: tuple[Leg, ...]
    opsets: tuple[int, ...] = ()
    static: bool = False


_TO_LITE = Leg("onnx2tf", "onnx_to_tflite", Format.TFLITE)
_FROM_TORCH = Leg("torch", "torch_to_onnx", Format.ONNX)
# tf2onnx 1.17 knows operator sets up to 18; PyTorch 2.13 writes 18 and from 20 on, whatever it is asked for.
_TORCH_OPSETS = (20, 18, 21)
ROADS: Mapping[tuple[Format, Format], Road] = MappingProxyType(
    {
        (Format.TENSORFLOW, Format.TFLITE): Road((Leg("keras", "keras_to_tflite", Format.TFLITE),), static=True),
        (Format.TENSORFLOW, Format.ONNX): Road(
            (Leg("keras", "keras_to_onnx", Format.ONNX),), (18, 17, 15), static=True
        ),
        (Format.PYTORCH, Format.ONNX): Road((_FROM_TORCH,), _TORCH_OPSETS),
        (Format.PYTORCH, Format.TFLITE): Road((_FROM_TORCH, _TO_LITE), _TORCH_OPSETS),
        (Format.ONNX, Format.TFLITE): Road((_TO_LITE,)),
    }
)


@dataclass(frozen=True)
class Rung:
    """One try.

    Attributes:
        opset: Operator set to ask for, where the result is ONNX.
        static: Whether the batch is fixed at one sample.
    """

    opset: int | None
    static: bool = False

    def __str__(self) -> str:
        said = "as it is" if self.opset is None else f"opset {self.opset}"
        return f"{said} with a batch of one" if self.static else said


class Crossing:
    """One conversion to another format; `edgewright.tools.optimize.step.Step` says what each part is."""

    call = "convert"
    optimization = "converted"

    def __init__(self, order: ConvertOrder, workspace: Workspace, toolchains: Toolchains) -> None:
        self._road = ROADS[order.base.format, order.format]
        self._order, self._workspace, self._toolchains = order, workspace, toolchains
        for leg in self._road.legs:
            toolchains.python(leg.toolchain)  # a missing one is refused before anything is done
        self.option = str(order.format)
        self.parameters: Mapping[str, object] = {"format": str(order.format), "opset": order.opset}
        versions = [toolchains.versions(leg.toolchain) or {} for leg in self._road.legs]
        self.tools: Mapping[str, str] = {name: version for found in versions for name, version in found.items()}

    def requires(self, model: Model) -> None:
        """Any admitted model will do."""

    def run(self, source: Path, made: Path) -> tuple[str, ...]:
        """Climb down the ladder until a result holds."""
        failed: dict[str, list[str]] = {}
        for rung in self._rungs():
            made.unlink(missing_ok=True)
            try:
                said = self._try(rung, source, made)
            except ConversionFailed as failure:
                failed.setdefault(str(failure), []).append(str(rung))
                continue
            return (*said, *(f"not {', '.join(rungs)}: {reason}" for reason, rungs in failed.items()))
        reasons = [f"{', '.join(rungs)}: {reason}" for reason, rungs in failed.items()]
        raise Refused.because(
            Code.MODEL_UNSUPPORTED,
            f"converting {self._order.base.format} to {self._order.format}",
            f"no rung of the ladder holds: {'; '.join(reasons)}",
            "replace what the converter names by simpler operations, fix the input's sizes, and save the model again; "
            "or convert to another format",
            "P9",
            rungs=reasons,
        )

    def _rungs(self) -> Iterator[Rung]:
        order, road = self._order, self._road
        opsets: tuple[int | None, ...] = (order.opset,) if order.opset is not None else (road.opsets or (None,))
        yield from (Rung(opset) for opset in opsets)
        if road.static:
            yield Rung(opsets[0], static=True)

    def _try(self, rung: Rung, source: Path, made: Path) -> tuple[str, ...]:
        """Convert once.

        Raises:
            ConversionFailed: The converter gave up, or its result is not what was asked for.
        """
        said: tuple[str, ...] = ()
        for number, leg in enumerate(self._road.legs, start=1):
            folder = self._workspace.scratch(leg.converter)
            folder.mkdir()
            result = made if number == len(self._road.legs) else folder / f"between.{EXTENSIONS[leg.to]}"
            opset = rung.opset if leg.to is Format.ONNX else None
            conversion = Conversion(leg.toolchain, leg.converter, opset, static=rung.static)
            said += run_conversion(conversion, source, result, folder, self._toolchains)
            said += self._looked_at(result, leg, rung)
            source = result
        return said

    def _looked_at(self, result: Path, leg: Leg, rung: Rung) -> tuple[str, ...]:
        """Check what a converter left; an ONNX graph that does not hold is simplified once."""
        if leg.to is not Format.ONNX:
            _require_sound(result, leg.to)
            return ()
        proto = onnx.load(result)
        try:
            return self._settled(proto, rung, result)
        except ConversionFailed as failure:
            simplified, _ = onnxsim.simplify(proto)
            try:
                return (f"simplified, since otherwise {failure}", *self._settled(simplified, rung, result))
            except ConversionFailed as still:
                raise ConversionFailed(f"{still}, simplified or not") from failure

    def _settled(self, proto: onnx.ModelProto, rung: Rung, made: Path) -> tuple[str, ...]:
        """Give an ONNX graph its base's names, and check that it is what was asked for."""
        base = self._order.base
        renamed = {
            **_renaming([entry.name for entry in proto.graph.input], base.inputs),
            **_renaming([entry.name for entry in proto.graph.output], base.outputs),
        }
        named = onnx.ModelProto()
        named.CopyFrom(proto)
        rename(named, renamed)
        onnx.save(named, made)
        _require_sound(made, Format.ONNX)
        found = opset_of(named)
        if self._order.opset is not None and found != rung.opset:
            raise ConversionFailed(f"opset {rung.opset} was asked for, and the file has {found}")
        names = [f"{legible(old)} is now {legible(new)}" for old, new in renamed.items() if old != new]
        return (f"opset {found}", *([f"named as in the source: {', '.join(names)}"] if names else []))

    def ensures(self, comparison: tuple[OutputComparison, ...]) -> tuple[str, ...]:
        """Refuse a conversion that changed the outputs."""
        require_same_outputs(self.option, comparison, "convert to another format, or export the model again")
        return ()


def _renaming(found: list[str], wanted: tuple[TensorSpec, ...]) -> dict[str, str]:
    """Return old name to wanted one: by name where that is one, otherwise by place."""
    names = [spec.name for spec in wanted]
    bare = [name.removesuffix(":0") for name in found]
    if sorted(bare) == sorted(names):
        return dict(zip(found, bare, strict=True))
    return dict(zip(found, names, strict=True)) if len(found) == len(names) else {}


def _require_sound(made: Path, model_format: Format) -> None:
    """Look at what a converter left as at any foreign file.

    Raises:
        ConversionFailed: With what is wrong with it.
    """
    try:
        fault = admit(made, model_format).fault()
    except Refused as refused:
        raise ConversionFailed(f"its result is refused: {refused.refusal.why}") from refused
    if fault is not None:
        raise ConversionFailed(fault)
