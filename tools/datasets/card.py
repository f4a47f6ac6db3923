"""The data card: which array feeds which input of the model, what is done to it first, and where the labels are.

It lies beside the data (`X.card.json` for `X.npz`, `card.json` in a folder) or comes with the call. See `example_card`
for the smallest one. An element is computed as `(value * scale - mean) / std`, and images before that in the order
resize, crop, colour.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Literal, NoReturn, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from edgewright.state.errors import Code, Refused
from edgewright.tools.datasets.decoding import Answers, Decoder
from edgewright.tools.datasets.fields import Name, Side, Strict
from edgewright.tools.datasets.sources import Audio, CocoLabel, Label, Text, VocLabel, YoloLabel
from edgewright.tools.legible import legible

# What the preprocessing of a card means may change only together with this number: it is part of the digest.
PREPROCESSING_VERSION = 1


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, int | float) else tuple(value) if isinstance(value, list) else value


Numbers = Annotated[tuple[float, ...], Field(min_length=1, max_length=4096), BeforeValidator(_as_tuple)]
Positive = Annotated[
    tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1, max_length=4096), BeforeValidator(_as_tuple)
]


class Resize(Strict):
    """How an image gets its size.

    Attributes:
        height: Wanted height in pixels.
        width: Wanted width in pixels.
        fit: `stretch` to exactly that size; `shorter_side` keeps the aspect ratio and covers the size, for a crop;
            `letterbox` keeps it and fits inside, centred on a background of `pad`.
        interpolation: As in Pillow, with its antialiasing.
        pad: Value of the letterbox's background, before `scale`.
    """

    height: Side
    width: Side
    fit: Literal["stretch", "shorter_side", "letterbox"] = "stretch"
    interpolation: Literal["nearest", "bilinear", "bicubic"] = "bilinear"
    pad: Annotated[int, Field(ge=0, le=255)] = 0


class Crop(Strict):
    """The centre of an image that is kept."""

    height: Side
    width: Side


class _Input(Strict):
    """What both kinds of input share.

    Attributes:
        array: Array of the .npz; `image` stands for the pictures of a folder.
        dtype: Element type that the model takes.
        scale: Multiplier, such as 1/255.
        mean: Subtracted after scaling: one number, or one a channel (images) or element of the last axis (tensors).
        std: Divided by last, likewise.
    """

    array: Name = "image"
    dtype: Literal["float32", "float16", "float64", "uint8", "int8", "int16", "int32", "int64", "bool"] = "float32"
    scale: float = 1.0
    mean: Numbers = (0.0,)
    std: Positive = (1.0,)

    @property
    def is_normalised(self) -> bool:
        """Whether any arithmetic is done."""
        return self.scale != 1 or any(self.mean) or any(number != 1 for number in self.std)

    @model_validator(mode="after")
    def _arithmetic_needs_floats(self) -> Self:
        if self.is_normalised and not self.dtype.startswith("float"):
            raise ValueError(f"scale, mean and std need a floating dtype, and this input is {self.dtype}")
        if self.scale == 0:
            raise ValueError("a scale of 0 makes every sample equal")
        return self


class ImageInput(_Input):
    """An input that takes pictures: 8-bit, (height, width, channels) in the data, in the order red, green, blue.

    Attributes:
        kind: Says that this is an image.
        resize: How it gets its size; left out, it keeps its own.
        crop: What is kept of it.
        colour: Channels that the model takes.
        layout: Order of the axes that the model takes.
    """

    kind: Literal["image"]
    resize: Resize | None = None
    crop: Crop | None = None
    colour: Literal["RGB", "BGR", "GRAY"] = "RGB"
    layout: Literal["NCHW", "NHWC"] = "NCHW"

    @property
    def channels(self) -> int:
        """Number of channels that the model takes."""
        return 1 if self.colour == "GRAY" else 3

    @model_validator(mode="after")
    def _one_number_a_channel(self) -> Self:
        for name, numbers in (("mean", self.mean), ("std", self.std)):
            if len(numbers) not in {1, self.channels}:
                raise ValueError(f"{name} has {len(numbers)} numbers, and {self.colour} has {self.channels} channel(s)")
        return self


class TensorInput(_Input):
    """An input that takes any other array; its samples go in as they are, cast and normalised."""

    kind: Literal["tensor"]


class Card(Strict):
    """What a dataset means to a model.

    Attributes:
        inputs: Name of the model's input to what feeds it.
        label: Array of the .npz; `folder` where each class has its folder; column of a text file; files of labels;
            nothing where there are none.
        classes: Names of the classes in the order of the model's outputs.
        output: Output that the metric looks at, where the model has several.
        decoder: What the outputs mean, where they are no scores of classes and no plain numbers.
        audio: How the files are read, where they are sound.
        text: How the lines are read, where they are text.
    """

    inputs: Annotated[
        Mapping[Name, Annotated[ImageInput | TensorInput, Field(discriminator="kind")]], Field(min_length=1)
    ]
    label: Label | None = None
    classes: Annotated[tuple[Name, ...], Field(min_length=1, max_length=100_000)] | None = None
    output: Name | None = None
    decoder: Decoder | None = None
    audio: Audio | None = None
    text: Text | None = None

    @model_validator(mode="after")
    def _label_suits_decoder(self) -> Self:
        if isinstance(self.label, CocoLabel) and self.decoder is not None:
            wanted = {"boxes": Answers.BOXES, "masks": Answers.MAP}[self.label.marks]
            if self.answers is not wanted:
                raise ValueError(f"its label marks {self.label.marks}, and its decoder gives {self.answers}")
        return self

    @model_validator(mode="after")
    def _classes_differ(self) -> Self:
        if self.classes is not None and len(set(self.classes)) != len(self.classes):
            raise ValueError("classes names a class twice")
        return self

    @property
    def plain(self) -> dict[str, object]:
        """The card as JSON objects, every default spelled out."""
        return self.model_dump(mode="json")

    @property
    def digest(self) -> str:
        """SHA-256 of the card's meaning: spelling, order and defaults do not count."""
        return canonical_digest(self.plain)

    @property
    def preprocessing_digest(self) -> str:
        """SHA-256 of what is done to a sample; where it comes from does not count."""
        done = {name: entry.model_dump(mode="json", exclude={"array"}) for name, entry in self.inputs.items()}
        return canonical_digest({"version": PREPROCESSING_VERSION, "inputs": done, **self.reading})

    @property
    def reading(self) -> dict[str, object]:
        """What is done before a sample is an array, where it is sound or text."""
        return {name: part.model_dump() for name, part in (("audio", self.audio), ("text", self.text)) if part}

    @property
    def marks_boxes(self) -> bool:
        """Whether the labels are boxes in pictures."""
        if isinstance(self.label, CocoLabel):
            return self.label.marks == "boxes"
        return self.answers is Answers.BOXES or isinstance(self.label, YoloLabel | VocLabel)

    @property
    def answers(self) -> Answers | None:
        """What the decoder gives, where there is one."""
        return None if self.decoder is None else self.decoder.answers


