"""The demo's network and its labelled pictures on a bench, ready to be searched; also one that 8 bits break."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from hardened_twin import harden
from onnx import ModelProto
from optimize_bench import Bench, build_bench

from edgewright.state.artifacts import Device
from edgewright.tools.datasets.prepare import prepare
from edgewright.tools.optimize.step import Made
from edgewright.tools.orders import DataSource, SearchTerms

DEMO = Path(__file__).parents[2] / "server" / "demo" / "fashion_mnist"
# Chains of the demo's network whose tensors lose their channels in 8 bits, with no way to equalise them.
BROKEN = (2, 5)


def demo_network() -> ModelProto:
    return onnx.load(DEMO / "fashion_mnist_cnn.onnx")


def broken_network() -> ModelProto:
    """Return a network that computes what the demo's does, and of which four layers cannot compute in 8 bits."""
    return harden(demo_network(), only=BROKEN, barred=True)


def search_bench(
    model: ModelProto,
    folder: Path,
    *,
    labels: bool = True,
    device: Device = Device.CPU_GENERIC,
    calibration: int = 100,
) -> Bench:
    """Return a bench with pictures to judge by and to calibrate on, and 200 to compare outputs on."""
    bench = build_bench(model, folder, 0)
    for name, count in (("validation", 200), ("calibration", calibration)):
        with np.load(DEMO / f"{name}.npz") as stored:
            kept = {key: stored[key][:count] for key in ("image", "label") if labels or key == "image"}
        np.savez(folder / "roots" / f"{name}.npz", **kept)
        text = (DEMO / f"{name}.card.json").read_text(encoding="utf-8")
        card = text if labels else text.replace('"label": "label",', "")
        (folder / "roots" / f"{name}.card.json").write_text(card, encoding="utf-8")
    validation, calibrating = (
        prepare(DataSource(str(folder / "roots" / f"{name}.npz")), (str(folder / "roots"),), bench.workspace, name)
        for name in ("validation", "calibration")
    )
    return replace(bench, validation=validation, calibration=calibrating, device=device, terms=TERMS)


TERMS = SearchTerms("top-1", 0.02, 1)


def groups_in_8_bits(made: Made) -> set[str]:
    parameters = made.artifact.recipe.parameters
    return {str(name) for form in ("static", "dynamic") for name in parameters[form]}  # type: ignore[attr-defined]
