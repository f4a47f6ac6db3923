"""Data cards that a model suggests: by what its file says, by what lies beside it, else by the shape of its input.

They are proposed where a card is missing, compared with the one that is there, and tried where a baseline is near
chance. None is ever applied.
"""

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import floor
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgewright.state.artifacts import Format, TensorSpec
from edgewright.state.errors import Code, Refusal, Refused
from edgewright.tools.datasets import families
from edgewright.tools.datasets.card import Card, ImageInput
from edgewright.tools.datasets.entry import open_file_under_roots
from edgewright.tools.datasets.families import ARITHMETIC, Fields, fitted
from edgewright.tools.formats.model import Described
from edgewright.tools.formats.tflite_metadata import normalisation
from edgewright.tools.legible import legible

# Of a model's notes and of the files beside it; what is larger describes no preprocessing.
LIMIT_BYTES = 1 << 20
BESIDE = ("preprocessor_config.json", "config.json")
# Characters of a card in a sentence; alphabets and lists of classes can be long.
MOST_SHOWN = 1500
# Pillow's numbers, which Transformers writes down.
_RESAMPLING = {0: "nearest", 2: "bilinear", 3: "bicubic"}


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Sides(_Read):
    shortest_edge: int | None = None
    height: int | None = None
    width: int | None = None


class _Processor(_Read):
    """An image processor of Transformers, with its defaults."""

    do_resize: bool = True
    size: int | _Sides | None = None
    resample: int = 2
    do_center_crop: bool = False
    crop_size: int | _Sides | None = None
    do_rescale: bool = True
    rescale_factor: float = 1 / 255
    do_normalize: bool = True
    image_mean: float | list[float] = 0.0
    image_std: float | list[float] = 1.0


class _Trained(_Read):
    """How timm evaluates a model."""

    input_size: tuple[int, int, int]
    crop_pct: Annotated[float, Field(gt=0, le=1)] = 0.875
    interpolation: str = "bicubic"
    mean: float | list[float] = 0.0
    std: float | list[float] = 1.0


class _Timm(_Read):
    pretrained_cfg: _Trained


_Kind = TypeVar("_Kind", bound=_Read)


@dataclass(frozen=True)
class Proposal:
    """A card without labels, and why.

    Attributes:
        because: What suggests it, as a clause.
        card: Its fields.
        is_said: Whether whoever made the model says so; else the shape alone suggests it.
    """

    because: str
    card: Mapping[str, object]
    is_said: bool = True


def proposals(model: Described, model_format: Format, beside: Mapping[str, bytes]) -> tuple[Proposal, ...]:
    """Return what cards a model suggests, the best founded first.

    Args:
        model: The model, admitted.
        model_format: Its format.
        beside: Content of the files of the names `BESIDE` in its folder.
    """
    pictures = [spec for spec in model.inputs if _size(spec) is not None]
    if len(pictures) != 1 or len(model.inputs) != 1:
        return ()
    said = [*_of_notes(pictures[0], model), *_of_files(pictures[0], beside)]
    return tuple(found for found in said or _of_shape(pictures[0], model, model_format) if _is_card(found))


def files_beside(model_path: str, roots: tuple[str, ...]) -> Mapping[str, bytes]:
    """Return the files beside a model that say how its inputs are made, as far as they are there and may be read."""
    found: dict[str, bytes] = {}
    for name in BESIDE:
        try:
            with open_file_under_roots(f"{model_path.rpartition('/')[0]}/{name}", roots) as opened:
                found[name] = opened.read(LIMIT_BYTES)
        except Refused:
            continue
    return found


def with_proposals(refusal: Refusal, found: tuple[Proposal, ...]) -> Refused:
    """Return the refusal of a missing card with the cards that the model suggests."""
    if refusal.code is not Code.CARD_MISSING or not found:
        return Refused(refusal)
    first, more = found[0], len(found) - 1
    card = json.dumps(first.card)
    shown = card if len(card) <= MOST_SHOWN else "the card under `proposals`"
    do = (
        f"write that file, or pass the card in the call. {legible(first.because, 200).capitalize()}, which suggests "
        f"{shown}{f'; {more} more under `proposals`' if more else ''}. Add `label`, look at the echo, and compare the "
        "baseline with what the model is known to reach"
    )
    facts = {**refusal.facts, "proposals": [{"because": one.because, "card": dict(one.card)} for one in found]}
    return Refused.because(refusal.code, refusal.what, refusal.why, do, *refusal.promises, **facts)