def canonical_digest(content: object) -> str:
    """Return the SHA-256 of JSON with sorted keys and no spaces."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def example_card(array: str = "image", *, image: bool = True, label: str | None = "label") -> str:
    """Return the smallest useful card for data with this array, as JSON text."""
    scaled = {"kind": "image", "array": array, "scale": 1 / 255, "colour": "RGB", "layout": "NCHW", "dtype": "float32"}
    entry = scaled if image else {"kind": "tensor", "array": array, "dtype": "float32"}
    card: dict[str, object] = {"inputs": {"NAME_OF_THE_MODELS_INPUT": entry}}
    return json.dumps({**card, "label": label} if label else card)


def parse_card(text: str | bytes, what: str) -> Card:
    """Return the card that the JSON describes.

    Raises:
        Refused: CARD_INVALID, naming the field and an example of it.
    """
    try:
        return Card.model_validate_json(text)
    except ValidationError as error:
        _refuse_fields(what, error.errors(include_url=False, include_context=False))


def refuse_card(what: str, why: str, do: str, field: str = "") -> NoReturn:
    """Refuse a data card.

    Raises:
        Refused: CARD_INVALID.
    """
    raise Refused.because(Code.CARD_INVALID, what, why, do, "P9", field=field)


_EXAMPLES = MappingProxyType(
    {
        "inputs": '{"input": {"kind": "image", "scale": 0.00392156862745098}}',
        "kind": '"image" (8-bit pictures) or "tensor" (anything else)',
        "array": '"image"',
        "dtype": '"float32"',
        "scale": "0.00392156862745098",
        "mean": "[0.485, 0.456, 0.406]",
        "std": "[0.229, 0.224, 0.225]",
        "resize": '{"height": 256, "width": 256, "fit": "shorter_side"}',
        "height": "224",
        "width": "224",
        "fit": '"stretch", "shorter_side" or "letterbox"',
        "interpolation": '"bilinear"',
        "pad": "114",
        "crop": '{"height": 224, "width": 224}',
        "colour": '"RGB", "BGR" or "GRAY"',
        "layout": '"NCHW" or "NHWC"',
        "label": '"label" (an array), "folder", {"csv": "labels.csv", "file": "file", "label": "label"}, '
        '{"coco": "annotations.json", "marks": "boxes"}, {"yolo": "labels", "images": "images"}, '
        '{"voc": "Annotations", "images": "JPEGImages"} or {"masks": "masks", "images": "images"}',
        "classes": '["cat", "dog"]',
        "output": '"logits"',
        "decoder": '{"kind": "yolo-v8"}',
        "audio": '{"rate": 16000, "length": 16000}',
        "text": '{"column": "text", "tokenizer": "tokenizer.json", "length": 128}',
    }
)


def _refuse_fields(what: str, errors: Sequence[ErrorDetails]) -> NoReturn:
    """Name the first wrong field; the others would only hide it."""
    path = _field(errors[0])
    known = path[:1] if path[:1] == ["decoder"] else [part for part in path if part in _EXAMPLES]
    do = f'write it like this: "{known[-1]}": {_EXAMPLES[known[-1]]}' if known else f"start from {example_card()}"
    field = legible(".".join(path))
    more = f" ({len(errors)} problems in all)" if len(errors) > 1 else ""
    refuse_card(what, f"{field or 'the text'} {_problem(errors[0])}{more}", do, field)


def _field(error: ErrorDetails) -> list[str]:
    """Return the path of a field without what the validator puts between: the alternative that it tried."""
    path = [str(part) for part in error["loc"]]
    if path[:1] == ["label"]:
        return ["label"]
    if path[:1] == ["decoder"]:
        return [path[0], *path[2:]]
    if error["type"].startswith("union_tag"):
        return [*path, "kind"]
    return path[:2] + path[3:] if path[:1] == ["inputs"] else path


def _problem(error: ErrorDetails) -> str:
    match error["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "is not a field of a data card"
        case "union_tag_not_found":
            return "is missing"
        case _:
            said = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
            return f"is refused: {legible(said.replace('should be', 'must be'), 300)}"
