"""Makes what a machine with a GPU is asked to run: graphs in float32, float16 and INT8, samples, and what to expect."""

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx_models as models
import onnxruntime
from optimize_bench import build_bench

from edgewright.state.artifacts import Device

SHAPE = (1, 3, 16, 16)
SAMPLES = 16


def main(folder: Path) -> None:
    """Write NAME.onnx, samples.npz and graphs.json."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        bench = replace(build_bench(models.conv_net(), Path(work), 500), device=Device.JETSON_ORIN_NANO)
        for scheme in ("fp16", "int8_static"):
            made = bench.quantize(scheme, samples=None)
            onnx.save(bench.load(made), folder / f"{scheme}.onnx")
        onnx.save(models.conv_net(), folder / "float32.onnx")
    rng = np.random.default_rng(0)
    images = rng.standard_normal((SAMPLES, *SHAPE)).astype(np.float32)
    session = onnxruntime.InferenceSession(folder / "float32.onnx", providers=["CPUExecutionProvider"])
    expected = np.stack([session.run(None, {"image": image})[0] for image in images])
    np.savez(folder / "samples.npz", image=images, logits=expected)
    # How far outputs may be from those of float32, as a share of their largest magnitude.
    tolerances = {"float32": 0.005, "fp16": 0.01, "int8_static": 0.05}
    (folder / "graphs.json").write_text(json.dumps({"shapes": {"image": SHAPE}, "tolerances": tolerances}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