def contradiction(card: Card, found: tuple[Proposal, ...]) -> str | None:
    """Return in what a card differs from what the model's maker says of its pictures."""
    for proposal in (one for one in found if one.is_said):
        wanted = Card.model_validate_json(json.dumps(proposal.card))
        for name, entry in wanted.inputs.items():
            given = card.inputs.get(name)
            if not isinstance(entry, ImageInput) or not isinstance(given, ImageInput):
                continue
            said = proposal.card["inputs"][name]  # type: ignore[index]  # the card that was just validated
            fields = [field for field in said if field not in {"kind", "array"}]
            wrong = [field for field in fields if getattr(given, field) != getattr(entry, field)]
            if wrong:
                listed = ", ".join(
                    f"{field} {_shown(entry, field)}, the card {_shown(given, field)}" for field in wrong
                )
                return f"{legible(proposal.because, 200)}: {listed}"
    return None


def _of_notes(spec: TensorSpec, model: Described) -> Iterator[Proposal]:
    """Yield what the file itself says."""
    notes = {name: content.decode("utf-8", "replace") for name, content in model.notes.items()}
    height, width = _size(spec) or (0, 0)
    if notes.get("author") == "Ultralytics":
        yield _ultralytics(spec, model, notes)
    if "character" in notes:
        pixel = {"colour": "BGR", "layout": "NCHW", **ARITHMETIC["-1 to 1"]}
        resize = fitted(height or 48, width or 320, "letterbox", pad=127)
        alphabet = "".join(notes["character"].splitlines()) + " "
        because = f"its metadata lists {len(alphabet) - 1} characters, as PaddleOCR's recognisers do"
        yield Proposal(because, _card(spec, {**resize, **pixel}, decoder={"kind": "ctc", "alphabet": alphabet}))
    for mean, std in normalisation(model.notes.get("TFLITE_METADATA", b"")):
        entry = {**_stretched(spec), "layout": _layout(spec), "mean": mean, "std": std}
        yield Proposal("its TFLite metadata gives mean and std of its input", _card(spec, entry))


def _ultralytics(spec: TensorSpec, model: Described, notes: Mapping[str, str]) -> Proposal:
    """Return the card of a file that Ultralytics exported: https://docs.ultralytics.com/modes/export/."""
    sides = _literal(notes.get("imgsz", ""))
    known = [side for side in sides if isinstance(side, int)] if isinstance(sides, list) else []
    height, width = known if len(known) == 2 else (side or 640 for side in _size(spec) or (640, 640))
    names, task = _literal(notes.get("names", "")), notes.get("task", "detect")
    classes = [str(names[key]) for key in sorted(names)] if isinstance(names, dict) else None
    because = f"its metadata says Ultralytics, task {task}, {height} x {width}"
    if task == "classify":
        entry = {**families.torchvision(height, width), **ARITHMETIC["0 to 1"]}
        return Proposal(because, _card(spec, {**entry, **fitted(height, width, "shorter_side")}, classes=classes))
    plain = task == "detect" and notes.get("end2end") != "True"  # else boxes come out suppressed, in another form
    decoder = _yolo_decoder(model, len(classes)) if plain and classes else None
    return Proposal(because, _card(spec, families.yolo(height, width), classes=classes, decoder=decoder))


def _yolo_decoder(model: Described, classes: int) -> Fields | None:
    shape = model.outputs[0].shape if len(model.outputs) == 1 else ()
    if len(shape) != 3:
        return None
    kinds = {(1, 4 + classes): "yolo-v8", (2, 5 + classes): "yolo-v5"}
    return next(({"kind": kind} for (axis, size), kind in kinds.items() if shape[axis] == size), None)


def _of_files(spec: TensorSpec, beside: Mapping[str, bytes]) -> Iterator[Proposal]:
    """Yield what Transformers or timm wrote beside the model."""
    processor = _parsed(beside.get(BESIDE[0]), _Processor)
    if processor is not None:
        yield Proposal(f"{BESIDE[0]} beside it says how Transformers does it", _card(spec, _as_done(spec, processor)))
    timm = _parsed(beside.get(BESIDE[1]), _Timm)
    if timm is not None:
        yield Proposal(f"{BESIDE[1]} beside it says how timm does it", _card(spec, _as_evaluated(timm.pretrained_cfg)))


def _parsed(content: bytes | None, kind: type[_Kind]) -> _Kind | None:
    try:
        return None if content is None else kind.model_validate_json(content)
    except ValidationError:
        return None


