"""What calibration costs in time and memory, beside a plain loop and ONNX Runtime's own calibrators.

    python benchmarks/calibration.py [SAMPLES] [SAMPLES_OF_ONNX_RUNTIME]

MobileNetV2 at 224 x 224 with random weights, one image a time, one thread, a fresh process for every row (defaults 128
and 16: ONNX Runtime's histogram calibrators hold every activation, 8 GB at 128). `plain loop` returns all activations
and does nothing with them; each other row is also given as a multiple of its time for as many samples. Processor time
is beside wall time, since other work on the machine stretches the latter. The last rows show that memory does not grow.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

SUPPORT = Path(__file__).parent.parent / "tests" / "support"
SIZE = 224

Feeds = Callable[[], Iterator[dict[str, np.ndarray]]]


def feeds_of(n: int) -> Feeds:
    image = np.random.default_rng(0).standard_normal((1, 3, SIZE, SIZE)).astype(np.float32)
    return lambda: ({"image": image * np.float32(1 + number / n)} for number in range(n))


def prepare(folder: Path) -> None:
    sys.path.insert(0, str(SUPPORT))
    import onnx
    from mobilenet import mobilenet_v2

    from edgewright.tools.runtimes.onnxruntime.quantization import prepare as fold

    onnx.save(mobilenet_v2(size=SIZE), folder / "source.onnx")
    fold(folder / "source.onnx", folder / "model.onnx")


def plain(folder: Path, feeds: Feeds) -> None:
    import onnx

    from edgewright.tools.runtimes.onnxruntime.activations import stream

    model = onnx.load(folder / "model.onnx")
    names = [name for node in model.graph.node for name in node.output]
    stream(model, names, feeds, folder, lambda _name, _values: None)


def ours(folder: Path, feeds: Feeds, method: str) -> None:
    import onnx

    from edgewright.tools.optimize.calibrate.ranges import choose
    from edgewright.tools.optimize.calibrate.statistics import gather
    from edgewright.tools.runtimes.onnxruntime.activations import calibrated_tensors, stream

    model = onnx.load(folder / "model.onnx")
    names = calibrated_tensors(model)
    statistics = gather(lambda take: stream(model, names, feeds, folder, take))
    for histogram in statistics.values():
        choose(histogram, method, symmetric=False)


def theirs(folder: Path, feeds: Feeds, method: str) -> None:
    from onnxruntime.quantization import CalibrationMethod
    from onnxruntime.quantization.calibrate import create_calibrator

    from edgewright.tools.runtimes.onnxruntime.quantization import OPERATORS

    # With the default of 128 bins for 128 levels entropy changes nothing.
    options = {"num_bins": 2048, "num_quantized_bins": 128} if method == "entropy" else {}
    kind = {"minmax": "MinMax", "percentile": "Percentile", "entropy": "Entropy"}[method]
    calibrator = create_calibrator(
        folder / "model.onnx",
        list(OPERATORS),
        str(folder / "augmented.onnx"),
        calibrate_method=CalibrationMethod[kind],
        extra_options=options,
    )
    samples = feeds()

    class Reader:
        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(samples, None)

    calibrator.collect_data(Reader())
    calibrator.compute_data()


def row(folder: Path, what: str, method: str, n: int) -> dict[str, float]:
    """Run one row in a fresh process."""
    command = [sys.executable, __file__, "--row", str(folder), what, method, str(n)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(folder: Path, what: str, method: str, n: int) -> dict[str, float]:
    begin, spent = perf_counter(), process_time()
    if what == "plain":
        plain(folder, feeds_of(n))
    else:
        {"ours": ours, "theirs": theirs}[what](folder, feeds_of(n), method)
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return {"wall_s": perf_counter() - begin, "cpu_s": process_time() - spent, "peak_mib": peak / 1024}


def main(samples: int, few: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        rows = [("plain loop", "plain", "", n) for n in dict.fromkeys((samples, few))]
        rows += [(f"Edgewright {m}", "ours", m, n) for n in (samples, few) for m in ("percentile", "entropy")]
        rows += [(f"ONNX Runtime {m}", "theirs", m, few) for m in ("minmax", "percentile", "entropy")]
        rows += [("Edgewright entropy", "ours", "entropy", n) for n in (64, 1024)]
        print(f"{'':24} {'samples':>7} {'wall [s]':>9} {'cpu [s]':>8} {'peak [MiB]':>10}  wall, cpu / plain loop's")
        loops: dict[int, dict[str, float]] = {}
        peaks: dict[int, float] = {}
        for label, what, method, n in rows:
            found = row(folder, what, method, n)
            if what == "plain":
                loops[n] = found
            if n in (64, 1024):
                peaks[n] = found["peak_mib"]
            loop = loops.get(n)
            ratio = f"{found['wall_s'] / loop['wall_s']:5.2f} {found['cpu_s'] / loop['cpu_s']:5.2f}" if loop else ""
            print(
                f"{label:24} {n:7} {found['wall_s']:9.2f} {found['cpu_s']:8.2f} {found['peak_mib']:10.0f}  {ratio}",
                flush=True,
            )
        print(f"memory of 1,024 samples / of 64: {peaks[1024] / peaks[64]:.3f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--row"]:
        where, what, method, n = sys.argv[2:]
        print(json.dumps(measure(Path(where), what, method, int(n))))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 128, int(sys.argv[2]) if len(sys.argv) > 2 else 16)
