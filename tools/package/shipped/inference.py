"""Runs the model of the package that this file lies in. Needs NumPy and what runner.py imports; pictures need Pillow.

    python inference.py SAMPLE.npz       one raw sample: the arrays that preprocessing.json names, no batch dimension
    python inference.py PICTURE.png      one raw picture, for a model with a single input
    python inference.py --prepared X.npz arrays input_0, input_1, ... as the model takes them
    python inference.py --verify         check every file, then repeat the stored samples

Prints JSON. From other code: `load`, `preprocess` and `infer`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Array = NDArray[Any]  # element types are known only once data is there

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))  # isolated mode (-I) leaves it out
sys.dont_write_bytecode = True  # the package holds the files of its manifest and no others
# Its neighbours in the package.
from preprocessing import prepare  # type: ignore[import-not-found]  # noqa: E402
from quantization import to_integers, to_real  # type: ignore[import-not-found]  # noqa: E402
from runner import Runner  # type: ignore[import-not-found]  # noqa: E402

CHUNK_BYTES = 1 << 20


class Unsound(Exception):
    """Raised when the package is not what its manifest says, or cannot take the given data."""


class Model:
    """The packaged model; real numbers go in and come out, whatever it computes with."""

    def __init__(self, runner: Runner, outputs: list[dict[str, Any]]) -> None:
        """Take a loaded model and what the manifest says of its outputs, in its order."""
        self._runner = runner
        self._outputs = outputs

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Return each output by name; integers that stand for real numbers as those."""
        return {
            entry["name"]: to_real(value, **entry["quantization"]) if "quantization" in entry else value
            for entry, value in zip(self._outputs, self._runner.run(feeds), strict=True)
        }


def load(folder: Path = FOLDER) -> Model:
    """Return the model, loaded with the number of threads that its latency was measured with.

    Raises:
        Unsound: The model file is not the one that was measured.
    """
    manifest = read_json(folder / "manifest.json")
    model = manifest["model"]
    path = folder / model["file"]
    if sha256_of(path) != model["sha256"]:
        raise Unsound(f"{path.name} is not the file that was measured: its SHA-256 is not {model['sha256']}")
    threads = manifest["benchmarks"]["model"]["environment"]["threads"]
    return Model(Runner(str(path), threads), model["outputs"])


def preprocess(raw: Mapping[str, Array], folder: Path = FOLDER) -> dict[str, Array]:
    """Return what the model takes.

    Args:
        raw: Source array to one sample of it, without a batch dimension.
        folder: The package.

    Raises:
        Unsound: A source array is missing or does not suit its input.
    """
    feeds: dict[str, Array] = {}
    for entry in read_json(folder / "preprocessing.json")["inputs"]:
        if entry["array"] not in raw:
            raise Unsound(f"the sample has no array {entry['array']}; its arrays are {', '.join(raw) or 'none'}")
        try:
            sample = prepare(raw[entry["array"]][np.newaxis], entry)[0]
        except ValueError as error:
            raise Unsound(f"input {entry['name']}: {error}") from error
        if not _suits(sample.shape, entry["shape"]):
            raise Unsound(f"input {entry['name']}: the sample gives {sample.shape}, the model takes {entry['shape']}")
        if entry["quantization"] is not None:
            sample = to_integers(sample, **entry["quantization"])
        batch = entry["batch_size"]
        feeds[entry["name"]] = sample if batch is None else np.stack([sample] * batch)
    return feeds


def infer(model: Model, feeds: Mapping[str, Array]) -> dict[str, Array]:
    """Return each output of one inference by name, in real numbers."""
    return model.run(feeds)


