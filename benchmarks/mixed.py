"""The search against ONNX Runtime's own recipes: `python benchmarks/mixed.py [TOLERANCE]`.

On the demo's network, on its hardened twin (channels rescaled, the function as it was) and on one of which four layers
cannot compute in 8 bits at all: accuracy on the demo's 1,000 labelled pictures, and time beside float32, all files of a
model taking turns in one process. A rival passes where its relative loss is within TOLERANCE (default 0.01). Exits 1
where the search's candidate fails, or is slower than the best that passes, float32 among them, beyond the interval.
"""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto
from onnxruntime import InferenceSession
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16

from edgewright.state.artifacts import Artifact, Device, Format, Recipe
from edgewright.state.errors import Refused
from edgewright.state.evidence import Dataset, Ratio
from edgewright.state.protocols import PROTOCOLS, ProtocolName
from edgewright.tools.benchmark.measure import TIMED_SAMPLES, time_in_turn
from edgewright.tools.benchmark.statistics import ratio_interval
from edgewright.tools.datasets.prepare import prepare
from edgewright.tools.optimize.quantize import quantize
from edgewright.tools.orders import DataSource, Original, QuantizeOrder, SearchTerms
from edgewright.tools.profile.inspect import inputs_of, outputs_of
from edgewright.tools.targets.host import Host
from edgewright.tools.targets.request import LATENCY, ProbeRequest
from edgewright.tools.targets.target import Places
from edgewright.tools.workspace import Workspace

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "server" / "demo" / "fashion_mnist"
QUICK, CALIBRATED, SEED = PROTOCOLS[ProtocolName.QUICK], 200, 1
Pictures = tuple[np.ndarray, np.ndarray]


def networks() -> Mapping[str, ModelProto]:
    """Return the models by what they are."""
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    from hardened_twin import harden
    from search_bench import broken_network, demo_network

    return {
        "demo": demo_network(),
        "hardened twin": harden(demo_network()),
        "four lost layers": broken_network(),
    }


def pictures(name: str) -> Pictures:
    """Return pictures and labels as the data card says."""
    with np.load(DEMO / f"{name}.npz") as stored:
        scaled = (stored["image"].astype(np.float32) / 255 - 0.2860) / 0.3530
        return scaled.transpose(0, 3, 1, 2).astype(np.float32), stored["label"]


class Reader(CalibrationDataReader):
    """The calibration pictures, one at a time."""

    def __init__(self) -> None:
        self._rows: Iterator[np.ndarray] = iter(pictures("calibration")[0][:CALIBRATED])

    def get_next(self) -> dict[str, np.ndarray] | None:
        row = next(self._rows, None)
        return None if row is None else {"image": row[None]}


def rivals(base: Path) -> dict[str, Path]:
    """Write what ONNX Runtime's recipes make of a model."""
    prepared = base.with_name("prepared.onnx")
    quant_pre_process(base, prepared, skip_symbolic_shape=True)
    made = {
        name: base.with_name(f"{name}.onnx")
        for name in ("tensor", "channel", "percentile", "dynamic", "matmul", "fp16")
    }
    for name, per_channel, method in (
        ("tensor", False, CalibrationMethod.MinMax),
        ("channel", True, CalibrationMethod.MinMax),
        ("percentile", True, CalibrationMethod.Percentile),
    ):
        types = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
        quantize_static(prepared, made[name], Reader(), per_channel=per_channel, calibrate_method=method, **types)
    quantize_dynamic(prepared, made["dynamic"], weight_type=QuantType.QUInt8)
    quantize_dynamic(prepared, made["matmul"], op_types_to_quantize=["MatMul", "Gemm"], weight_type=QuantType.QInt8)
    onnx.save(convert_float_to_float16(onnx.load(base), keep_io_types=True), made["fp16"])
    return made


def accuracy(path: Path) -> float:
    images, labels = pictures("validation")
    session = InferenceSession(str(path), providers=["CPUExecutionProvider"])
    answers = [int(session.run(None, {"image": image[None]})[0].argmax()) for image in images]
    return float((np.array(answers) == labels).mean())


@dataclass
class Bench:
    """One model in a workspace."""

    workspace: Workspace
    base: Artifact
    validation: Dataset
    calibration: Dataset

    @classmethod
    def of(cls, model: ModelProto, folder: Path) -> "Bench":
        path = folder / "base.onnx"
        onnx.save(model, path)
        workspace = Workspace(folder, folder / "objects")
        recipe, size = Recipe("original"), path.stat().st_size
        form = (Format.ONNX, "fp32", size, None, recipe, inputs_of(model), outputs_of(model))
        data = [
            prepare(DataSource(str(DEMO / f"{name}.npz")), (str(DEMO),), workspace, name)
            for name in ("validation", "calibration")
        ]
        return cls(workspace, Artifact(workspace.keep(path), path.name, *form), *data)

    def search(self, tolerance: float) -> tuple[Path, str]:
        """Return the file that the search finds, and its account."""
        order = QuantizeOrder(
            base=self.base,
            original=Original("", self.base.sha256),
            model_name="net",
            scheme="int8_mixed",
            parameters={},
            calibration=self.calibration,
            calibration_samples=CALIBRATED,
            validation=self.validation,
            target_device=Device.CPU_GENERIC,
            lineage=self.base.sha256,
            terms=SearchTerms("top-1", tolerance, 1),
        )
        try:
            made = quantize(order, self.workspace, Places(Host(), Host()))
        except Refused as refused:
            return self.workspace.path_of(self.base.sha256), refused.refusal.why
        account = next(line for line in made.findings if "mixes were judged" in line)
        return self.workspace.path_of(made.artifact.sha256), account

    def ratios(self, files: Mapping[str, Path]) -> dict[str, Ratio]:
        """Return the time of each file over float32's."""
        models = {name: replace(self.base, sha256=self.workspace.keep(path)) for name, path in files.items()}
        request = ProbeRequest(LATENCY, models, self.validation.index, 1, TIMED_SAMPLES, QUICK)
        _, times = time_in_turn(request, QUICK, self.workspace, Host(), lambda *_: None)
        return {name: ratio_interval(times[name], times["float32"], SEED) for name in files}


def main() -> int:
    """Print a table a model; return how many models the search did worse on than the best rival that passes."""
    tolerance, lost = float(sys.argv[1]) if len(sys.argv) > 1 else 0.01, 0
    for title, model in networks().items():
        with tempfile.TemporaryDirectory() as name:
            bench = Bench.of(model, Path(name))
            found, account = bench.search(tolerance)
            base = bench.workspace.path_of(bench.base.sha256)
            files = {"float32": base, **rivals(base), "int8_mixed": found}
            ratios, values = bench.ratios(files), {each: accuracy(path) for each, path in files.items()}
        floor = (1 - tolerance) * values["float32"]
        best = min(
            (each for each in files if each != "int8_mixed" and values[each] >= floor), key=lambda n: ratios[n].median
        )
        print(f"\n{title}: floor {floor:.4f}; {account}")
        for each, ratio in ratios.items():
            passes = "passes" if values[each] >= floor else "fails"
            speed = f"{1 / ratio.median:.2f}x ({1 / ratio.high:.2f} to {1 / ratio.low:.2f})"
            print(f"  {each:<11} {values[each]:.4f} {passes:<6} {speed}")
        ours = ratios["int8_mixed"]
        print(f"  against {best}, the best that passes: {ratios[best].median / ours.median:.2f}x")
        lost += values["int8_mixed"] < floor or ours.low > ratios[best].high
    return lost


if __name__ == "__main__":
    sys.exit(min(1, main()))
