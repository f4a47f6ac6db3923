"""Tiny models that see, hear and read, with data as people have it: a folder of masks, of sounds, a file of lines."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import soundfile
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

SAMPLES = 40
SIDE = 16
ALPHABET = "abcd"
RATE = 4000
STEP = 100
"""Sound samples a character."""
WORDS = ("good", "fine", "bad", "poor", "film", "plot")


def seeing(root: Path) -> dict[str, Any]:
    """A model that tells sky from ground by brightness, on pictures with PNG masks."""
    rng, folder = np.random.default_rng(0), root / "views"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(SAMPLES):
        mask = (np.arange(SIDE)[:, None] + rng.integers(-2, 3, (1, SIDE)) > rng.integers(4, 12)).astype(np.uint8)
        pixels = np.where(mask, 60, 190) + rng.integers(-66, 66, mask.shape)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / "images" / f"{number}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{number}.png")
    card = {
        "inputs": {"x": {"kind": "image", "colour": "GRAY", "scale": 1 / 255}},
        "label": {"masks": "masks", "images": "images"},
        "classes": ["sky", "ground"],
        "decoder": {"kind": "segmentation"},
    }
    (folder / "card.json").write_text(json.dumps(card))
    weights = {"w": np.array([1.0, -1.0]).reshape(2, 1, 1, 1), "b": np.array([-0.5, 0.5])}
    _save(
        root,
        [helper.make_node("Conv", ["x", "w", "b"], ["y"])],
        shape=(1, SIDE, SIDE),
        answer=(2, SIDE, SIDE),
        weights=weights,
    )
    return _arguments(root, folder, "miou")


def hearing(root: Path) -> dict[str, Any]:
    """A model that writes down four tones, on sound files with a CSV of transcripts."""
    rng, folder = np.random.default_rng(1), root / "sounds"
    folder.mkdir()
    tones = np.sin(2 * np.pi * np.outer(np.arange(1, 6), np.arange(STEP) / STEP))  # the last one is the blank
    lines = ["file,said"]
    for number in range(SAMPLES):
        path = rng.integers(0, 5, 6)
        kept = path[(path != 4) & np.append(True, path[1:] != path[:-1])]
        sound = tones[path].ravel() * 0.2 + rng.normal(0, 0.7, 6 * STEP)
        soundfile.write(folder / f"{number}.wav", sound.clip(-1, 1), RATE, subtype="FLOAT")
        lines.append(f"{number}.wav,{''.join(ALPHABET[place] for place in kept) or 'a'}")
    (folder / "said.csv").write_text("\n".join(lines) + "\n")
    card = {
        "inputs": {"x": {"kind": "tensor", "array": "audio"}},
        "audio": {"rate": RATE, "length": 6 * STEP},
        "label": {"csv": "said.csv", "file": "file", "label": "said"},
        "decoder": {"kind": "ctc", "alphabet": ALPHABET, "blank": -1},
    }
    (folder / "card.json").write_text(json.dumps(card))
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["frames"]),
        helper.make_node("MatMul", ["frames", "tones"], ["y"]),
    ]
    _save(root, nodes, shape=(6 * STEP,), answer=(6, 5), weights={"shape": np.array([-1, 6, STEP]), "tones": tones.T})
    return _arguments(root, folder, "cer")


def reading(root: Path) -> dict[str, Any]:
    """A model that tells praise from blame by its words, on a JSONL file with a tokenizer beside it."""
    rng = np.random.default_rng(2)
    tokenizer = Tokenizer(WordLevel({"[PAD]": 0, "[UNK]": 1} | {word: n for n, word in enumerate(WORDS, 2)}, "[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(root / "tokenizer.json"))
    lines = []
    for number in range(SAMPLES):
        words = rng.choice(WORDS, 4)
        mood = int(np.isin(words, WORDS[:2]).sum() - np.isin(words, WORDS[2:4]).sum() + rng.choice([-0.5, 0.5]) > 0)
        lines.append(json.dumps({"text": " ".join([*words, f"n{number}"]), "mood": ["blame", "praise"][mood]}))
    (root / "reviews.jsonl").write_text("\n".join(lines))
    card = {
        "inputs": {"x": {"kind": "tensor", "array": "ids", "dtype": "int64"}},
        "text": {"column": "text", "tokenizer": "tokenizer.json", "length": 5},
        "label": "mood",
        "classes": ["blame", "praise"],
    }
    (root / "reviews.card.json").write_text(json.dumps(card))
    value = np.array([[0, 0], [0, 0], [0, 1], [0, 1], [1, 0], [1, 0], [0, 0], [0, 0]])
    nodes = [
        helper.make_node("Gather", ["value", "x"], ["each"]),
        helper.make_node("ReduceSum", ["each", "axis"], ["y"], keepdims=0),
    ]
    _save(
        root,
        nodes,
        shape=(5,),
        answer=(2,),
        weights={"value": value.astype(float), "axis": np.array([1])},
        kind=TensorProto.INT64,
    )
    return _arguments(root, root / "reviews.jsonl", "auc")


def _save(
    root: Path,
    nodes: list[NodeProto],
    *,
    shape: tuple[int, ...],
    answer: tuple[int, ...],
    weights: dict[str, NDArray[Any]],
    kind: int = TensorProto.FLOAT,
) -> None:
    constants = [
        numpy_helper.from_array(value if value.dtype.kind == "i" else value.astype(np.float32), name)
        for name, value in weights.items()
    ]
    x = helper.make_tensor_value_info("x", kind, ["n", *shape])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", *answer])
    graph = helper.make_graph(nodes, "sense", [x], [y], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), root / "sense.onnx")


def _arguments(root: Path, data: Path, metric: str) -> dict[str, Any]:
    return {
        "model_path": str(root / "sense.onnx"),
        "validation": str(data),
        "metric": metric,
        "target_device": "cpu-generic",
    }
