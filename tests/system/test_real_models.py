"""Models that people use, unmodified, each with one card and a small labelled set: their baselines are pinned.

PaddleOCR's text detector, recogniser and classifier (from rapidocr-onnxruntime), Silero's voice detector with its
recurrent state, Magika, a sentence encoder exported from PyTorch, and MediaPipe's two models that cut out people.
Bounds leave room for another processor's rounding, not for wrong preprocessing.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from files_and_frames import RATE, as_magika_reads, file_contents, frames
from people import folder_of_people
from printed_lines import folder_of_lines, folder_of_pages, folder_of_turns
from workflow import Connect, done, state_of

from edgewright.server.settings import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.system]

OCR = "rapidocr_onnxruntime/models"
LINE = {"kind": "image", "colour": "BGR", "scale": 1 / 255, "mean": 0.5, "std": 0.5}
Made = tuple[Path, str | dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """A model, its metric, and what it scores.

    Attributes:
        data: Called with the folder of the models and one to write to; returns the model's file and its data.
        metric: Name of the metric.
        least: Least value.
        most: Largest value.
        device: What it is made for.
    """

    data: Callable[[Path, Path], Made]
    metric: str
    least: float
    most: float
    device: str = "cpu-generic"


def recogniser(models: Path, root: Path) -> Made:
    model = models / OCR / "ch_PP-OCRv4_rec_infer.onnx"
    noted = {entry.key: entry.value for entry in onnx.load(model).metadata_props}
    alphabet = "".join(noted["character"].splitlines()) + " "
    resize = {"height": 48, "width": 320, "fit": "letterbox", "pad": 127}
    card = {"inputs": {"x": {**LINE, "resize": resize}}, "decoder": {"kind": "ctc", "alphabet": alphabet}}
    return model, str(folder_of_lines(root / "lines", 60, card))


def classifier(models: Path, root: Path) -> Made:
    resize = {"height": 48, "width": 192, "fit": "letterbox", "pad": 127}
    folder = folder_of_turns(root / "turns", 60, {"inputs": {"x": {**LINE, "resize": resize}}})
    return models / OCR / "ch_ppocr_mobile_v2.0_cls_infer.onnx", str(folder)


def detector(models: Path, root: Path) -> Made:
    decoder = {"kind": "segmentation", "threshold": 0.3}
    card = {"inputs": {"x": LINE}, "classes": ["page", "text"], "decoder": decoder}
    return models / OCR / "ch_PP-OCRv4_det_infer.onnx", str(folder_of_pages(root / "pages", 20, card))


def magika(models: Path, root: Path) -> Made:
    folder = models / "magika" / "models" / "standard_v3_3"
    contents = file_contents(8)
    rows = np.array([as_magika_reads(content) for content, _ in contents], np.int32)
    np.savez(root / "bytes.npz", bytes=rows, label=np.array([kind for _, kind in contents]))
    classes = json.loads((folder / "config.min.json").read_text())["target_labels_space"]
    entry = {"kind": "tensor", "array": "bytes", "dtype": "int32"}
    card = {"inputs": {"bytes": entry}, "label": "label", "classes": classes}
    return folder / "model.onnx", {"path": str(root / "bytes.npz"), "card": card}


def voice(models: Path, root: Path) -> Made:
    sound, voiced = frames(60)
    state, rate = np.zeros((60, 2, 1, 128), np.float32), np.full(60, RATE)
    np.savez(root / "frames.npz", input=sound, state=state, sr=rate, label=voiced)
    inputs: dict[str, Any] = {name: {"kind": "tensor", "array": name} for name in ("input", "state", "sr")}
    inputs["sr"]["dtype"] = "int64"
    card = {"inputs": inputs, "label": "label", "output": "output"}
    return models / "silero_vad" / "data" / "silero_vad_16k_op15.onnx", {"path": str(root / "frames.npz"), "card": card}


def encoder(models: Path, root: Path) -> Made:
    for name in ("minilm.onnx", "tokenizer.json", "reviews.csv"):
        shutil.copy(models.parent / "minilm" / name, root)
    arrays = {"input_ids": "ids", "attention_mask": "mask", "token_type_ids": "types"}
    inputs = {name: {"kind": "tensor", "array": array, "dtype": "int64"} for name, array in arrays.items()}
    text = {"column": "text", "tokenizer": "tokenizer.json", "length": 64}
    card = {"inputs": inputs, "text": text, "label": "mood", "classes": ["bad", "good"]}
    return root / "minilm.onnx", {"path": str(root / "reviews.csv"), "card": card}


def cut_out(models: Path, root: Path, name: str, size: tuple[int, int]) -> Made:
    image = {"kind": "image", "scale": 1 / 255, "layout": "NHWC"}
    decoder = {"kind": "segmentation", "classes": "last"}
    card = {"inputs": {"input_1": image}, "classes": ["background", "person"], "decoder": decoder}
    folder = folder_of_people(root / "people", models / "skimage" / "data", 24, size, card)
    return models.parent / "node_modules/@mediapipe/selfie_segmentation" / name, str(folder)


def square(models: Path, root: Path) -> Made:
    return cut_out(models, root, "selfie_segmentation.tflite", (256, 256))


def landscape(models: Path, root: Path) -> Made:
    return cut_out(models, root, "selfie_segmentation_landscape.tflite", (256, 144))


CASES = {
    "recogniser": Case(recogniser, "cer", 0.06, 0.085),
    "classifier": Case(classifier, "top-1", 0.91, 0.97),
    "detector": Case(detector, "miou", 0.67, 0.72),
    "magika": Case(magika, "top-1", 0.94, 1.0),
    "voice": Case(voice, "auc", 0.99, 1.0),
    "encoder": Case(encoder, "top-1", 0.71, 0.79),
    "people, square": Case(square, "miou", 0.93, 0.98, "raspberry-pi-5"),
    "people, landscape": Case(landscape, "miou", 0.93, 0.98, "raspberry-pi-5"),
}


@pytest.mark.promise("P1", "P9")
@pytest.mark.parametrize("name", CASES)
async def test_a_real_model_runs_unmodified_and_scores_what_it_should(
    connect: Connect, settings: Settings, models: Path, root: Path, name: str
) -> None:
    case = CASES[name]
    model, data = case.data(models, root)
    if model.parent != root:
        shutil.copy(model, root / model.name)
    arguments = {"model_path": str(root / model.name), "validation": data, "metric": case.metric}
    async with connect(given=settings.model_copy(update={"least_validation": 20})) as client:
        reply = await done(client, "profile_model", **arguments, target_device=case.device)
        accuracy = (await state_of(client, reply["run"]))["profiled"]["baseline"]["accuracy"]
    assert case.least <= accuracy["value"] <= case.most
