"""Builds the engine of this package on the Jetson that will run it, then repeats the stored samples on it.

    python3 build_engine.py FOLDER     writes the engine, its timing cache and verified.json into FOLDER

Needs JetPack's TensorRT (apt: python3-libnvinfer), NumPy, and cuda-python or PyCUDA. Prints JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import platform
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))  # isolated mode (-I) leaves it out
sys.dont_write_bytecode = True  # the package holds the files of its manifest and no others
# Its neighbours in the package.
from cuda_memory import CudaError, cuda  # type: ignore[import-not-found]  # noqa: E402
from tensorrt_builder import (  # type: ignore[import-not-found]  # noqa: E402
    Build,
    Options,
    Unbuildable,
    timing_cache_of,
)
from tensorrt_runner import Runner  # type: ignore[import-not-found]  # noqa: E402

Module = Any  # TensorRT's has no types
Loaded = Any  # a Runner of tensorrt_runner
Array = Any

MACHINE = "aarch64"
CACHE = "timing.cache"
WARM_UP, TIMED = 20, 200


class Refused(Exception):
    """Raised where the engine is not built, or does not do what was measured."""


def main() -> None:
    """Build and verify."""
    parser = argparse.ArgumentParser(description="Builds the TensorRT engine of this package, on the device.")
    parser.add_argument("folder", type=Path, help="where the engine goes; not this package")
    folder = parser.parse_args().folder
    try:
        answer = build_and_verify(folder)
    except (Refused, Unbuildable, CudaError, OSError, ValueError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    sys.stdout.write(json.dumps(answer, allow_nan=False) + "\n")


def build_and_verify(folder: Path) -> dict[str, Any]:
    """Return what was built, where, and how it compares with what was recorded.

    Raises:
        Refused: This is no Jetson, TensorRT is missing, a file is not the package's, or the outputs differ.
    """
    if platform.machine() != MACHINE:
        raise Refused(
            f"this machine is {platform.machine()}: an engine runs only on the kind of device that it was built on. "
            "Run this on the Jetson"
        )
    trt = _tensorrt()
    manifest = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
    _check_files(manifest)
    folder.mkdir(parents=True, exist_ok=True)
    started = perf_counter()
    engine = build(trt, manifest, folder)
    seconds = perf_counter() - started
    path = folder / f"{Path(manifest['model']['file']).stem}.engine"
    path.write_bytes(engine)
    answer = {
        "engine": path.name,
        "sha256": hashlib.sha256(engine).hexdigest(),
        "built_from": manifest["model"]["sha256"],
        "tensorrt": trt.__version__,
        "machine": _machine(),
        "build_s": seconds,
        **verify(Runner(engine, trt, cuda()), manifest),
    }
    (folder / "verified.json").write_text(json.dumps(answer, indent=2) + "\n", encoding="utf-8")
    return answer


def build(trt: Module, manifest: dict[str, Any], folder: Path) -> bytes:
    """Return the engine, and leave what was learnt about this machine in the folder for the next time."""
    said, cache = manifest["engine"], folder / CACHE
    learnt = cache.read_bytes() if cache.is_file() else b""
    work = Build(trt)
    work.parse((FOLDER / manifest["model"]["file"]).read_bytes())
    config = work.configured(said["shapes"], Options(said["workspace_mib"], learnt))
    engine = bytes(work.engine(config))
    cache.write_bytes(timing_cache_of(config))
    return engine


def verify(runner: Loaded, manifest: dict[str, Any]) -> dict[str, Any]:
    """Repeat the stored samples, then time them.

    Raises:
        Refused: An output differs by more than the manifest's tolerance.
    """
    names = [entry["name"] for entry in manifest["model"]["inputs"]]
    outputs = [tensor.name for tensor in runner.outputs]
    wanted = [entry["name"] for entry in manifest["model"]["outputs"]]
    largest, feeds = 0.0, []
    for sample in manifest["smoke"]["samples"]:
        prepared, expected = (_arrays(sample[part]) for part in ("prepared", "expected"))
        feeds.append({name: prepared[f"input_{place}"] for place, name in enumerate(names)})
        found = dict(zip(outputs, runner.run(feeds[-1])))  # noqa: B905  (Python 3.9 has no strict)
        for place, name in enumerate(wanted):
            difference = _difference(found[name], expected[f"output_{place}"])
            largest = max(largest, difference)
            if not difference <= manifest["smoke"]["tolerance"]:
                raise Refused(
                    f"output {name} differs by {difference:.3g} of its largest magnitude; allowed are "
                    f"{manifest['smoke']['tolerance']:g}"
                )
    return {"largest_difference": largest, "samples": len(feeds), **_timed(runner, feeds)}


def _timed(runner: Loaded, feeds: list[dict[str, Any]]) -> dict[str, Any]:
    """Return mean times in milliseconds: the whole call by the wall clock, its parts by the GPU's."""
    wall: list[float] = []
    parts: list[tuple[float, float, float]] = []
    for turn in range(WARM_UP + TIMED):
        started = perf_counter()
        runner.run(feeds[turn % len(feeds)])
        taken = 1000 * (perf_counter() - started)
        if turn >= WARM_UP:
            times = runner.times()
            wall.append(taken)
            parts.append((times.copy_in_ms, times.compute_ms, times.copy_out_ms))
    copy_in, compute, copy_out = (float(np.mean(part)) for part in zip(*parts))  # noqa: B905
    return {
        "runs": TIMED,
        "wall_ms": float(np.mean(wall)),
        "copy_in_ms": copy_in,
        "compute_ms": compute,
        "copy_out_ms": copy_out,
    }


def _difference(found: Array, expected: Array) -> float:
    if found.shape != expected.shape:
        return float("inf")
    scale = float(np.abs(expected).max(initial=0.0)) or 1.0
    difference = np.abs(found.astype(np.float64) - expected.astype(np.float64)).max(initial=0.0)
    return float(difference) / scale


def _arrays(name: str) -> dict[str, Any]:
    with np.load(FOLDER / name, allow_pickle=False) as data:
        return {key: data[key] for key in data.files}


def _check_files(manifest: dict[str, Any]) -> None:
    for file in manifest["files"]:
        path = FOLDER / file["path"]
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != file["sha256"]:
            raise Refused(f"{file['path']} is missing or is not the file that was packaged")


def _machine() -> str:
    board = Path("/proc/device-tree/model")
    return board.read_text(encoding="utf-8").rstrip("\0") if board.exists() else platform.machine()


def _tensorrt() -> Module:
    try:
        return importlib.import_module("tensorrt")
    except ImportError as error:
        raise Refused("TensorRT is not installed here: sudo apt-get install python3-libnvinfer") from error


if __name__ == "__main__":
    main()