def _as_done(spec: TensorSpec, said: _Processor) -> Fields:
    """Return an input as an image processor makes it: resize, centre, rescale, normalise."""
    entry: dict[str, object] = {"layout": _layout(spec)}
    if said.do_resize and said.size is not None:
        size = _Sides(shortest_edge=said.size) if isinstance(said.size, int) else said.size
        fit = "stretch" if size.shortest_edge is None else "shorter_side"
        height, width = (size.shortest_edge or side or 0 for side in (size.height, size.width))
        entry |= fitted(height, width, fit, _RESAMPLING.get(said.resample, "bilinear"))
    if said.do_center_crop and said.crop_size is not None:
        side = said.crop_size
        crop = _Sides(height=side, width=side) if isinstance(side, int) else side
        entry["crop"] = {"height": crop.height, "width": crop.width}
    entry["scale"] = said.rescale_factor if said.do_rescale else 1.0
    return entry | ({"mean": said.image_mean, "std": said.image_std} if said.do_normalize else {})


def _as_evaluated(said: _Trained) -> Fields:
    """Return an input as timm evaluates it: resized to the size over `crop_pct`, then the centre."""
    _, height, width = said.input_size
    return {
        **fitted(floor(height / said.crop_pct), floor(width / said.crop_pct), "shorter_side", said.interpolation),
        "crop": {"height": height, "width": width},
        "layout": "NCHW",
        "scale": 1 / 255,
        "mean": said.mean,
        "std": said.std,
    }


def _of_shape(spec: TensorSpec, model: Described, model_format: Format) -> Iterator[Proposal]:
    """Yield what models of such an input usually want."""
    height, width = (side or 224 for side in _size(spec) or (0, 0))
    if _channels(spec) != 3 or not spec.dtype.startswith("float"):
        return
    because = "the file says nothing of preprocessing; by the shape of its input it may be"
    if _layout(spec) == "NCHW":
        if len(model.outputs) == 1 and len(model.outputs[0].shape) == 3:
            card = _card(spec, families.yolo(height, width), decoder={"kind": "yolo-v8"})
            yield Proposal(f"{because} a YOLO detector", card, is_said=False)
        card = _card(spec, families.torchvision(height, width))
        yield Proposal(f"{because} a classifier as torchvision's", card, is_said=False)
        return
    if model_format is Format.TFLITE:
        yield Proposal(f"{because} one of MediaPipe's", _card(spec, families.mediapipe(height, width)), is_said=False)
    for mode, example in (
        ("-1 to 1", "MobileNet, Inception"),
        ("0 to 255", "EfficientNet, MobileNetV3, which scale inside"),
        ("BGR less ImageNet's mean, as in Caffe", "ResNet, VGG"),
        ("0 to 1 with ImageNet's mean and std", "DenseNet"),
    ):
        card = _card(spec, families.keras(height, width, mode))
        yield Proposal(f"{because} one of Keras's ({example})", card, is_said=False)


def _card(spec: TensorSpec, entry: Fields, **fields: object) -> Mapping[str, object]:
    gray = {"colour": "GRAY"} if _channels(spec) == 1 else {}
    plain = json.loads(json.dumps({"kind": "image", **entry, **gray}))
    return {"inputs": {spec.name: plain}, **{name: value for name, value in fields.items() if value is not None}}


def _is_card(proposal: Proposal) -> bool:
    """Whether it could be used: what a file says may be anything."""
    try:
        Card.model_validate_json(json.dumps(proposal.card))
    except (ValidationError, ValueError, TypeError):
        return False
    return True


def _size(spec: TensorSpec) -> tuple[int | None, int | None] | None:
    """Return height and width of a picture, where the input is one."""
    if len(spec.shape) != 4 or _channels(spec) is None:
        return None
    return (spec.shape[2], spec.shape[3]) if _layout(spec) == "NCHW" else (spec.shape[1], spec.shape[2])


def _channels(spec: TensorSpec) -> int | None:
    return next((size for size in (spec.shape[1], spec.shape[3]) if size in {1, 3}), None)


def _layout(spec: TensorSpec) -> str:
    return "NCHW" if spec.shape[1] in {1, 3} else "NHWC"


def _stretched(spec: TensorSpec) -> Fields:
    height, width = _size(spec) or (None, None)
    return fitted(height, width, "stretch") if height and width else {}


def _literal(text: str) -> object:
    """Return a Python literal; nothing where it is none."""
    try:
        return ast.literal_eval(text) if len(text) <= LIMIT_BYTES else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _shown(entry: ImageInput, field: str) -> str:
    value = getattr(entry, field)
    return legible(json.dumps(value.model_dump() if hasattr(value, "model_dump") else value), 120)
