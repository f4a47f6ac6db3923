"""What preparing many pictures costs: decoded once, on all processors, taken up again, read at the disk's speed.

    python benchmarks/data.py [PICTURES]

JPEGs of 320 x 240 pixels (default 10,000), resized to 128 x 128 and normalised as float32, with class folders; a fresh
process for every row. `one processor` and `all processors` decode everything; `taken up` finds what an earlier job left
at nine tenths. Processor time is beside wall time, since other work on the machine stretches the latter. Memory is the
peak of the process. Then the prepared samples are read, beside a plain read of the file.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

WIDTH, HEIGHT, SIDE, CLASSES = 320, 240, 128, 10
CARD = {
    "inputs": {
        "x": {
            "kind": "image",
            "resize": {"height": SIDE, "width": SIDE, "fit": "letterbox"},
            "scale": 1 / 255,
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
        }
    },
    "label": "folder",
}


def draw(folder: Path, count: int) -> None:
    """Write pictures of soft blobs with grain, all different."""
    from PIL import Image

    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (64, 6, 8, 3), np.uint8)
    blobs = [np.asarray(Image.fromarray(one).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)) for one in coarse]
    for number in range(count):
        grain = rng.integers(0, 24, (HEIGHT, WIDTH, 1), np.uint8)
        path = folder / f"class-{number % CLASSES}" / f"{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.minimum(blobs[number % 64], 231) + grain).save(path, quality=90)


def prepared(root: Path, job: Path, leftovers: list[Path], stop: int | None) -> dict[str, object]:
    """Prepare the pictures in this process; where `stop` is given, only so many."""
    from edgewright.tools.datasets.prepare import prepare
    from edgewright.tools.datasets.prepared import open_dataset
    from edgewright.tools.orders import DataSource
    from edgewright.tools.workspace import Workspace

    def watch(done: int, _total: int, _said: str) -> None:
        if done == stop:
            os._exit(0)  # as a killed job

    job.mkdir()
    workspace = Workspace(job, job / "objects", watch, leftovers)
    began, busy = perf_counter(), process_time()
    dataset = prepare(DataSource(str(root), CARD), (str(root.parent),), workspace, "validation data")
    seconds, busy_s = perf_counter() - began, process_time() - busy
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # before pages of the samples are mapped
    column = open_dataset(dataset, workspace).inputs["x"]
    size_bytes = dataset.n * 3 * SIDE * SIDE * 4
    began = perf_counter()
    total = sum(float(column.batch(start, start + 64).sum()) for start in range(0, dataset.n, 64))
    read_s = perf_counter() - began
    began = perf_counter()
    with workspace.path_of(dataset.arrays["input x"]).open("rb") as stream:
        while stream.read(1 << 22):
            pass
    plain_s = perf_counter() - began
    return {
        "seconds": seconds,
        "busy_s": busy_s,
        "peak_mib": peak_kib >> 10,
        "read_mib_s": size_bytes / read_s / 2**20,
        "plain_mib_s": size_bytes / plain_s / 2**20,
        "digest": dataset.digest,
        "sum": total,
    }


def measured(root: Path, name: str, *, one: bool, left: str = "", stop: int | None = None) -> dict[str, object]:
    request = {"root": str(root), "job": str(root.parent / name), "left": left, "stop": stop, "one": one}
    ran = subprocess.run(
        [sys.executable, __file__, "--row", json.dumps(request)], check=True, capture_output=True, text=True
    )
    return json.loads(ran.stdout) if ran.stdout else {}


def row(request: dict[str, object]) -> None:
    if request["one"]:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    left = [Path(str(request["left"]))] if request["left"] else []
    stop = request["stop"]
    made = prepared(
        Path(str(request["root"])), Path(str(request["job"])), left, None if stop is None else int(str(stop))
    )
    print(json.dumps(made))


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "pictures"
        draw(root, count)
        measured(root, "killed", one=False, stop=count * 9 // 10)
        left = str(Path(folder) / "killed" / "lasting")
        rows = {
            "one processor": measured(root, "one", one=True),
            "all processors": measured(root, "all", one=False),
            "taken up": measured(root, "again", one=False, left=left),
        }
    print(f"{count} pictures, {len(os.sched_getaffinity(0))} processors")
    for name, made in rows.items():
        print(
            f"{name:<16} {made['seconds']:7.1f} s ({made['busy_s']:.1f} busy)   peak {made['peak_mib']:5.0f} MiB   "
            f"prepared samples read at {made['read_mib_s']:6.0f} MiB/s, the file alone at {made['plain_mib_s']:6.0f}"
        )
    print(f"one digest: {len({made['digest'] for made in rows.values()}) == 1}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--row"]:
        row(json.loads(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
