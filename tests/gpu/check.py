"""Runs graphs on the GPU of this machine; each part says that it ran, or why not. Python 3.9, nothing of pytest."""

import importlib
import json
import platform
import subprocess
import sys
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PROBE = ROOT / "tools" / "probe"
RUNS = 100


def main(result: Path, graphs: Path) -> None:
    """Write the result; exit status 0 says that it is there, not that all of it ran."""
    _make_probe_importable()
    parts = {"machine": _machine, "library": _library, "cuda": _cuda}
    found: dict[str, Any] = {name: _part(part) for name, part in parts.items()}
    said = _part(lambda: json.loads((graphs / "graphs.json").read_text()))
    found["graphs"] = {"ran": said["ran"], **({} if said["ran"] else {"why": said["why"]})}
    for name, tolerance in said.get("tolerances", {}).items():
        found[name] = _graph(graphs / f"{name}.onnx", graphs / "samples.npz", said["shapes"], tolerance)
    found["probe"] = _part(lambda: _probe(graphs))
    result.write_text(json.dumps(found, indent=2) + "\n")
    ran = sum(1 for part in found.values() if part["ran"])
    print("%s: %d of %d parts ran" % (result, ran, len(found)))


def _make_probe_importable() -> None:
    """Have the probe's modules under their own names, without the packages around them, which want Python 3.11."""
    for name in ("edgewright", "edgewright.tools", "edgewright.tools.probe"):
        module = types.ModuleType(name)
        module.__path__ = [str(PROBE)] if name.endswith("probe") else []  # type: ignore[attr-defined]
        sys.modules[name] = module


def _part(work: "Callable[[], dict[str, Any]]") -> "dict[str, Any]":
    started = perf_counter()
    try:
        return {"ran": True, **work(), "seconds": round(perf_counter() - started, 3)}
    except Exception as error:  # whatever it is, it is the result
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = "%s:%s" % (Path(last.filename).name, last.lineno)
        return {"ran": False, "why": "%s: %s (%s)" % (type(error).__name__, error, where)}


def _machine() -> "dict[str, Any]":
    board = Path("/proc/device-tree/model")
    asked = "--query-gpu=name,compute_cap,driver_version"
    try:
        gpu = subprocess.check_output(["nvidia-smi", asked, "--format=csv,noheader"], text=True).strip()
    except (OSError, subprocess.CalledProcessError) as error:
        gpu = "nvidia-smi: %s" % error
    return {
        "board": board.read_text().rstrip("\0") if board.exists() else "",
        "machine": platform.machine(),
        "python": platform.python_version(),
        "gpu": gpu,
    }


def _trt() -> Any:
    for name in ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise ImportError("neither tensorrt nor tensorrt_rtx is installed here")


def _library() -> "dict[str, Any]":
    trt = _trt()
    return {"name": trt.__name__, "version": trt.__version__}


def _cuda() -> "dict[str, Any]":
    memory = importlib.import_module("edgewright.tools.probe.cuda_memory").cuda()
    free, total = memory.memory_bytes()
    return {"through": type(memory).__name__, "free_bytes": free, "total_bytes": total}


def _graph(path: Path, samples: Path, shapes: "dict[str, Any]", tolerance: float) -> "dict[str, Any]":
    """Parse, build, run and compare one graph; each stage that was reached is in the answer."""
    reached: dict[str, Any] = {}

    def work() -> "dict[str, Any]":
        import numpy as np

        builder = importlib.import_module("edgewright.tools.probe.tensorrt_builder")
        runner_of = importlib.import_module("edgewright.tools.probe.tensorrt_runner").Runner
        trt = _trt()
        build = builder.Build(trt)
        reached["layers_parsed"] = build.parse(path.read_bytes())
        engine = build.engine(build.configured(shapes, builder.Options()))
        reached["engine_bytes"] = len(engine)
        runner = runner_of(engine, trt, importlib.import_module("edgewright.tools.probe.cuda_memory").cuda())
        with np.load(samples) as data:
            images, expected = data["image"], data["logits"]
        found = np.stack([runner.run({"image": image})[0] for image in images])
        difference = float(np.abs(found - expected).max() / np.abs(expected).max())
        reached["largest_difference"], reached["allowed"] = difference, tolerance
        reached["within"] = difference <= tolerance
        reached["layers_built"] = len(runner.layers())
        reached.update(_times(runner, images))
        return dict(reached)

    return {**reached, **_part(work), **reached}


def _times(runner: Any, images: Any) -> "dict[str, float]":
    """Return mean milliseconds: by the wall clock the whole, by the GPU's events its parts."""
    wall, parts = [], []
    for turn in range(2 * RUNS):
        started = perf_counter()
        runner.run({"image": images[turn % len(images)]})
        if turn >= RUNS:
            wall.append(1000 * (perf_counter() - started))
            times = runner.times()
            parts.append((times.copy_in_ms, times.compute_ms, times.copy_out_ms))
    copied_in, compute, copied_out = (sum(part) / RUNS for part in zip(*parts))
    return {
        "wall_ms": sum(wall) / RUNS,
        "copy_in_ms": copied_in,
        "compute_ms": compute,
        "copy_out_ms": copied_out,
    }


def _probe(graphs: Path) -> "dict[str, Any]":
    """Load a graph as the probe does, and run it."""
    import numpy as np

    library = importlib.import_module("edgewright.tools.probe.session").runtime("tensorrt")
    session = library.load(str(graphs / "fp16.onnx"), 1)
    with np.load(graphs / "samples.npz") as data:
        outputs = session.run({"image": data["image"][0]})
    return {"version": library.version(), "outputs": [list(output.shape) for output in outputs]}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
