"""Cards that a model suggests: by what its file says, by what lies beside it, by its shape; and when to warn of one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import flatbuffers
import pytest

from edgewright.state.artifacts import Format, TensorSpec
from edgewright.state.errors import Code, Refusal
from edgewright.tools.datasets.card import Card
from edgewright.tools.formats.model import Model
from edgewright.tools.formats.tflite_metadata import normalisation
from edgewright.tools.profile.proposals import Proposal, contradiction, proposals, with_proposals

pytestmark = pytest.mark.promise("P9")
Shape = tuple[int | None, ...]
NAMES = {0: "cat", 1: "dog", 2: "owl"}
ULTRALYTICS = {"author": b"Ultralytics", "task": b"detect", "imgsz": b"[320, 640]", "names": repr(NAMES).encode()}


@dataclass(frozen=True)
class File:
    """As much of a model as is asked."""

    shape: Shape = (1, 3, None, None)
    output: Shape = (1, 7, 100)
    notes: Mapping[str, bytes] = field(default_factory=dict)
    dtype: str = "float32"

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return (TensorSpec("images", self.dtype, self.shape),)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return (TensorSpec("out", "float32", self.output),)


def suggested(
    file: File, beside: Mapping[str, object] | None = None, model_format: Format = Format.ONNX
) -> tuple[Proposal, ...]:
    written = {name: json.dumps(content).encode() for name, content in (beside or {}).items()}
    return proposals(cast(Model, file), model_format, written)


def entry(proposal: Proposal) -> Any:  # noqa: ANN401  (resize and crop are there in all of them)
    return Card.model_validate_json(json.dumps(proposal.card)).inputs["images"]


@pytest.mark.parametrize(
    ("output", "more", "decoder"),
    [
        ((1, 7, 100), {}, {"kind": "yolo-v8"}),
        ((1, 100, 8), {}, {"kind": "yolo-v5"}),
        ((1, 300, 6), {"end2end": b"True"}, None),
        ((1, 7, 100), {"task": b"pose"}, None),
    ],
)
def test_a_file_of_ultralytics_says_size_classes_and_decoder(
    output: Shape, more: Mapping[str, bytes], decoder: object
) -> None:
    (found,) = suggested(File(output=output, notes={**ULTRALYTICS, **more}))
    assert found.card["classes"] == ["cat", "dog", "owl"]
    assert found.card.get("decoder") == decoder
    made = entry(found)
    assert (made.resize.height, made.resize.width, made.resize.fit, made.resize.pad) == (320, 640, "letterbox", 114)
    assert (made.scale, made.mean, made.colour, made.layout) == (1 / 255, (0.0,), "RGB", "NCHW")
    assert "Ultralytics" in found.because


def test_a_recogniser_of_paddle_brings_its_alphabet() -> None:
    (found,) = suggested(File((None, 3, 48, None), notes={"character": "a\nb\n漢".encode()}))
    assert found.card["decoder"] == {"kind": "ctc", "alphabet": "ab漢 "}
    assert (entry(found).colour, entry(found).resize.height) == ("BGR", 48)


def test_what_transformers_wrote_beside_it_is_taken_step_by_step() -> None:
    said = {
        "size": {"shortest_edge": 256},
        "resample": 3,
        "do_center_crop": True,
        "crop_size": {"height": 224, "width": 224},
        "image_mean": [0.4, 0.5, 0.6],
        "image_std": [0.2, 0.2, 0.3],
    }
    made = entry(suggested(File(), {"preprocessor_config.json": said})[0])
    assert (made.resize.fit, made.resize.height, made.resize.interpolation) == ("shorter_side", 256, "bicubic")
    assert (made.crop.height, made.scale, made.mean, made.std) == (224, 1 / 255, (0.4, 0.5, 0.6), (0.2, 0.2, 0.3))
    plain = {"size": {"height": 64, "width": 96}, "do_rescale": False, "do_normalize": False}
    made = entry(suggested(File(), {"preprocessor_config.json": plain})[0])
    assert (made.resize.fit, made.resize.width, made.scale, made.mean) == ("stretch", 96, 1.0, (0.0,))


def test_what_timm_wrote_beside_it_is_a_resize_and_a_centre() -> None:
    trained = {"input_size": [3, 224, 224], "crop_pct": 0.9, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
    made = entry(suggested(File(), {"config.json": {"pretrained_cfg": trained}})[0])
    assert (made.resize.height, made.crop.height, made.mean) == (248, 224, (0.5, 0.5, 0.5))


@pytest.mark.parametrize(
    "beside",
    [
        {"preprocessor_config.json": [1, 2]},
        {"preprocessor_config.json": {"size": "large"}},
        {"preprocessor_config.json": {"size": {"longest_edge": 9}, "image_std": [0, 0, 0]}},
        {"config.json": {"pretrained_cfg": {"input_size": [3]}}},
        {"config.json": {"architectures": ["Bert"]}},
    ],
)
def test_files_that_say_nothing_of_use_are_passed_over(beside: Mapping[str, object]) -> None:
    assert not any(found.is_said for found in suggested(File(), beside))


@pytest.mark.parametrize(
    "notes",
    [
        {"author": b"Ultralytics", "names": b"{" * 100_000, "imgsz": b"[1, 'x']"},
        {"author": b"Ultralytics", "names": b"__import__('os')", "imgsz": b"\xff"},
        {"character": b""},
        {"TFLITE_METADATA": b"\0\0\0\0M001" + bytes(40)},
        {"TFLITE_METADATA": b"\xff\xff\xff\xffM001"},
    ],
)
def test_notes_that_are_no_notes_do_no_harm(notes: Mapping[str, bytes]) -> None:
    for found in suggested(File(notes=notes)):
        entry(found)


@pytest.mark.parametrize(
    ("file", "model_format", "said"),
    [
        (File(output=(1, 1000)), Format.ONNX, ["torchvision"]),
        (File(), Format.ONNX, ["YOLO", "torchvision"]),
        (File((1, 96, 96, 3), (1, 10)), Format.ONNX, ["MobileNet", "EfficientNet", "ResNet", "DenseNet"]),
        (File((1, 96, 96, 3), (1, 10)), Format.TFLITE, ["MediaPipe", "MobileNet", "EfficientNet", "ResNet", "Dense"]),
        (File((1, 12), (1, 10)), Format.ONNX, []),
        (File((1, 96, 96, 3), (1, 10), dtype="uint8"), Format.TFLITE, []),
    ],
)
def test_where_nothing_is_said_the_families_of_that_shape_are_proposed_as_guesses(
    file: File, model_format: Format, said: list[str]
) -> None:
    found = suggested(file, None, model_format)
    assert [word in one.because for word, one in zip(said, found, strict=True)] == [True] * len(said)
    assert not any(one.is_said for one in found)
    assert all(entry(one).layout == ("NHWC" if file.shape[3] == 3 else "NCHW") for one in found)


def with_normalisation(mean: list[float], std: list[float]) -> bytes:
    """Return TFLite metadata that gives its first input a mean and a standard deviation, and nothing else."""
    builder = flatbuffers.Builder(256)

    def floats(numbers: list[float]) -> int:
        builder.StartVector(4, len(numbers), 4)
        for number in reversed(numbers):
            builder.PrependFloat32(number)
        return int(builder.EndVector())

    def table(fields: int, at: int, *values: tuple[str, int]) -> int:
        builder.StartObject(fields)
        for place, (kind, value) in enumerate(values, at):
            add = builder.PrependUint8Slot if kind == "byte" else builder.PrependUOffsetTRelativeSlot
            add(place, value, 0)
        return int(builder.EndObject())

    def one(element: int) -> int:
        builder.StartVector(4, 1, 4)
        builder.PrependUOffsetTRelative(element)
        return int(builder.EndVector())

    options = table(2, 0, ("table", floats(mean)), ("table", floats(std)))
    unit = table(2, 0, ("byte", 1), ("table", options))
    tensor = table(7, 4, ("table", one(unit)))
    graph = table(8, 2, ("table", one(tensor)))
    builder.Finish(table(8, 3, ("table", one(graph))), file_identifier=b"M001")
    return bytes(builder.Output())


def test_mean_and_deviation_of_tflite_metadata_become_those_of_the_card() -> None:
    content = with_normalisation([127.5], [128.0])
    assert normalisation(content) == (([127.5], [128.0]),)
    (found,) = suggested(File((1, 96, 96, 3), (1, 10), {"TFLITE_METADATA": content}), None, Format.TFLITE)
    assert (entry(found).mean, entry(found).std, entry(found).scale) == ((127.5,), (128.0,), 1.0)
    for cut in range(len(content)):
        normalisation(content[:cut])


def test_a_card_that_differs_from_what_the_maker_says_is_named_with_both_values() -> None:
    found = suggested(File(notes=ULTRALYTICS))
    same = Card.model_validate_json(json.dumps(found[0].card))
    assert contradiction(same, found) is None
    other = json.loads(json.dumps(found[0].card))
    other["inputs"]["images"] |= {"scale": 1.0}
    said = contradiction(Card.model_validate_json(json.dumps(other)), found)
    assert said is not None
    assert said.endswith("scale 0.00392156862745098, the card 1.0")
    guesses = suggested(File(output=(1, 1000)))
    assert contradiction(Card.model_validate_json(json.dumps(other)), guesses) is None


def test_only_the_refusal_of_a_missing_card_carries_proposals() -> None:
    found = suggested(File(notes=ULTRALYTICS))
    missing = with_proposals(Refusal(Code.CARD_MISSING, "data", "no card", "write one"), found).refusal
    assert missing.facts["proposals"] == [{"because": found[0].because, "card": dict(found[0].card)}]
    other = Refusal(Code.DATA_INVALID, "data", "damaged", "replace it")
    assert with_proposals(other, found).refusal is other