def verify(folder: Path = FOLDER) -> list[str]:
    """Check every file and repeat the stored samples; return what was found, a sentence each.

    Raises:
        Unsound: A file is missing or changed, or an output differs by more than the manifest's tolerance.
    """
    manifest = read_json(folder / "manifest.json")
    for file in manifest["files"]:
        path = folder / file["path"]
        if not path.is_file() or sha256_of(path) != file["sha256"]:
            raise Unsound(f"{file['path']} is missing or is not the file that was packaged")
    model, smoke = load(folder), manifest["smoke"]
    names = [entry["name"] for entry in manifest["model"]["inputs"]]
    largest = 0.0
    repeated = 0
    for sample in smoke["samples"]:
        feeds = _read_prepared(folder / sample["prepared"], names)
        if sample["raw"] is not None:
            for name, value in preprocess(read_arrays(folder / sample["raw"]), folder).items():
                _compare(f"input {name} of {sample['raw']}", value, feeds[name], smoke["tolerance"])
            repeated += 1
        expected = read_arrays(folder / sample["expected"])
        for number, (name, value) in enumerate(infer(model, feeds).items()):
            difference = _compare(f"output {name}", value, expected[f"output_{number}"], smoke["tolerance"])
            largest = max(largest, difference)
    count = len(smoke["samples"])
    return [
        f"All {len(manifest['files'])} files have the SHA-256 of the manifest.",
        f"{count} stored samples ran in a fresh process: outputs differ from the recorded ones "
        f"by at most {largest:.3g} of their largest magnitude (allowed: {smoke['tolerance']:g}).",
        f"Preprocessing of {repeated} raw samples gave the inputs that were measured."
        if repeated
        else "Preprocessing was not repeated: no raw samples are stored.",
    ]


def _compare(what: str, found: Array, expected: Array, tolerance: float) -> float:
    """Return the largest difference as a share of the largest magnitude expected."""
    if found.shape != expected.shape or found.dtype != expected.dtype:
        raise Unsound(f"{what} is {found.dtype} {found.shape}, and {expected.dtype} {expected.shape} is expected")
    if found.dtype.kind not in "fc":
        if not np.array_equal(found, expected):
            raise Unsound(f"{what} differs from what is expected")
        return 0.0
    apart = np.abs(found.astype(np.float64) - expected.astype(np.float64))
    apart[(found == expected) | (np.isnan(found) & np.isnan(expected))] = 0.0
    scale = float(np.max(np.abs(expected), initial=0.0, where=np.isfinite(expected))) or 1.0
    difference = float(np.max(apart, initial=0.0)) / scale
    if not difference <= tolerance:
        raise Unsound(f"{what} differs from what is expected by {difference:.3g} of its largest magnitude")
    return difference


def read_json(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file of the package."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def read_arrays(path: Path) -> dict[str, Array]:
    """Return the arrays of an .npz file."""
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _suits(shape: tuple[int, ...], wanted: list[int | None]) -> bool:
    same_rank = len(shape) == len(wanted)
    return same_rank and all(size in (None, found) for found, size in zip(shape, wanted, strict=True))


def _read_prepared(path: Path, names: list[str]) -> dict[str, Array]:
    arrays = read_arrays(path)
    try:
        return {name: arrays[f"input_{number}"] for number, name in enumerate(names)}
    except KeyError as error:
        raise Unsound(f"{path.name} has no array {error}") from error


def _read_raw(path: Path) -> dict[str, Array]:
    if path.suffix == ".npz":
        return read_arrays(path)
    from PIL import Image

    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("L" if picture.mode in {"1", "L", "LA"} else "RGB"))
    inputs = read_json(FOLDER / "preprocessing.json")["inputs"]
    return {entry["array"]: pixels for entry in inputs}


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description="Runs the packaged model.")
    parser.add_argument("sample", nargs="?", type=Path, help="an .npz file or a picture")
    parser.add_argument("--prepared", action="store_true", help="the sample is what the model takes already")
    parser.add_argument("--verify", action="store_true", help="check every file and repeat the stored samples")
    arguments = parser.parse_args()
    if arguments.verify == (arguments.sample is not None):
        parser.error("give either a sample or --verify")
    try:
        if arguments.verify:
            answer: dict[str, Any] = {"verified": verify()}
        else:
            names = [entry["name"] for entry in read_json(FOLDER / "manifest.json")["model"]["inputs"]]
            model = load()
            feeds = (
                _read_prepared(arguments.sample, names)
                if arguments.prepared
                else preprocess(_read_raw(arguments.sample))
            )
            answer = {"outputs": {name: value.tolist() for name, value in infer(model, feeds).items()}}
        sys.stdout.write(json.dumps(answer, allow_nan=False) + "\n")
    except (Unsound, OSError, ValueError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
